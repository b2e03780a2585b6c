#![doc = include_str!("../README.md")]

mod call;
mod connector;
mod duplicate;
mod error;
mod login;
mod metadata;
mod options;
mod record;
mod settings;

pub use connector::DynamicsConnector;
pub use settings::{Cloud, OnDuplicate, Settings};
