//! The engine on RabbitMQ.

mod settings;

pub use self::settings::{DELAY_TIERS, Node, Settings, Tls};
