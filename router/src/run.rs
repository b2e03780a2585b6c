//! The plumbing: claim leads, decide, settle.
//!
//! Each lead is settled by itself, many at once: the queue commits them together, and one that cannot be settled holds up
//! no other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use leadrelay_shared::config::ConfigError;
use leadrelay_shared::lead::Lead;
use leadrelay_shared::queue::{Claim, QueueError, Topic};
use leadrelay_shared::service::{Ctx, RunError, State};
use leadrelay_shared::telemetry::{label, metrics};
use tokio::task::{JoinError, JoinSet};

use crate::outcome::{self, Settlement};
use crate::strays;
use leadrelay_shared::mapping::Rules;

/// Leads claimed at once.
const BATCH: usize = 64;
/// And never more of the largest bodies than so many bytes, over all batches.
const BATCHES_BYTES: u64 = 64 << 20;
/// Batches under way at once: while some wait for the disk, another is mapped.
const BATCHES: usize = 4;
/// How long to wait after a failed settle, doubled each time up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Routes leads until the service is stopped.
///
/// # Errors
/// When the rules cannot be compiled or the queue is closed.
pub async fn run(ctx: Ctx) -> Result<(), RunError> {
    ctx.status.set("router", State::Starting);
    let rules = Rules::compile(ctx.config())
        .map_err(|mistakes| ConfigError { file: Some(ctx.loaded.file.clone()), mistakes })
        .map_err(|error| RunError::Other(error.to_string()))?;
    tracing::info!(rules = rules.version(), "the router starts");
    let rules = Arc::new(rules);
    let mut batches = JoinSet::new();
    let outcome = tokio::select! {
        () = ctx.stop.immediate() => Ok(()),
        outcome = route_all(&ctx, &rules, &mut batches) => outcome,
        Err(error) = strays::sort(&ctx, &rules) => Err(error.into()),
    };
    // What is not settled yet goes back to the queue.
    batches.shutdown().await;
    outcome
}

/// Claims and settles until told to stop, then finishes what is claimed.
async fn route_all(ctx: &Ctx, rules: &Arc<Rules>, batches: &mut JoinSet<bool>) -> Result<(), RunError> {
    let batch = (ctx.config().ingest.bodies_within(BATCHES_BYTES) / BATCHES).clamp(1, BATCH);
    let mut claims = ctx.queue.claims(&Topic::leads()).ahead(batch * BATCHES);
    ctx.status.set("router", State::Ready);
    let mut pause = PAUSE.0;
    loop {
        let claimed = tokio::select! {
            biased;
            () = ctx.stop.draining() => break,
            Some(done) = batches.join_next() => {
                pause = rest(ctx, done, pause).await;
                continue;
            }
            claimed = claims.next(batch), if batches.len() < BATCHES => claimed,
        };
        match claimed {
            Ok(claims) => drop(batches.spawn(settle_batch(ctx.clone(), rules.clone(), claims))),
            Err(_) if ctx.stop.is_draining() => break,
            Err(error) => return Err(error.into()),
        }
    }
    while batches.join_next().await.is_some() {}
    Ok(())
}

/// After a batch that could not be settled, waits, so that a queue that is blocked is not hammered.
/// Returns how long to wait the next time.
async fn rest(ctx: &Ctx, done: Result<bool, JoinError>, pause: Duration) -> Duration {
    if done.unwrap_or(false) {
        ctx.status.set("router", State::Ready);
        return PAUSE.0;
    }
    ctx.status.set("router", State::Blocked("the queue does not take what leads lead to".to_owned()));
    tokio::select! {
        () = ctx.clock.sleep(pause) => {}
        () = ctx.stop.draining() => {}
    }
    (pause * 2).min(PAUSE.1)
}

/// Settles every lead of a batch; whether all of them could be.
async fn settle_batch(ctx: Ctx, rules: Arc<Rules>, claims: Vec<Claim<Lead>>) -> bool {
    let mut settling = Vec::with_capacity(claims.len());
    for claim in claims {
        let settlement = outcome::settle(&rules, claim.body(), claim.redelivered(), ctx.clock.now());
        settling.push(settle(claim, settlement));
        // Mapping is work, and this thread has other services to serve.
        tokio::task::yield_now().await;
    }
    let failures: Vec<QueueError> = join_all(settling).await.into_iter().filter_map(Result::err).collect();
    if let Some(error) = failures.first() {
        tracing::warn!(%error, leads = failures.len(), "leads could not be settled; they will come again");
    }
    failures.is_empty()
}

async fn settle(claim: Claim<Lead>, settlement: Settlement) -> Result<(), QueueError> {
    let lead = claim.body().id;
    let Settlement { messages, routed, parked } = settlement;
    claim.settle(messages).await?;
    tracing::debug!(lead.id = %lead, deliveries = routed.len(), "routed");
    for destination in routed {
        metrics().routed.add(1, &[label("destination", destination)]);
    }
    if let Some(reason) = parked {
        tracing::info!(lead.id = %lead, reason, "parked");
        metrics().parked.add(1, &[label("reason", reason)]);
    }
    Ok(())
}
