//! Claims and the handles that settle them.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::op::{Op, Settle, Shared, Waiting};
use super::{Engine, WRITER_ENDED};
use crate::queue::{Message, QueueError, RawClaim};

/// The most that one call claims, whatever it asks for.
const MOST_AT_ONCE: usize = 512;

/// One consumer of a topic.
#[derive(Debug)]
pub(in crate::queue) struct Claims {
    engine: Engine,
    topic: Arc<str>,
}

impl Claims {
    pub(super) fn new(engine: Engine, topic: Arc<str>) -> Self {
        Self { engine, topic }
    }

    /// Waits for at least one message. The request waits at the writer, which serves each topic's consumers in turn.
    pub(in crate::queue) async fn next(&mut self, max: usize) -> Result<Vec<RawClaim>, QueueError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { max: max.clamp(1, MOST_AT_ONCE), answer };
        let op = Op::Claim { topic: self.topic.clone(), waiting };
        self.engine.shared.ops.send(op).await.map_err(|_| QueueError::Closed)?;
        answered.await.map_err(|_| QueueError::Closed)
    }
}

/// The right to settle one message. Dropping it gives the message back.
#[derive(Debug)]
pub(in crate::queue) struct Handle {
    seq: i64,
    /// `None` when the message is no longer this handle's to give back.
    owner: Option<Arc<Shared>>,
}

impl Handle {
    pub(super) fn new(seq: i64, owner: Arc<Shared>) -> Self {
        Self { seq, owner: Some(owner) }
    }

    pub(super) fn seq(&self) -> i64 {
        self.seq
    }

    /// Ends the handle and nothing else: the message counts as claimed until the next start.
    pub(in crate::queue) fn set_aside(mut self) {
        self.owner = None;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.give_back(self.seq);
        }
    }
}

/// Stores `outputs` and removes the messages of `handles`, all or nothing.
pub(in crate::queue) async fn settle(handles: Vec<Handle>, outputs: Vec<Message>) -> Result<(), QueueError> {
    let Some(shared) = handles.first().and_then(|h| h.owner.clone()) else {
        return if outputs.is_empty() { Ok(()) } else { Err(QueueError::Lost) };
    };
    if !handles.iter().all(|h| h.owner.as_ref().is_some_and(|o| Arc::ptr_eq(o, &shared))) {
        return Err(QueueError::Lost);
    }
    let outputs = super::rows(&shared.clock, outputs)?;
    let (answer, answered) = oneshot::channel();
    shared.ops.send(Op::Settle(Settle { handles, outputs, answer })).await.map_err(|_| QueueError::Closed)?;
    answered.await.unwrap_or_else(|_| Err(QueueError::Unknown(WRITER_ENDED.to_owned())))
}
