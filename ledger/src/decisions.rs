//! What operators have decided: kept in the store, told to every process.
//!
//! Invariant: what is told is read from the store under one lock, so an older decision is never told after a newer one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::control::Control;
use leadrelay_shared::queue::Queue;
use leadrelay_shared::service::Ctx;
use tokio::sync::Mutex;

use crate::store::{Store, StoreError};

const EVERY: Duration = Duration::from_secs(5);
/// How long workers are told of an erased lead: longer than a lead waits for a destination that somebody paused.
const ERASED_FOR: Duration = Duration::from_hours(90 * 24);
/// The most of them that are told; the latest.
const ERASED_MAX: usize = 20_000;

/// Tells the decisions; clones share one voice.
#[derive(Clone, Debug)]
pub(crate) struct Decisions {
    store: Store,
    queue: Queue,
    clock: Clock,
    /// What operators asked for at once. Not kept: a relay that starts tries and checks by itself.
    asked: Arc<Mutex<Asked>>,
}

/// When operators asked for what, by destination.
#[derive(Debug, Default)]
struct Asked {
    try_now: BTreeMap<String, Timestamp>,
    check_now: BTreeMap<String, Timestamp>,
}

impl Decisions {
    pub(crate) fn new(ctx: &Ctx, store: Store) -> Self {
        Self { store, queue: ctx.queue.clone(), clock: ctx.clock.clone(), asked: Arc::default() }
    }

    pub(crate) async fn pause(&self, destination: &str, reason: String) -> Result<(), StoreError> {
        self.store.pause(destination.to_owned(), reason, self.clock.now()).await?;
        self.tell().await
    }

    /// Ends a pause by hand, and has the destination tried at once if it paused by itself.
    pub(crate) async fn resume(&self, destination: &str) -> Result<(), StoreError> {
        self.store.resume(destination.to_owned()).await?;
        self.asked.lock().await.try_now.insert(destination.to_owned(), self.clock.now());
        self.tell().await
    }

    /// Has a destination asked for its fields at once.
    pub(crate) async fn check(&self, destination: &str) -> Result<(), StoreError> {
        self.asked.lock().await.check_now.insert(destination.to_owned(), self.clock.now());
        self.tell().await
    }

    /// Tells all decisions in force.
    pub(crate) async fn tell(&self) -> Result<(), StoreError> {
        let asked = self.asked.lock().await;
        let paused = self.store.paused().await?;
        let since = self.clock.now().checked_sub(ERASED_FOR).unwrap_or(Timestamp::MIN);
        let erased = self.store.erased_since(since, ERASED_MAX).await?;
        let (try_now, check_now) = (asked.try_now.clone(), asked.check_now.clone());
        self.queue.publish_control(Control { paused, erased, try_now, check_now });
        Ok(())
    }

    /// Tells them again and again, for those who have just started.
    pub(crate) async fn keep_telling(&self) {
        loop {
            if let Err(error) = self.tell().await {
                tracing::error!(%error, "what operators have decided cannot be read; those who know it keep to it");
            }
            self.clock.sleep(EVERY).await;
        }
    }
}
