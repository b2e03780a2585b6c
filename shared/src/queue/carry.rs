//! Messages passed on as they are, from one queue to another: by ingest's spool, and by a move to another engine.
//!
//! Invariant: nothing of a message is read or changed, so that one which this version cannot read is passed on like any other.

use serde::de::IgnoredAny;

use super::{Claims, Handle, Message, Queue, QueueError, Source, Topic};

/// Messages of one topic, unread.
#[derive(Debug)]
pub struct Carrier(pub(super) Claims<IgnoredAny>);

/// One claimed message, to be published elsewhere and then settled here.
#[derive(Debug)]
#[must_use = "what is dropped goes back to its queue"]
pub struct Carried {
    /// The message, with its id, and with what is left of its delay where it is claimed before its time.
    pub message: Message,
    /// The right to settle it.
    pub handle: Handle,
}

impl Queue {
    /// The messages of a topic, to be passed on as they are.
    pub fn carrier(&self, topic: &str) -> Carrier {
        Carrier(self.claims(&Topic::named(topic)))
    }
}

impl Carrier {
    /// Waits for messages and claims at least one and at most `max` of them. Cancel-safe, as [`Claims::next`] is.
    ///
    /// # Errors
    /// [`QueueError::Closed`] when the queue is closed.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Carried>, QueueError> {
        let topic = self.0.topic.name().clone();
        let raw = match &mut self.0.source {
            Source::Embedded(claims) => claims.next(max).await?,
            Source::Amqp(claims) => claims.next(max).await?,
        };
        let carried = |raw: super::RawClaim| Carried {
            message: Message {
                topic: raw.published_to.unwrap_or_else(|| topic.clone()),
                id: raw.id,
                not_before: raw.not_before,
                body: raw.body,
                elements_at: None,
            },
            handle: raw.handle,
        };
        Ok(raw.into_iter().map(carried).collect())
    }
}
