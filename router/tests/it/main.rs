//! The router from outside: rules on leads, mistakes in rules, and the service on a queue.

mod bounds;
mod golden;
mod mistakes;
mod pipeline;
mod properties;
mod support;
