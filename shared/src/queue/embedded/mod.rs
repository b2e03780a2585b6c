//! The embedded engine: SQLite, one writer thread, group commit.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::{Health, Message, QueueError, RawClaim, TopicStats};
use crate::clock::Clock;

/// How to open the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory that holds the database.
    pub dir: PathBuf,
    /// The most bytes that the database may take.
    pub max_size: u64,
    /// The bytes that must be left on the disk.
    pub min_free: u64,
}

/// Why the engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// In words, with the remedy.
    #[error("{0}")]
    Other(String),
}

/// The engine; clones share it.
#[derive(Clone, Debug)]
pub struct Engine {}

impl Engine {
    pub(super) fn open(_settings: Settings, _clock: Clock) -> Result<Self, OpenError> {
        Ok(Self {})
    }
    pub(super) async fn publish(&self, _messages: Vec<Message>) -> Result<(), QueueError> {
        Err(QueueError::Closed)
    }
    pub(super) fn claims(&self, _topic: &Arc<str>) -> Claims {
        Claims {}
    }
    pub(super) async fn stats(&self) -> Result<Vec<TopicStats>, QueueError> {
        Err(QueueError::Closed)
    }
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        watch::Sender::new(Health::Ready).subscribe()
    }
    pub(super) async fn close(&self) {}
}

#[derive(Debug)]
pub(super) struct Claims {}

impl Claims {
    pub(super) async fn next(&mut self, _max: usize) -> Result<Vec<RawClaim>, QueueError> {
        Err(QueueError::Closed)
    }
}

#[derive(Debug)]
pub(super) struct Handle {}

impl Handle {
    pub(super) fn set_aside(self) {}
}

pub(super) async fn settle(_handles: Vec<Handle>, _outputs: Vec<Message>) -> Result<(), QueueError> {
    Err(QueueError::Closed)
}
