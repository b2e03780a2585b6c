//! Topics and the messages on them: typed at both ends, bytes in between.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::join;
use crate::delivery::{Delivery, Parked};
use crate::event::{self, Event};
use crate::lead::Lead;

/// The version that envelopes are written in. A reader takes every version up to its own.
pub const ENVELOPE_VERSION: u16 = 1;

/// What the broker took out of its queue because its holders ended again and again.
pub(super) const DEAD: &str = "dead";
/// What was published to a topic that has no queue any more.
pub(super) const UNROUTED: &str = "unrouted";

/// A named queue of messages of one type.
pub struct Topic<T> {
    name: Arc<str>,
    of: PhantomData<fn() -> T>,
}

impl Topic<Lead> {
    /// Accepted leads on their way to the router.
    pub fn leads() -> Self {
        Self::named("leads")
    }
}

impl Topic<Delivery> {
    /// Deliveries on their way to one destination.
    pub fn deliver(destination: &str) -> Self {
        Self::named(format!("deliver.{destination}"))
    }
}

impl Topic<Vec<Event>> {
    /// Facts on their way to the ledger. Those of one step travel together, and with those of other steps that are told at the
    /// same moment: a message costs more than what it says.
    pub fn events() -> Self {
        Self::named("events")
    }

    /// A message that tells these facts.
    pub fn told(&self, events: &Vec<Event>) -> Message {
        let message = self.message(event::id_of(events), events);
        Message { elements_at: join::elements_at(&message.body), ..message }
    }
}

impl Topic<Parked> {
    /// What waits for a person, on its way to the ledger.
    pub fn parked() -> Self {
        Self::named("parked")
    }
}

impl Topic<Box<RawValue>> {
    /// What a broker took out of its queue because its holders ended again and again.
    pub fn dead() -> Self {
        Self::named(DEAD)
    }

    /// What was published to a topic whose queue somebody deleted.
    pub fn unrouted() -> Self {
        Self::named(UNROUTED)
    }
}

impl<T> Topic<T> {
    /// A topic by its name.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), of: PhantomData }
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

impl<T: Serialize> Topic<T> {
    /// A message for this topic. Two messages of one `id` are the same message.
    pub fn message(&self, id: Uuid, body: &T) -> Message {
        let envelope = EnvelopeRef { v: ENVELOPE_VERSION, id, trace: crate::telemetry::trace_context(), body };
        // Unwrap safety: every message type is plain data with string keys, which JSON can always hold.
        #[expect(clippy::expect_used, reason = "see above")]
        let body = serde_json::to_vec(&envelope).expect("messages are plain data");
        Message { topic: self.name.clone(), id, not_before: None, body: body.into(), elements_at: None }
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), of: PhantomData }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", self.name)
    }
}

/// A message ready to be published: an envelope in bytes, and where and when.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub(super) topic: Arc<str>,
    pub(super) id: Uuid,
    pub(super) not_before: Option<Timestamp>,
    pub(super) body: Bytes,
    /// Where the elements of its list begin, if it may be [joined](join) with others of its topic.
    pub(super) elements_at: Option<usize>,
}

impl Message {
    /// The same message, to be claimed no earlier than `at`.
    #[must_use]
    pub fn not_before(mut self, at: Timestamp) -> Self {
        self.not_before = Some(at);
        self
    }

    /// The earliest time at which it is to be claimed; `None` when that is now.
    pub fn due(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// The name of its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

/// Prints where and how much, never what.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("id", &self.id)
            .field("not_before", &self.not_before)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// What travels: a version, an id, the trace it belongs to, and the body.
#[derive(Clone, Debug, Deserialize)]
pub struct Envelope<T> {
    /// The version it was written in.
    pub v: u16,
    /// The message's id.
    pub id: Uuid,
    /// The W3C `traceparent` of the step that published it, where there was one.
    #[serde(default)]
    pub trace: Option<String>,
    /// What it says.
    pub body: T,
}

#[derive(Serialize)]
struct EnvelopeRef<'a, T> {
    v: u16,
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    body: &'a T,
}

impl<T: DeserializeOwned> Envelope<T> {
    /// Reads an envelope of this version or an earlier one.
    ///
    /// # Errors
    /// When the bytes are not an envelope of `T`, or it is of a later version. The text holds no value of the body.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let envelope: Self =
            serde_json::from_slice(bytes).map_err(|e| DecodeError::Shape { line: e.line(), column: e.column() })?;
        if envelope.v > ENVELOPE_VERSION {
            return Err(DecodeError::Version { found: envelope.v });
        }
        Ok(envelope)
    }
}

/// Why a message could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Not an envelope of the topic's type.
    #[error("not an envelope of this topic (line {line}, column {column})")]
    Shape {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// Written by a later version of leadrelay.
    #[error("written in version {found}, and this leadrelay reads up to {ENVELOPE_VERSION}: upgrade it")]
    Version {
        /// The version found.
        found: u16,
    },
}
