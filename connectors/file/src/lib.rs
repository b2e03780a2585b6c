#![doc = include_str!("../README.md")]

mod connector;
mod error;
mod settings;
mod write;

pub use connector::FileConnector;
pub use settings::Settings;
