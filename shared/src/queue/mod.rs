//! The queue: claim one message, settle it with the messages it leads to.
//!
//! That is the only primitive. Settling makes the outputs durable and then the claim is gone; dropping a claim returns the
//! message. Retry is "yourself again, later" and giving up is "yourself on `parked`": there is no nack. The contract
//! is the weaker side of each pair of engines: publishing is not atomic on error, sending again with the same id is safe, a
//! message may come twice, a delay means "not before", and order is not promised.

pub mod amqp;
mod carry;
pub mod embedded;
mod join;
mod removal;
mod topic;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::watch;

pub use carry::{Carried, Carrier};
pub use removal::{Place, Removal};
pub use topic::{DecodeError, ENVELOPE_VERSION, Envelope, Message, Topic};

use crate::clock::Clock;
use crate::control::Control;

/// A message whose holders ended so often is what ends them, and is parked. Far above what an unlucky neighbour meets, since
/// all that a process holds counts when it ends.
pub const CRASHES_MAX: u32 = 20;

/// The queue; clones share one engine.
#[derive(Clone, Debug)]
pub struct Queue {
    engine: Engine,
    control: watch::Sender<Option<Arc<Control>>>,
}

/// The engines. A struct over a private enum and not a trait: there are two, both ours, under one conformance suite.
#[derive(Clone, Debug)]
enum Engine {
    Embedded(embedded::Engine),
    Amqp(amqp::Engine),
}

/// Why messages could not be published or a claim could not be settled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue cannot take messages now: disk full, limit reached, broker away. None was stored. It recovers by itself.
    #[error("the queue cannot take messages now: {0}")]
    Blocked(String),
    /// It is not known whether the messages were stored. Sending them again with the same ids is safe.
    #[error("it is not known whether the queue has stored it: {0}")]
    Unknown(String),
    /// The claim is no longer ours; its message will come again.
    #[error("the claim was lost; the message will come again")]
    Lost,
    /// The queue is shutting down.
    #[error("the queue is closed")]
    Closed,
}

/// Whether the queue can take messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It can.
    Ready,
    /// It cannot, and this is why. Claims still work where they can.
    Blocked(String),
}

/// What waits in one topic.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TopicStats {
    /// The topic's name.
    pub topic: String,
    /// Messages that can be claimed now.
    pub ready: u64,
    /// Messages that wait for their time.
    pub delayed: u64,
    /// Messages that are claimed and not yet settled, and those that could not be read.
    pub claimed: u64,
    /// How long the oldest message has been in the topic.
    pub oldest_age: Option<Duration>,
}

impl TopicStats {
    /// All that is in the topic.
    pub fn total(&self) -> u64 {
        self.ready + self.delayed + self.claimed
    }
}

impl Queue {
    /// Opens the embedded engine on a directory, which it makes if need be and locks against other processes.
    ///
    /// # Errors
    /// When the directory cannot be used; the text says why and what to do.
    pub fn embedded(settings: embedded::Settings, clock: Clock) -> Result<Self, embedded::OpenError> {
        let engine = Engine::Embedded(embedded::Engine::open(settings, clock)?);
        Ok(Self { engine, control: watch::Sender::new(None) })
    }

    /// The engine on RabbitMQ, within a tokio runtime. It connects by itself, and again for ever: until it has, and whenever it
    /// is not, [`health`](Self::health) says why, publishing is refused and claims wait.
    pub fn amqp(settings: amqp::Settings, clock: Clock) -> Self {
        let control = watch::Sender::new(None);
        Self { engine: Engine::Amqp(amqp::Engine::open(settings, clock, control.clone())), control }
    }

    /// Publishes messages. `Ok` means that every one of them is durable.
    ///
    /// # Errors
    /// See [`QueueError`]; after `Unknown`, any part of them may be stored.
    pub async fn publish(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        match &self.engine {
            Engine::Embedded(engine) => engine.publish(messages).await,
            Engine::Amqp(engine) => engine.publish(messages).await,
        }
    }

    /// A source of claims on a topic. Several may be open on one topic; each message goes to one of them. Over a network some
    /// come ahead, and wait with their consumer until it asks, [rests](Claims::rest) or is dropped.
    pub fn claims<T: DeserializeOwned>(&self, topic: &Topic<T>) -> Claims<T> {
        let source = match &self.engine {
            Engine::Embedded(engine) => Source::Embedded(engine.claims(topic.name())),
            Engine::Amqp(engine) => Source::Amqp(engine.claims(topic.name())),
        };
        Claims { source, topic: topic.clone() }
    }

