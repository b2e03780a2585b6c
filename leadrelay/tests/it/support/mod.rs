//! What the end-to-end tests share.

pub(crate) mod chance;
pub(crate) mod crms;
pub(crate) mod partner;
pub(crate) mod poster;
pub(crate) mod process;
pub(crate) mod service;
pub(crate) mod world;
