//! Claims events and parked messages in batches, records each batch in one transaction, and settles it.
//!
//! Invariant: a message is settled only after what it says is durable. While the store cannot be written, the batch in hand is
//! held, everything else waits in the queue, and leads flow on.

use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::delivery::Parked;
use leadrelay_shared::event::Event;
use leadrelay_shared::queue::{Claim, Claims, Handle, QueueError, Topic, settle_all};
use leadrelay_shared::service::{Ctx, LEDGER as PART, RunError, State};

use crate::store::Store;

const EVENTS: usize = 500;
/// Parked messages carry whole bodies.
const PARKED: usize = 50;
pub(crate) const RETRY_FIRST: Duration = Duration::from_secs(1);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(30);
/// Batches that are still recorded when the service is asked to stop.
const LAST_BATCHES: usize = 40;

struct Recorder {
    ctx: Ctx,
    store: Store,
    events: Claims<Event>,
    parked: Claims<Parked>,
}

/// What is recorded at once.
struct Batch {
    events: Arc<[Event]>,
    parked: Arc<[Parked]>,
    handles: Vec<Handle>,
}

/// Records until the service is asked to stop, and then what the other services have just said.
pub(crate) async fn run(ctx: Ctx, store: Store) -> Result<(), RunError> {
    let events = ctx.queue.claims(&Topic::events());
    let parked = ctx.queue.claims(&Topic::parked());
    ctx.status.set(PART, State::Ready);
    let stop = ctx.stop.clone();
    let mut recorder = Recorder { ctx, store, events, parked };
    loop {
        let batch = tokio::select! {
            biased;
            () = stop.draining() => break,
            batch = recorder.next() => batch?,
        };
        recorder.record(batch).await?;
    }
    for _ in 0..LAST_BATCHES {
        if !recorder.waiting().await {
            break;
        }
        let batch = recorder.next().await?;
        if !recorder.record(batch).await? {
            break;
        }
    }
    Ok(())
}

impl Recorder {
    async fn next(&mut self) -> Result<Batch, QueueError> {
        tokio::select! {
            claims = self.events.next(EVENTS) => {
                let (events, handles) = parts(claims?);
                Ok(Batch { events, parked: Arc::default(), handles })
            }
            claims = self.parked.next(PARKED) => {
                let (parked, handles) = parts(claims?);
                Ok(Batch { events: Arc::default(), parked, handles })
            }
        }
    }

    /// Whether something could be claimed now.
    async fn waiting(&self) -> bool {
        let topics = self.ctx.queue.stats().await.unwrap_or_default();
        topics.iter().any(|t| t.ready > 0 && matches!(t.topic.as_str(), "events" | "parked"))
    }

    /// Records and settles a batch, and says whether it did: a stop ends the waiting for a store that cannot be written.
    async fn record(&self, batch: Batch) -> Result<bool, RunError> {
        let mut delay = RETRY_FIRST;
        while let Err(error) = self.store.record(batch.events.clone(), batch.parked.clone()).await {
            let reason = error.bland();
            tracing::error!(%error, "the history cannot be recorded; it waits in the queue and leads flow on");
            self.ctx
                .status
                .set(PART, State::Blocked(format!("history is not recorded: {reason}; it is kept in the queue")));
            tokio::select! {
                () = self.ctx.clock.sleep(delay) => {}
                () = self.ctx.stop.draining() => return Ok(false),
            }
            delay = (delay * 2).min(RETRY_MAX);
        }
        self.ctx.status.set(PART, State::Ready);
        fail::fail_point!("ledger::after_record", |_| std::process::abort());
        match settle_all(batch.handles, Vec::new()).await {
            Ok(()) => {}
            Err(QueueError::Closed) => return Err(QueueError::Closed.into()),
            Err(error) => {
                // The messages come again, and recording them again changes nothing.
                tracing::warn!(%error, "recorded events come again");
                tokio::select! {
                    () = self.ctx.clock.sleep(RETRY_FIRST) => {}
                    // A queue that cannot settle does not get better by being asked for the same again.
                    () = self.ctx.stop.draining() => return Ok(false),
                }
            }
        }
        Ok(true)
    }
}

fn parts<T>(claims: Vec<Claim<T>>) -> (Arc<[T]>, Vec<Handle>) {
    let (bodies, handles): (Vec<T>, Vec<Handle>) = claims
        .into_iter()
        .map(|claim| {
            let (envelope, handle) = claim.into_parts();
            (envelope.body, handle)
        })
        .unzip();
    (bodies.into(), handles)
}
