//! What operators have decided: kept in the store, told to every process.
//!
//! Invariant: what is told is read from the store under one lock, so an older decision is never told after a newer one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::control::Control;
use leadrelay_shared::queue::Queue;
use leadrelay_shared::service::Ctx;
use tokio::sync::Mutex;

use crate::store::{Store, StoreError};

const EVERY: Duration = Duration::from_secs(5);

/// Tells the decisions; clones share one voice.
#[derive(Clone, Debug)]
pub(crate) struct Decisions {
    store: Store,
    queue: Queue,
    clock: Clock,
    voice: Arc<Mutex<()>>,
}

impl Decisions {
    pub(crate) fn new(ctx: &Ctx, store: Store) -> Self {
        Self { store, queue: ctx.queue.clone(), clock: ctx.clock.clone(), voice: Arc::default() }
    }

    pub(crate) async fn pause(&self, destination: &str, reason: String) -> Result<(), StoreError> {
        self.store.pause(destination.to_owned(), reason, self.clock.now()).await?;
        self.tell().await
    }

    pub(crate) async fn resume(&self, destination: &str) -> Result<(), StoreError> {
        self.store.resume(destination.to_owned()).await?;
        self.tell().await
    }

    /// Tells all decisions in force.
    pub(crate) async fn tell(&self) -> Result<(), StoreError> {
        let _voice = self.voice.lock().await;
        let paused = self.store.paused().await?;
        self.queue.publish_control(Control { paused, erased: BTreeSet::new() });
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
