//! Forgets what is older than the configuration lets the ledger keep, a little at a time.

use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::service::Ctx;

use crate::store::{Store, StoreError};

const EVERY: Duration = Duration::from_secs(600);

/// Forgets again and again.
pub(crate) async fn run(ctx: &Ctx, store: &Store) {
    loop {
        if let Err(error) = pass(ctx, store).await {
            tracing::warn!(%error, "old history is kept for now");
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

fn age(now: Timestamp, age: Duration) -> Timestamp {
    now.checked_sub(age).unwrap_or(Timestamp::MIN)
}
