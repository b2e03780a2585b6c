//! How far a long act has come, for those who look on.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what is done, and what was refused.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    done: AtomicU64,
    refused: AtomicU64,
}

impl Progress {
    pub(crate) fn done(&self, more: u64) {
        self.done.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, more: u64) {
        self.refused.fetch_add(more, Ordering::Relaxed);
    }

    /// Done, and refused.
    pub(crate) fn so_far(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}
