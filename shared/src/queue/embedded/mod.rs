//! The embedded engine: SQLite, one writer thread, group commit.
//!
//! Every call becomes an op for the writer, which alone has the database open. It takes all ops that wait, puts them into one
//! transaction, and answers them when that is on disk. One process owns the files, so claims need not be kept on disk: all of
//! them are void at the next start. What is in memory grows with the messages claimed, never with those that wait.
//!
//! A delay is at most 30 days; a longer one is cut to that.
//!
//! To copy the files while they are in use, let SQLite do it (`VACUUM INTO`, `.backup`) or take a snapshot of the disk.
//! `queue.db` and `queue.db-wal` copied one after the other may not belong together.

mod books;
mod claims;
mod op;
mod shelf;
mod space;
mod store;
mod time;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

pub(super) use self::claims::{Claims, Handle, settle};
use self::op::{GivenBack, NewRow, Op, Publish, Shared};
pub use self::space::free_bytes;
pub use self::store::OpenError;
use self::writer::Writer;
use super::{Health, Message, QueueError, TopicStats};
use crate::clock::Clock;

/// Ops that may wait for the writer; more wait at their callers.
const OPS_WAITING: usize = 1024;
/// The most bytes of one message's body.
const LARGEST_BODY: usize = 64 << 20;
const WRITER_ENDED: &str = "the queue's writer ended before it answered";

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

/// The engine; clones share it. When the last of them and of its claims is gone, it closes by itself.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
}

impl Engine {
    pub(super) fn open(settings: Settings, clock: Clock) -> Result<Self, OpenError> {
        space::survive_file_size_limit();
        let lock = store::lock(&settings.dir)?;
        let given_back = Arc::new(GivenBack::default());
        let health = watch::Sender::new(Health::Ready);
        let closed = watch::Sender::new(false);
        let (ops, todo) = mpsc::channel(OPS_WAITING);
        let shared = Arc::new(Shared {
            ops,
            given_back: given_back.clone(),
            clock: clock.clone(),
            health: health.subscribe(),
            closed: closed.subscribe(),
        });
        let kept = Arc::new(settings.clone());
        let writer = Writer::open(settings, clock, given_back, Arc::downgrade(&shared), health)?;
        writer::start(writer, todo, lock, closed)?;
        Ok(Self { shared, settings: kept })
    }

    pub(super) async fn publish(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        if messages.is_empty() {
            return Ok(());
        }
        let rows = rows(&self.shared.clock, messages)?;
        let (answer, answered) = oneshot::channel();
        self.send(Op::Publish(Publish { rows, answer })).await?;
        answered.await.unwrap_or_else(|_| Err(QueueError::Unknown(WRITER_ENDED.to_owned())))
    }

    pub(super) fn claims(&self, topic: &Arc<str>) -> Claims {
        Claims::new(self.clone(), topic.clone())
    }

    /// Lets everything be claimed, due or not, and takes nothing more.
    pub(super) async fn leave(&self) -> Result<(), QueueError> {
        self.send(Op::Leave).await
    }

    pub(super) async fn stats(&self) -> Result<Vec<TopicStats>, QueueError> {
        let (answer, answered) = oneshot::channel();
        self.send(Op::Stats(answer)).await?;
        answered.await.map_err(|_| QueueError::Closed)
    }

    /// Bytes of its files, and the most that they may take.
    pub(super) fn size(&self) -> (u64, u64) {
        let bytes = |name| std::fs::metadata(self.settings.dir.join(name)).map_or(0, |file| file.len());
        (bytes("queue.db") + bytes("queue.db-wal"), self.settings.max_size)
    }

    /// What can be claimed from a topic: whoever claims here takes it at once.
    pub(super) async fn unattended(&self, topic: &str) -> Result<u64, QueueError> {
        Ok(self.stats().await?.iter().filter(|stats| stats.topic == topic).map(|stats| stats.ready).sum())
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.clone()
    }

    pub(super) async fn close(&self) {
        // Fails when it is closed or closing already, and then there is only the end to wait for.
        let _ = self.shared.ops.send(Op::Close).await;
        let _ = self.shared.closed.clone().wait_for(|closed| *closed).await;
    }

    async fn send(&self, op: Op) -> Result<(), QueueError> {
        self.shared.ops.send(op).await.map_err(|_| QueueError::Closed)
    }
}

/// What the writer is to store, with the delays as they are now.
fn rows(clock: &Clock, messages: Vec<Message>) -> Result<Vec<NewRow>, QueueError> {
    if let Some(large) = messages.iter().find(|m| m.body.len() > LARGEST_BODY) {
        let size = large.body.len();
        return Err(QueueError::Blocked(format!(
            "a message of {size} bytes is larger than {LARGEST_BODY}, the most it takes"
        )));
    }
    let delay = |m: &Message| m.not_before.and_then(|at| time::delay_until(clock, at));
    let row =
        |m: Message| NewRow { delay: delay(&m), topic: m.topic, id: m.id, body: m.body, elements_at: m.elements_at };
    Ok(messages.into_iter().map(row).collect())
}
