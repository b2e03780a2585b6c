//! The two-stage stop: first finish what is in flight, then stop at once.

use tokio_util::sync::CancellationToken;

/// When to stop; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stop {
    /// Accept nothing new, finish what is in flight, then return.
    pub fn drain(&self) {
        self.soft.cancel();
    }

    /// Return at once. What is in flight goes back to the queue.
    pub fn now(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Waits for either stage.
    pub async fn draining(&self) {
        self.soft.cancelled().await;
    }

    /// Waits for the second stage.
    pub async fn immediate(&self) {
        self.hard.cancelled().await;
    }

    /// Whether either stage has begun.
    pub fn is_draining(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// A stop that this one also triggers, and that can be triggered by itself: for draining services one after another.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { soft: self.soft.child_token(), hard: self.hard.child_token() }
    }
}
