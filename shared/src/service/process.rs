//! The services of one process, on one queue.
//!
//! Invariant: services stop in the order in which leads flow, so that what one hands on is still taken by the next, and the
//! queue closes last. A service that ends without being asked ends the process, which drains and says who it was.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::services::{Ended, Services};
use super::{Ctx, RunError, State, Status, Stop, health, open_queue};
use crate::account::Accounts;
use crate::clock::Clock;
use crate::config::Loaded;

/// The part under which the process as a whole says how it is.
const PROCESS: &str = "process";

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A service to run.
pub struct Part {
    name: String,
    stage: usize,
    run: Box<dyn FnOnce(Ctx) -> Boxed<Result<(), RunError>> + Send>,
}

impl Part {
    /// A service by the name under which it says how it is. Those of a lower stage stop before those of a higher one.
    pub fn new<F>(name: impl Into<String>, stage: usize, run: impl FnOnce(Ctx) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), RunError>> + Send + 'static,
    {
        Self { name: name.into(), stage, run: Box::new(move |ctx| Box::pin(run(ctx))) }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({}, {})", self.name, self.stage)
    }
}

/// Running services. Dropping it stops them at once, which loses nothing but leaves work undone.
#[derive(Debug)]
pub struct Process {
    /// What the services were given. Its stop reaches all of them at once.
    pub ctx: Ctx,
    stages: Vec<Stop>,
    services: Services,
}

impl Process {
    /// Opens the queue, waiting for a disk that is full, and starts every service. They come up on their own:
    /// [`ready`](Self::ready) waits for them. Dropped while it waits, it has started nothing. `name` is what its connections
    /// are called.
    ///
    /// # Errors
    /// When the data directory or the queue in it cannot be used.
    pub async fn start(name: &str, loaded: Loaded, clock: Clock, parts: Vec<Part>) -> Result<Self, RunError> {
        let queue = open_queue(name, &loaded, &clock).await?;
        let ctx = Ctx {
            loaded: Arc::new(loaded),
            clock,
            queue,
            accounts: Accounts::default(),
            stop: Stop::default(),
            status: Status::default(),
        };
        let last = parts.iter().map(|part| part.stage).max().unwrap_or_default();
        let stages: Vec<Stop> = (0..=last).map(|_| ctx.stop.child()).collect();
        let mut services = Services::default();
        for Part { name, stage, run } in parts {
            let stop = &stages[stage];
            services.spawn(&name, stage, stop.clone(), run(Ctx { stop: stop.clone(), ..ctx.clone() }));
        }
        ctx.status.set(PROCESS, State::Ready);
        Ok(Self { ctx, stages, services })
    }

    /// Waits until every service works and leads are taken; the ledger, without which leads flow, need only have said how it
    /// is.
    ///
    /// # Errors
    /// When one of them ended instead.
    pub async fn ready(&self) -> Result<(), RunError> {
        let parts: Vec<&str> = self.services.names().collect();
        let working = async {
            self.ctx.status.ready(&parts).await;
            health::taking(&self.ctx).await;
        };
        tokio::select! {
            () = working => Ok(()),
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

impl AsRef<Process> for Process {
    fn as_ref(&self) -> &Process {
        self
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop_now();
    }
}
