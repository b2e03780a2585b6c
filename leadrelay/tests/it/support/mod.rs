//! What the end-to-end tests share.

pub mod partner;
pub mod poster;
pub mod process;
pub mod world;
