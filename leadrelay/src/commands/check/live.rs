//! `leadrelay check --live`: the broker and each destination asked once, and the routes held against the fields that it has.

use std::fmt;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Mistake, unfit};
use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::queue::amqp::{Examined, examine};
use serde::Serialize;

use crate::connectors::connector;

/// What one destination answered.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    destination: String,
    /// How many fields it told; 0 where it takes any.
    fields: usize,
    /// Why it could not be asked, or refused.
    pub(super) error: Option<DeliveryError>,
    /// What of the routes does not fit its fields.
    #[serde(skip)]
    pub(super) mistakes: Vec<Mistake>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error, self.fields) {
            (Some(error), _) => write!(f, "{}: {}: {error}", self.destination, error.kind.as_str()),
            (None, 0) => write!(f, "{}: answers, and takes any field", self.destination),
            (None, n) => write!(f, "{}: answers, and told its {n} fields", self.destination),
        }
    }
}

/// Asks every node of the broker, where the queue is one.
pub(super) async fn brokers(loaded: &Loaded) -> Vec<Examined> {
    match loaded.broker("leadrelay-check") {
        Some(settings) => examine(&settings).await,
        None => Vec::new(),
    }
}

/// Asks every destination, one after the other.
pub(super) async fn ask(loaded: &Loaded, clock: &Clock) -> Vec<Told> {
    let mut told = Vec::new();
    for (name, destination) in &loaded.config.destinations {
        let Some(connector) = connector(&destination.common.connector) else { continue };
        let answer = (connector.check)(loaded.clone(), clock.clone(), name.clone()).await;
        told.push(match answer {
            Ok(fields) => {
                let mistakes = unfit(&loaded.config.routes, name, &fields);
                Told { destination: name.clone(), fields: fields.0.len(), error: None, mistakes }
            }
            Err(error) => Told { destination: name.clone(), fields: 0, error: Some(error), mistakes: Vec::new() },
        });
    }
    told
}
