//! The engine on RabbitMQ.
//!
//! Publishing waits for the broker's confirm of every message. Settling publishes the outputs, waits for all their confirms, and
//! only then acknowledges: a crash in between yields a message twice, never none. A supervisor keeps the connections; each
//! call works on the link of its time, and what was claimed on a lost one is [`Lost`](super::QueueError::Lost).
//!
//! Timeouts here are the machine's and not the leads', and so not of the clock that tests move.

mod acks;
mod books;
mod claims;
mod connect;
mod consumer;
mod control;
mod delay;
mod examine;
mod fault;
mod headers;
mod held;
mod link;
mod publisher;
mod removal;
mod settings;
mod supervisor;
mod teller;
mod topology;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(super) use self::claims::{Claims, Handle, settle};
pub use self::examine::{Examined, examine};
use self::held::{Holdings, Return};
use self::link::Link;
use self::publisher::{Outgoing, Outputs};
pub use self::settings::{DELAY_TIERS, Node, Settings, Tls};
use super::join::Part;
use super::{Health, Message, QueueError, TopicStats};
use crate::clock::Clock;
use crate::control::Control;

/// The most bytes of one message's body: what RabbitMQ 4 takes.
const LARGEST_BODY: usize = 16 << 20;
/// The longest name of a topic; names of queues may have 255 bytes.
const LONGEST_TOPIC: usize = 200;
/// The topic under which the figures tell what waits for its time, of all topics together: the broker does not tell them apart.
const DELAYED: &str = "delayed";

/// The engine; clones share it. When the last of them and of its claims is gone, it closes by itself.
#[derive(Clone)]
pub struct Engine(Arc<Owner>);

struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.stop.cancel();
    }
}

/// What the engine's tasks, its claims and its handles share.
struct Shared {
    settings: Settings,
    clock: Clock,
    /// The connection, while there is one.
    link: watch::Sender<Option<Arc<Link>>>,
    health: watch::Receiver<Health>,
    closed: watch::Receiver<bool>,
    stop: CancellationToken,
    holdings: Arc<Holdings>,
    returns: mpsc::UnboundedSender<Return>,
    /// Consumers, which give back what they have when the engine closes.
    tasks: TaskTracker,
    topics: Mutex<BTreeSet<Arc<str>>>,
    control: control::Told,
    telling: watch::Sender<Option<Arc<Control>>>,
    /// This process, to itself.
    origin: Uuid,
    tags: AtomicU64,
}

impl Engine {
    /// Starts connecting. `control` is where decisions that others tell are put.
    pub(super) fn open(settings: Settings, clock: Clock, control: control::Told) -> Self {
        let (health, closed) = (watch::Sender::new(connecting()), watch::Sender::new(false));
        let (returns, returned) = mpsc::unbounded_channel();
        let holdings = Arc::new(Holdings::default());
        let telling = watch::Sender::new(None);
        let steps = settings.delay_tiers.clone();
        let shared = Arc::new(Shared {
            clock,
            link: watch::Sender::new(None),
            health: health.subscribe(),
            closed: closed.subscribe(),
            stop: CancellationToken::new(),
            holdings: holdings.clone(),
            returns,
            tasks: TaskTracker::new(),
            topics: Mutex::new(settings.topics.iter().map(|t| Arc::from(t.as_str())).collect()),
            control,
            telling,
            origin: origin(),
            tags: AtomicU64::new(0),
            settings,
        });
        tokio::spawn(held::give_back(holdings, steps, shared.clock.clone(), returned));
        tokio::spawn(control::tell(shared.clone(), shared.telling.subscribe()));
        tokio::spawn(supervisor::run(shared.clone(), health, closed));
        Self(Arc::new(Owner(shared)))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    pub(super) async fn publish(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        let shared = self.shared();
        if shared.stop.is_cancelled() {
            return Err(QueueError::Closed);
        }
        if messages.is_empty() {
            return Ok(());
        }
        let outgoing = shared.outgoing(messages).await?;
        shared.now()?.publish(outgoing).await
    }

    pub(super) fn claims(&self, topic: &Arc<str>) -> Claims {
        self.shared().topics.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.clone());
        Claims::new(self.clone(), topic.clone())
    }

    /// What waits, as far as the broker tells it: what can be claimed and what waits for its time. What others hold is not told.
    pub(super) async fn stats(&self) -> Result<Vec<TopicStats>, QueueError> {
        let shared = self.shared();
        if shared.stop.is_cancelled() {
            return Err(QueueError::Closed);
        }
        let link = shared.now()?;
        let away = |error: lapin::Error| QueueError::Blocked(fault::short(&error));
        let mut claimed = shared.holdings.count();
        let mut stats = Vec::new();
        for topic in shared.topics() {
            let ready = link.declare(&topic).await.map_err(away)?;
            let claimed = claimed.remove(&topic).unwrap_or(0);
            stats.push(TopicStats { topic: topic.to_string(), ready, claimed, ..TopicStats::default() });
        }
        let mut delayed = 0;
        for step in &shared.settings.delay_tiers {
            delayed += link.ask(async |channel| topology::waiting(channel, *step).await).await.map_err(away)?;
        }
        stats.push(TopicStats { topic: DELAYED.to_owned(), delayed, ..TopicStats::default() });
        Ok(stats)
    }

