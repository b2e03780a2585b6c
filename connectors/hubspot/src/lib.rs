#![doc = include_str!("../README.md")]

mod call;
mod connector;
mod contact;
mod error;
mod properties;
mod record;
mod settings;

pub use connector::HubSpotConnector;
pub use settings::{OnExistingContact, Settings};
