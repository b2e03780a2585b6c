//! A partner: a [`Receiver`] with a face, and what leads to it.

use leadrelay_shared::delivery::Delivery;
use serde_json::{Value, json};

use crate::conformance::{HttpWorld, World};
use crate::{Receiver, Server};

/// The world of the webhook connector. Its URL holds a token, as those of many partners do.
#[derive(Debug)]
pub struct Partner {
    /// What it got.
    pub receiver: Receiver,
    /// Its face.
    pub server: Server,
}

impl Partner {
    /// What the partner and its sender share.
    pub const SECRET: &str = "whsec_cGFydG5lci1zZWNyZXQtb2YtdGhlLXRlc3RraXQ=";
    const URL_TOKEN: &str = "url-t0ken-9f2c";
    const API_KEY: &str = "key-t0ken-4b7e";

    /// A partner that keeps what it gets.
    pub async fn new() -> Self {
        Self::with(Receiver::new(Self::SECRET)).await
    }

    /// A partner that counts what it gets, for benchmarks.
    pub async fn counting() -> Self {
        Self::with(Receiver::counting(Self::SECRET)).await
    }

    async fn with(receiver: Receiver) -> Self {
        Self { receiver: receiver.clone(), server: Server::start(receiver).await }
    }

    /// Where it takes leads.
    pub fn url(&self) -> String {
        format!("{}/leads/{token}?sig={token}", self.server.url(), token = Self::URL_TOKEN)
    }
}

impl World for Partner {
    async fn start() -> Self {
        Self::new().await
    }

    fn settings(&self) -> Value {
        json!({"url": self.url(), "secret": Self::SECRET, "headers": {"x-api-key": Self::API_KEY}})
    }

    fn records(&self, delivery: &Delivery) -> usize {
        self.receiver.record(&delivery.id.to_string()).is_some().into()
    }

    fn total(&self) -> usize {
        self.receiver.ids()
    }

    fn secrets(&self) -> Vec<String> {
        [Self::SECRET, Self::URL_TOKEN, Self::API_KEY].map(str::to_owned).into()
    }
}

impl HttpWorld for Partner {
    fn server(&self) -> &Server {
        &self.server
    }
}
