//! What the shared words promise, proven from outside.

mod queue;
mod wire;
mod worker;
