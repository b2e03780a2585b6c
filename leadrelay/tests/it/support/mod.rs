//! What the end-to-end tests share.

pub mod poster;
pub mod process;
pub mod world;
