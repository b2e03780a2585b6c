#![doc = include_str!("../README.md")]

mod call;
mod connector;
mod describe;
mod error;
mod instance;
mod login;
mod lookup;
mod record;
mod settings;
mod setup;
mod write;

pub use connector::SalesforceConnector;
pub use settings::{AssignmentRule, OnDuplicate, Settings, Write};
pub use setup::{Setup, Step};