    /// What waits, for each topic that holds anything or is claimed from.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn stats(&self) -> Result<Vec<TopicStats>, QueueError> {
        match &self.engine {
            Engine::Embedded(engine) => engine.stats().await,
            Engine::Amqp(engine) => engine.stats().await,
        }
    }

    /// How many messages wait in a topic that nobody claims from; none where somebody does. The topic need not exist.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn unattended(&self, topic: &str) -> Result<u64, QueueError> {
        match &self.engine {
            Engine::Embedded(engine) => engine.unattended(topic).await,
            Engine::Amqp(engine) => engine.unattended(topic).await,
        }
    }

    /// Bytes on disk, and the most that they may be; `None` where the queue is a broker, which does not tell. What was used and is
    /// free again counts until it has gone back to the disk.
    pub fn size(&self) -> Option<(u64, u64)> {
        match &self.engine {
            Engine::Embedded(engine) => Some(engine.size()),
            Engine::Amqp(_) => None,
        }
    }

    /// Whether the queue can take messages, as it changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        match &self.engine {
            Engine::Embedded(engine) => engine.health(),
            Engine::Amqp(engine) => engine.health(),
        }
    }

    /// Tells every process what operators have decided. Not durable: the ledger keeps decisions and tells them again.
    pub fn publish_control(&self, control: Control) {
        let control = Arc::new(control);
        self.control.send_replace(Some(control.clone()));
        match &self.engine {
            // One process has it, and that is this one.
            Engine::Embedded(_) => {}
            Engine::Amqp(engine) => engine.publish_control(control),
        }
    }

    /// What operators have decided, as it changes; `None` until it is first told.
    pub fn control(&self) -> watch::Receiver<Option<Arc<Control>>> {
        self.control.subscribe()
    }

    /// Waits until everything that was handed in is settled on disk, and closes the engine. Later calls fail with `Closed`.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Embedded(engine) => engine.close().await,
            Engine::Amqp(engine) => engine.close().await,
        }
    }
}

/// Claims on one topic, one consumer's share.
#[derive(Debug)]
pub struct Claims<T> {
    source: Source,
    topic: Topic<T>,
}

#[derive(Debug)]
enum Source {
    Embedded(embedded::Claims),
    Amqp(amqp::Claims),
}

impl<T> Claims<T> {
    /// Has so many messages come ahead of [`next`](Self::next), where they come over a network; those that are not settled
    /// count. By default as many as `next` asks for.
    #[must_use]
    pub fn ahead(mut self, messages: usize) -> Self {
        match &mut self.source {
            Source::Embedded(_) => {}
            Source::Amqp(claims) => claims.ahead(messages),
        }
        self
    }

    /// Keeps a message of this consumer's out of the way, until the next start or, on RabbitMQ, for a quarter of an hour: what
    /// cannot be read now may be by a later version.
    pub fn set_aside(&mut self, claim: Claim<T>) {
        claim.handle.set_aside();
        self.is_aside();
    }

    fn is_aside(&mut self) {
        match &mut self.source {
            Source::Embedded(_) => {}
            Source::Amqp(claims) => claims.set_aside(),
        }
    }

    /// Gives back what came ahead, until [`next`](Self::next) is called again: nothing waits with somebody who is not at work.
    pub fn rest(&mut self) {
        match &mut self.source {
            Source::Embedded(_) => {}
            Source::Amqp(claims) => claims.rest(),
        }
    }
}

impl<T: DeserializeOwned> Claims<T> {
    /// Waits for messages and claims at least one and at most `max` of them.
    ///
    /// Cancel-safe: what was claimed for a dropped future goes back. A message that cannot be read (written by a later
    /// version, or damaged) is [set aside](Self::set_aside), and is counted as claimed.
    ///
    /// # Errors
    /// [`QueueError::Closed`] when the queue is closed. Other failures are waited out.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Claim<T>>, QueueError> {
        loop {
            let raw = match &mut self.source {
                Source::Embedded(claims) => claims.next(max).await?,
                Source::Amqp(claims) => claims.next(max).await?,
            };
            let mut claims = Vec::with_capacity(raw.len());
            for raw in raw {
                match self.read(raw) {
                    Some(claim) => claims.push(claim),
                    None => self.is_aside(),
                }
            }
            if !claims.is_empty() {
                return Ok(claims);
            }
        }
    }

    fn read(&self, raw: RawClaim) -> Option<Claim<T>> {
        match Envelope::decode(&raw.body) {
            Ok(envelope) => Some(Claim {
                envelope,
                published_to: raw.published_to.unwrap_or_else(|| self.topic.name().clone()),
                redelivered: raw.redelivered,
                handle: raw.handle,
            }),
            Err(error) => {
                tracing::error!(topic = %self.topic.name(), message.id = %raw.id, %error, "a message cannot be read; it is kept");
                raw.handle.set_aside();
                None
            }
        }
    }
}

