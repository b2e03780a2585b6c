#![doc = include_str!("../README.md")]

mod connector;
mod error;
mod settings;
mod sign;
#[cfg(test)]
mod tests;

pub use connector::WebhookConnector;
pub use settings::Settings;
