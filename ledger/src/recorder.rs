//! Claims events and parked messages in batches, records each batch in one transaction, and settles it.
//!
//! Invariant: a message is settled only after what it says is durable. While the store cannot be written, the batch in hand is
//! held, everything else waits in the queue, and leads flow on.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::delivery::Parked;
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::queue::{Claim, Claims, Handle, QueueError, Topic, settle_all};
use leadrelay_shared::service::{Ctx, LEDGER as PART, RunError, State};
use tokio::time::timeout;

use crate::store::Store;

/// The most messages of a batch. Under load each of them tells many facts.
const EVENTS: usize = 128;
const PARKED: usize = 50;
/// Batches that come over a network while one is recorded.
const BATCHES_AHEAD: usize = 2;
/// Either may carry a whole body, and a batch of the largest bodies stays within this many bytes.
const BATCH_BYTES: u64 = 64 << 20;
/// After a batch of fewer than `FEW` facts so long is waited for a larger one: each costs a commit here and two in the queue. It is a
/// matter of the machine and not of the leads, and so not of the clock that tests move.
const FEW: usize = 250;
const GATHER: Duration = Duration::from_millis(25);
/// How long the other half is waited for: both are granted by one step of the queue, so it is there already or was recorded
/// before.
const TOGETHER: Duration = Duration::from_millis(50);
/// How long the last messages are waited for at a stop: a queue whose disk fails hands out nothing.
const LAST_WAIT: Duration = Duration::from_secs(2);
pub(crate) const RETRY_FIRST: Duration = Duration::from_secs(1);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(30);
/// Batches that are still recorded when the service is asked to stop.
const LAST_BATCHES: usize = 40;

struct Recorder {
    ctx: Ctx,
    store: Store,
    events: Claims<Vec<Event>>,
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
    let events = ctx.queue.claims(&Topic::events()).ahead(at_most(&ctx, EVENTS) * BATCHES_AHEAD);
    let parked = ctx.queue.claims(&Topic::parked()).ahead(at_most(&ctx, PARKED) * BATCHES_AHEAD);
    ctx.status.set(PART, State::Ready);
    let stop = ctx.stop.clone();
    let mut recorder = Recorder { ctx, store, events, parked };
    loop {
        let batch = tokio::select! {
            biased;
            () = stop.draining() => break,
            batch = recorder.next() => batch?,
        };
        let few = batch.events.len() + batch.parked.len() < FEW;
        recorder.record(batch).await?;
        if few {
            tokio::select! {
                () = stop.draining() => {}
                () = tokio::time::sleep(GATHER) => {}
            }
        }
    }
    for _ in 0..LAST_BATCHES {
        if !recorder.waiting().await {
            break;
        }
        let clock = recorder.ctx.clock.clone();
        let batch = tokio::select! {
            batch = recorder.next() => batch?,
            () = clock.sleep(LAST_WAIT) => break,
        };
        if !recorder.record(batch).await? {
            break;
        }
    }
    Ok(())
}

impl Recorder {
    /// What is parked and the fact that it is are published together; they are recorded together too, so that nobody is told
    /// of a lead that waits and then does not find it in the list.
    async fn next(&mut self) -> Result<Batch, QueueError> {
        let (most_events, most_parked) = (at_most(&self.ctx, EVENTS), at_most(&self.ctx, PARKED));
        let mut events = pin!(self.events.next(most_events));
        let mut parked = pin!(self.parked.next(most_parked));
        let (told, waiting) = tokio::select! {
            told = &mut events => {
                let told = told?;
                let parks = told.iter().flat_map(Claim::body).any(|event| tells_of_parking(&event.fact));
                let waiting = if parks { timeout(TOGETHER, parked).await.ok().transpose()? } else { None };
                (told, waiting.unwrap_or_default())
            }
            waiting = &mut parked => {
                let waiting = waiting?;
                (timeout(TOGETHER, events).await.ok().transpose()?.unwrap_or_default(), waiting)
            }
        };
        let (told, mut handles) = parts(told);
        let (parked, more) = parts(waiting);
        handles.extend(more);
        Ok(Batch { events: told.into_iter().flatten().collect(), parked: parked.into(), handles })
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

/// `most`, or as many of the largest bodies as are held at once.
fn at_most(ctx: &Ctx, most: usize) -> usize {
    ctx.config().ingest.bodies_within(BATCH_BYTES).min(most)
}

fn tells_of_parking(fact: &Fact) -> bool {
    matches!(fact, Fact::Parked { .. } | Fact::Quarantined { .. } | Fact::Unmatched { .. })
}

fn parts<T>(claims: Vec<Claim<T>>) -> (Vec<T>, Vec<Handle>) {
    claims
        .into_iter()
        .map(|claim| {
            let (envelope, handle) = claim.into_parts();
            (envelope.body, handle)
        })
        .unzip()
}