/// What an engine hands out.
struct RawClaim {
    id: uuid::Uuid,
    /// The topic that it was published to, where that is not the one that it is claimed from.
    published_to: Option<Arc<str>>,
    /// When it is due, where it was handed out before that.
    not_before: Option<jiff::Timestamp>,
    body: bytes::Bytes,
    redelivered: u32,
    handle: Handle,
}

/// Prints which message it is, and never what it says.
impl fmt::Debug for RawClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawClaim")
            .field("id", &self.id)
            .field("bytes", &self.body.len())
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}

/// One claimed message. Settle it, or drop it to give it back.
#[derive(Debug)]
#[must_use = "a claim that is dropped goes back to the queue"]
pub struct Claim<T> {
    envelope: Envelope<T>,
    published_to: Arc<str>,
    redelivered: u32,
    handle: Handle,
}

impl<T> Claim<T> {
    /// What the message says.
    pub fn body(&self) -> &T {
        &self.envelope.body
    }

    /// The message with its id and trace.
    pub fn envelope(&self) -> &Envelope<T> {
        &self.envelope
    }

    /// The name of the topic that it was published to: of a stray, not the one that it is claimed from.
    pub fn published_to(&self) -> &str {
        &self.published_to
    }

    /// How often it was claimed before and neither settled nor given back: its holder ended. Approximate.
    pub fn redelivered(&self) -> u32 {
        self.redelivered
    }

    /// The message and the right to settle it, apart.
    pub fn into_parts(self) -> (Envelope<T>, Handle) {
        (self.envelope, self.handle)
    }

    /// Makes `outputs` durable, and then the claim is gone.
    ///
    /// # Errors
    /// On any error the message comes again, and some of the outputs may exist.
    pub async fn settle(self, outputs: Vec<Message>) -> Result<(), QueueError> {
        settle_all(vec![self.handle], outputs).await
    }
}

/// The right to settle one claimed message.
#[derive(Debug)]
#[must_use = "a handle that is dropped gives the message back"]
pub struct Handle(Right);

#[derive(Debug)]
enum Right {
    Embedded(embedded::Handle),
    Amqp(amqp::Handle),
}

impl Handle {
    /// See [`Claims::set_aside`].
    fn set_aside(self) {
        match self.0 {
            Right::Embedded(handle) => handle.set_aside(),
            Right::Amqp(handle) => handle.set_aside(),
        }
    }
}

/// Settles several claims of one queue with one list of outputs: all the outputs become durable, then all the claims are gone.
///
/// # Errors
/// On any error the messages come again, and some of the outputs may exist.
pub async fn settle_all(handles: Vec<Handle>, outputs: Vec<Message>) -> Result<(), QueueError> {
    let (mut embedded, mut amqp) = (Vec::new(), Vec::new());
    for handle in handles {
        match handle.0 {
            Right::Embedded(handle) => embedded.push(handle),
            Right::Amqp(handle) => amqp.push(handle),
        }
    }
    match (embedded.is_empty(), amqp.is_empty()) {
        (true, true) if outputs.is_empty() => Ok(()),
        (_, true) => embedded::settle(embedded, outputs).await,
        (true, false) => amqp::settle(amqp, outputs).await,
        (false, false) => Err(QueueError::Lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_raw_claim_prints_no_body() {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = embedded::Settings { dir: dir.path().to_owned(), max_size: 1 << 30, min_free: 0 };
        let queue = Queue::embedded(settings, Clock::real()).expect("a queue");
        let topic = Topic::events();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let fact = crate::event::Fact::Resumed { destination: "M4RK3R".to_owned() };
        let message = topic.message(uuid::Uuid::from_u128(7), &vec![crate::event::Event { at, fact }]);
        queue.publish(vec![message]).await.expect("stored");
        let mut claims = queue.claims(&topic);
        let Source::Embedded(raw) = &mut claims.source else { panic!("it is embedded") };
        let raw = raw.next(1).await.expect("claimed");
        assert!(raw[0].body.windows(6).any(|w| w == b"M4RK3R"), "the body holds it");
        let printed = format!("{raw:?}");
        let as_numbers = format!("{:?}", b"M4RK3R").trim_matches(['[', ']']).to_owned();
        assert!(!printed.contains("M4RK3R") && !printed.contains(&as_numbers), "{printed}");
        assert!(printed.contains("00000007"), "and the id is there: {printed}");
        drop(raw);
        queue.close().await;
    }
}
