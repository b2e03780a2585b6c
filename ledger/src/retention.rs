//! Forgets what is older than the configuration lets the ledger keep, and seals again what is not sealed with the first key, a little
//! at a time.

use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::service::Ctx;

use crate::store::{Resealing, Store, StoreError};

const EVERY: Duration = Duration::from_secs(600);

/// Forgets and seals again and again.
pub(crate) async fn run(ctx: &Ctx, store: &Store) {
    let mut told = None;
    loop {
        if let Err(error) = pass(ctx, store).await {
            tracing::warn!(%error, "old history is kept for now");
        }
        if let Err(error) = seal(store, &mut told).await {
            tracing::warn!(%error, "payloads are not sealed again for now");
        }
        ctx.clock.sleep(EVERY).await;
    }
}

/// Forgets everything that is old now. Between its steps others may write.
async fn pass(ctx: &Ctx, store: &Store) -> Result<(), StoreError> {
    let keep = &ctx.config().ledger;
    let (mut payloads, mut leads) = (0, 0);
    let before = age(ctx.clock.now(), keep.keep_payloads.0);
    loop {
        let step = store.forget_payloads(before).await?;
        payloads += step.leads;
        if !step.more {
            break;
        }
    }
    let before = age(ctx.clock.now(), keep.keep_history.0);
    loop {
        let step = store.forget_history(before).await?;
        leads += step.leads;
        if !step.more {
            break;
        }
    }
    while store.give_back_room().await? {}
    if payloads + leads > 0 {
        tracing::info!(payloads, leads, "old payloads and old leads were forgotten");
    }
    Ok(())
}

/// Seals everything with the first key, and tells what is left under others where that is not known yet: `told`.
async fn seal(store: &Store, told: &mut Option<u64>) -> Result<(), StoreError> {
    let mut so_far = Resealing::default();
    while !so_far.done {
        so_far = store.seal_again(so_far).await?;
    }
    let Some(left) = store.sealed_otherwise().await? else { return Ok(()) };
    if so_far.sealed > 0 || *told != Some(left) {
        *told = Some(left);
        let (sealed, broken) = (so_far.sealed, so_far.broken);
        match left {
            0 => tracing::info!(
                sealed,
                "every payload is sealed with the first key of ledger.payload_key; no other line of it is needed for them"
            ),
            _ => tracing::warn!(
                sealed,
                left,
                broken,
                "some payloads are not sealed with the first key of ledger.payload_key: their keys are not among its lines, or they \
                 cannot be opened"
            ),
        }
    }
    Ok(())
}

fn age(now: Timestamp, age: Duration) -> Timestamp {
    now.checked_sub(age).unwrap_or(Timestamp::MIN)
}
