#![doc = include_str!("../README.md")]

mod connector;
mod error;
mod settings;
#[cfg(test)]
mod tests;

pub use connector::WebhookConnector;
pub use settings::Settings;
