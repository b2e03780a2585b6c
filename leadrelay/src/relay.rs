//! All services in one process, on the queue that the configuration names.

use std::ops::Deref;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{DestinationConfig, Loaded};
use leadrelay_shared::service::{LEDGER, Part, Process, RunError};
use leadrelay_shared::worker::ConnectorEntry;

use crate::connectors::connector;

/// A running relay. Dropping it stops it at once, which loses nothing but leaves work undone.
#[derive(Debug)]
pub struct Relay(Process);

impl Deref for Relay {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl AsRef<Process> for Relay {
    fn as_ref(&self) -> &Process {
        &self.0
    }
}

impl Relay {
    /// Opens the queue and starts every service; see [`Process::start`]. Services stop in this order: those that accept, that
    /// route, that deliver, that record.
    ///
    /// # Errors
    /// When the data directory or the queue in it cannot be used.
    pub async fn start(loaded: Loaded, clock: Clock) -> Result<Self, RunError> {
        let mut parts =
            vec![Part::new("ingest", 0, leadrelay_ingest::run), Part::new("router", 1, leadrelay_router::run)];
        for (name, connector) in workers(&loaded)? {
            parts.push(Part::new(format!("deliver.{name}"), 2, move |ctx| (connector.run)(ctx, name)));
        }
        parts.push(Part::new(LEDGER, 3, leadrelay_ledger::run));
        Ok(Self(Process::start("leadrelay", loaded, clock, parts).await?))
    }
}

/// Each destination and the connector that delivers to it.
fn workers(loaded: &Loaded) -> Result<Vec<(String, ConnectorEntry)>, RunError> {
    let worker = |(name, destination): (&String, &DestinationConfig)| {
        let wanted = &destination.common.connector;
        let missing = || RunError::Other(format!("destinations.{name}: there is no connector `{wanted}`"));
        Ok((name.clone(), connector(wanted).ok_or_else(missing)?))
    };
    loaded.config.destinations.iter().map(worker).collect()
}
