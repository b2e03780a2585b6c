//! All services in one process, on the embedded queue.
//!
//! Invariant: services stop in the order in which leads flow, so that what one hands on is still taken by the next, and the
//! queue closes last. A service that ends without being asked ends the process, which drains and says who it was.

mod services;

use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{DestinationConfig, Loaded};
use leadrelay_shared::queue::{Queue, embedded};
use leadrelay_shared::service::{Ctx, RunError, State, Status, Stop};
use leadrelay_shared::worker::ConnectorEntry;

use crate::connectors::connector;
use services::{Ended, Services};

/// The part under which the process as a whole says how it is.
const PROCESS: &str = "process";

/// The order in which services stop: those that accept, that route, that deliver, that record.
const STAGES: usize = 4;

/// How often a queue is tried whose disk is full or fails.
const OPEN_EVERY: Duration = Duration::from_secs(1);

/// A running relay. Dropping it stops it at once, which loses nothing but leaves work undone.
#[derive(Debug)]
pub struct Relay {
    /// What the services were given. Its stop reaches all of them at once.
    pub ctx: Ctx,
    stages: [Stop; STAGES],
    services: Services,
}

impl Relay {
    /// Opens the queue, waiting for a disk that is full, and starts every service. They come up on their own:
    /// [`ready`](Self::ready) waits for them. Dropped while it waits, it has started nothing.
    ///
    /// # Errors
    /// When the data directory or the queue in it cannot be used.
    pub async fn start(loaded: Loaded, clock: Clock) -> Result<Self, RunError> {
        let workers = workers(&loaded)?;
        let queue = open_queue(&loaded, &clock).await?;
        let ctx = Ctx { loaded: Arc::new(loaded), clock, queue, stop: Stop::default(), status: Status::default() };
        let stages: [Stop; STAGES] = std::array::from_fn(|_| ctx.stop.child());
        let mut services = Services::default();
        let of_stage = |stage: usize| Ctx { stop: stages[stage].clone(), ..ctx.clone() };
        services.spawn("ingest", 0, stages[0].clone(), leadrelay_ingest::run(of_stage(0)));
        services.spawn("router", 1, stages[1].clone(), leadrelay_router::run(of_stage(1)));
        for (name, connector) in workers {
            services.spawn(&format!("deliver.{name}"), 2, stages[2].clone(), (connector.run)(of_stage(2), name));
        }
        services.spawn("ledger", 3, stages[3].clone(), leadrelay_ledger::run(of_stage(3)));
        ctx.status.set(PROCESS, State::Ready);
        Ok(Self { ctx, stages, services })
    }

    /// Waits until every service works; the ledger, without which leads flow, need only have said how it is.
    ///
    /// # Errors
    /// When one of them ended instead.
    pub async fn ready(&self) -> Result<(), RunError> {
        let parts: Vec<&str> = self.services.names().collect();
        tokio::select! {
            () = self.ctx.status.ready(&parts) => Ok(()),
            error = self.failed() => Err(error),
        }
    }

    /// Waits until a service has ended that was not asked to, and names it. Services that end as asked are not failures.
    pub async fn failed(&self) -> RunError {
        let Ended { name, failure, .. } = self.services.unasked().await;
        RunError::Other(match failure {
            Some(reason) => format!("{name} ended unexpectedly: {reason}"),
            None => format!("{name} ended unexpectedly"),
        })
    }

    /// Accepts nothing new, lets every service finish what is in flight, in the order in which leads flow, and closes the
    /// queue. May be called again.
    ///
    /// # Errors
    /// The first failure of a service, although all of them have ended.
    pub async fn drain(&self) -> Result<(), RunError> {
        self.ctx.status.set(PROCESS, State::Blocked("draining".to_owned()));
        for (stage, stop) in self.stages.iter().enumerate() {
            stop.drain();
            self.services.ended(stage).await;
        }
        self.ctx.stop.drain();
        self.ctx.queue.close().await;
        match self.services.first_failure() {
            Some(Ended { name, failure: Some(reason), asked: true, .. }) => {
                Err(RunError::Other(format!("{name} did not stop as it should: {reason}")))
            }
            Some(Ended { name, failure, .. }) => {
                let reason = failure.map(|r| format!(": {r}")).unwrap_or_default();
                Err(RunError::Other(format!("{name} ended unexpectedly{reason}")))
            }
            None => Ok(()),
        }
    }

    /// Stops every service at once: what is in flight goes back to the queue. [`drain`](Self::drain) still waits for the end.
    pub fn stop_now(&self) {
        self.ctx.stop.now();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop_now();
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

/// Opens the queue. A disk that is full or fails is waited for: that it was started again makes no room, and neither would
/// ending. Whoever has enough of waiting drops this.
async fn open_queue(loaded: &Loaded, clock: &Clock) -> Result<Queue, RunError> {
    let dir = loaded.data_dir();
    crate::secrets::private_dir(&dir)
        .map_err(|e| RunError::Other(format!("the data directory {} cannot be made: {e}", dir.display())))?;
    let limits = &loaded.config.queue;
    let settings =
        embedded::Settings { dir: dir.join("queue"), max_size: limits.max_size.0, min_free: limits.min_free.0 };
    let mut told = false;
    loop {
        match Queue::embedded(settings.clone(), clock.clone()) {
            Ok(queue) => return Ok(queue),
            Err(error) if error.is_of_disk() => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, "the queue cannot be opened; until it can, which is tried every second, no lead is taken");
                }
            }
            Err(error) => return Err(RunError::Other(error.to_string())),
        }
        clock.sleep(OPEN_EVERY).await;
    }
}
