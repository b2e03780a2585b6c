//! What callers ask of the writer, and what they share with it.
//!
//! Invariant: a message that was handed out is either in a live [`Handle`](super::Handle), in an op on its way to the
//! writer, or in the list of those given back; nothing on that way blocks or can fail.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::claims::Handle;
use crate::clock::Clock;
use crate::queue::{Health, QueueError, RawClaim, TopicStats};

/// How a caller learns that its op is on disk.
pub(super) type Answer = oneshot::Sender<Result<(), QueueError>>;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Op {
    Publish(Publish),
    Settle(Settle),
    Claim {
        topic: Arc<str>,
        waiting: Waiting,
    },
    Stats(oneshot::Sender<Vec<TopicStats>>),
    /// Look at what was given back.
    Look,
    /// From now on everything may be claimed, due or not, and nothing is taken.
    Leave,
    Close,
}

#[derive(Debug)]
pub(super) struct Publish {
    pub(super) rows: Vec<NewRow>,
    pub(super) answer: Answer,
}

#[derive(Debug)]
pub(super) struct Settle {
    pub(super) handles: Vec<Handle>,
    pub(super) outputs: Vec<NewRow>,
    pub(super) answer: Answer,
}

/// A consumer that waits for messages.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) max: usize,
    pub(super) answer: oneshot::Sender<Vec<RawClaim>>,
}

/// A message to be stored.
pub(super) struct NewRow {
    pub(super) topic: Arc<str>,
    pub(super) id: Uuid,
    pub(super) delay: Option<Duration>,
    pub(super) body: Bytes,
    /// Where the elements of its list begin, if it may be joined with others of its topic.
    pub(super) elements_at: Option<usize>,
}

/// Prints which message it is, and never what it says.
impl fmt::Debug for NewRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRow")
            .field("topic", &self.topic)
            .field("id", &self.id)
            .field("delay", &self.delay)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// What the engine's clones, its claims and its handles share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) ops: mpsc::Sender<Op>,
    pub(super) given_back: Arc<GivenBack>,
    pub(super) clock: Clock,
    pub(super) health: watch::Receiver<Health>,
    /// Turns true when the files are released.
    pub(super) closed: watch::Receiver<bool>,
}

impl Shared {
    /// Gives a claimed message back.
    pub(super) fn give_back(&self, seq: i64) {
        if self.given_back.push(seq) {
            // When the channel is full, the writer has ops to take and looks at the list after taking them.
            let _ = self.ops.try_send(Op::Look);
        }
    }
}

/// The messages given back and not yet seen by the writer.
#[derive(Debug, Default)]
pub(super) struct GivenBack(Mutex<Vec<i64>>);

impl GivenBack {
    /// Adds one; true when it is the first, and the writer is to be told.
    fn push(&self, seq: i64) -> bool {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(seq);
        list.len() == 1
    }

    pub(super) fn take(&self) -> Vec<i64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_row_prints_no_body() {
        let printed = format!(
            "{:?}",
            NewRow {
                topic: "events".into(),
                id: Uuid::nil(),
                delay: None,
                body: Bytes::from_static(b"M4RK3R"),
                elements_at: None
            }
        );
        assert!(!printed.contains("M4RK3R") && printed.contains("bytes: 6"), "{printed}");
    }
}
