//! Deliveries to destinations that are no longer configured. Nobody takes them, so the ledger parks them, where a person sees them
//! and may add the destination again or erase them.
//!
//! On RabbitMQ other processes may run by a newer configuration than this one, in which the destination is new. So it counts as
//! removed only when its deliveries have waited, with nobody taking them, at every look for ten minutes, and it is not paused.

use std::collections::BTreeMap;
use std::time::Duration;

use leadrelay_shared::delivery::{Delivery, ParkReason};
use leadrelay_shared::queue::{Claim, QueueError, Topic};
use leadrelay_shared::service::Ctx;
use leadrelay_shared::worker;

use crate::store::{Store, StoreError};

const EVERY: Duration = Duration::from_mins(1);
/// Looks at which deliveries must have waited.
const LOOKS: u32 = 10;
/// Deliveries parked at once.
const BATCH: usize = 16;

/// Why it is not known what waits, or not parked.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Looks again and again.
pub(crate) async fn run(ctx: &Ctx, store: &Store) {
    let mut looks = BTreeMap::new();
    loop {
        if let Err(error) = look(ctx, store, &mut looks).await {
            // What was not looked at has not been seen to wait.
            looks.clear();
            tracing::debug!(%error, "it is not known what waits for destinations that were removed");
        }
        ctx.clock.sleep(EVERY).await;
    }
}

/// Counts at how many looks deliveries have waited for each, and parks what has waited at enough of them.
async fn look(ctx: &Ctx, store: &Store, looks: &mut BTreeMap<String, u32>) -> Result<(), Trouble> {
    let (mut known, paused) = (store.destinations_of_deliveries().await?, store.destinations().await?);
    let by_hand = store.paused().await?;
    known.retain(|name| !ctx.config().destinations.contains_key(name));
    known.retain(|name| !by_hand.contains_key(name) && paused.get(name).is_none_or(|row| row.failing.is_none()));
    let mut waiting = BTreeMap::new();
    for name in known {
        if ctx.queue.unattended(Topic::deliver(&name).name()).await? > 0 {
            let seen = looks.get(&name).copied().unwrap_or(0) + 1;
            waiting.insert(name, seen);
        }
    }
    *looks = waiting;
    for name in looks.iter().filter(|(_, seen)| **seen >= LOOKS).map(|(name, _)| name) {
        let parked = park(ctx, name).await?;
        tracing::warn!(
            destination.name = name,
            parked,
            "a destination is no longer configured; its deliveries are parked"
        );
    }
    Ok(())
}

/// Parks all that waits for it now; how many.
async fn park(ctx: &Ctx, name: &str) -> Result<u64, QueueError> {
    let topic = Topic::deliver(name);
    let (mut claims, mut parked) = (ctx.queue.claims(&topic), 0);
    let mut left = ctx.queue.unattended(topic.name()).await?;
    while left > 0 {
        let claimed = tokio::select! {
            claimed = claims.next(BATCH.min(usize::try_from(left).unwrap_or(BATCH))) => claimed?,
            // Somebody takes them after all.
            () = ctx.clock.sleep(EVERY) => break,
        };
        for claim in claimed {
            left = left.saturating_sub(1);
            settle(ctx, claim).await?;
            parked += 1;
        }
    }
    Ok(parked)
}

async fn settle(ctx: &Ctx, claim: Claim<Delivery>) -> Result<(), QueueError> {
    let reason = ParkReason::NoDestination { destination: claim.body().destination.clone() };
    let messages = worker::park(claim.body(), 0, reason, ctx.clock.now());
    claim.settle(messages).await
}