    /// What can be claimed from a topic that nobody consumes.
    pub(super) async fn unattended(&self, topic: &str) -> Result<u64, QueueError> {
        match self.shared().now()?.ask(async |channel| topology::look(channel, topic).await).await {
            Ok((messages, 0)) => Ok(messages.into()),
            Ok(_) => Ok(0),
            Err(error) if fault::is_of_absence(&error) => Ok(0),
            Err(error) => Err(QueueError::Blocked(fault::short(&error))),
        }
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.shared().health.clone()
    }

    pub(super) fn publish_control(&self, control: Arc<Control>) {
        self.shared().telling.send_replace(Some(control));
    }

    pub(super) async fn close(&self) {
        self.shared().stop.cancel();
        // Fails when the supervisor is gone, and then there is nothing to wait for.
        let _ = self.shared().closed.clone().wait_for(|closed| *closed).await;
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("settings", &self.shared().settings).finish_non_exhaustive()
    }
}

impl Shared {
    /// The connection, or why there is none.
    fn now(&self) -> Result<Arc<Link>, QueueError> {
        match &*self.link.borrow() {
            Some(link) if !link.is_lost() => Ok(link.clone()),
            _ => Err(QueueError::Blocked(match &*self.health.borrow() {
                Health::Blocked(reason) => reason.clone(),
                Health::Ready => "the connection to RabbitMQ is lost".to_owned(),
            })),
        }
    }

    /// Messages as they go out, once their topics have queues.
    async fn outgoing(&self, messages: Vec<Message>) -> Result<Outputs, QueueError> {
        let mut outputs = Outputs::default();
        for message in messages {
            let Message { topic, id, not_before, body, elements_at } = message;
            if body.len() > LARGEST_BODY || topic.len() > LONGEST_TOPIC {
                return Err(QueueError::Blocked(format!(
                    "a message of {} bytes for a topic whose name has {} is larger than {LARGEST_BODY} and {LONGEST_TOPIC}, the most it takes",
                    body.len(),
                    topic.len()
                )));
            }
            let link = self.now()?;
            link.ensure(&topic).await.map_err(|e| QueueError::Blocked(fault::short(&e)))?;
            let delay = not_before
                .map_or(Duration::ZERO, |at| at.duration_since(self.clock.now()).try_into().unwrap_or_default());
            match elements_at {
                Some(elements_at) if delay.is_zero() => outputs.told.push(Part { topic, id, body, elements_at }),
                _ => {
                    let message = outgoing(&self.settings.delay_tiers, &self.clock, &topic, id, body, delay, 0);
                    outputs.messages.push(message);
                }
            }
        }
        Ok(outputs)
    }

    /// Has a held message given back, after a delay.
    fn give_back(&self, key: u64, delay: Duration) {
        // Fails when the engine is gone, and the connection with it: the broker gives it to others.
        let _ = self.returns.send((key, delay));
    }

    fn topics(&self) -> Vec<Arc<str>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A consumer's tag that nobody else has or had.
    fn new_tag(&self) -> String {
        format!("leadrelay-{}-{}", self.origin.simple(), self.tags.fetch_add(1, Ordering::Relaxed))
    }
}

/// A message as it goes out: to its topic at once, or to the first step of its delay.
fn outgoing(
    steps: &[Duration],
    clock: &Clock,
    topic: &str,
    id: Uuid,
    body: Bytes,
    delay: Duration,
    redelivered: u32,
) -> Outgoing {
    let (exchange, remaining, since) = if delay.is_zero() {
        (topology::topics_exchange(), Duration::ZERO, None)
    } else {
        let (step, remaining) = delay::next(steps, delay);
        (topology::delay(step), remaining, Some(clock.now()))
    };
    Outgoing {
        exchange: exchange.into(),
        key: topic.into(),
        body,
        properties: headers::persistent(id, remaining, since, redelivered),
    }
}

fn connecting() -> Health {
    Health::Blocked("RabbitMQ has not answered yet".to_owned())
}

fn origin() -> Uuid {
    let mut bytes = [0; 16];
    // Without the machine's randomness two processes with one id do not hear one another; the ledger is told all the same.
    let _ = getrandom::fill(&mut bytes);
    Uuid::from_bytes(bytes)
}
