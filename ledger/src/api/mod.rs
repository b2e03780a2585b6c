//! The admin API.

pub mod types;
