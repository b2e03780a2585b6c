//! What is between two losses of the broker: one connection to publish on, another to consume on.
//!
//! Two, because lapin writes nothing at all on a connection that the broker has blocked, acknowledgements included.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use lapin::{Channel, Connection, Error};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::acks::LastAck;
use super::connect::connect;
use super::publisher::{self, JOBS_WAITING, Job, Outputs};
use super::settings::{Node, Settings};
use super::teller::{self, Telling};
use super::{fault, topology};
use crate::queue::QueueError;

/// Confirm channels: a quorum queue lets one channel have 32 commands under way before it slows it down.
const CHANNELS: usize = 4;
/// How long confirms are waited for.
pub(super) const CONFIRM: Duration = Duration::from_secs(10);
/// And how long more, once the broker has said that it takes nothing.
const BLOCKED: Duration = Duration::from_millis(500);
/// How long a broker that was away is left alone once it answers. RabbitMQ 3.10 answers before its queues have elected their
/// leaders, and a queue that is asked too early stays without one.
const SETTLE: Duration = Duration::from_secs(2);
/// How long all that opening a link takes may take beside that.
const OPEN: Duration = Duration::from_secs(60);
/// How long a question may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a connection may take to close.
const CLOSE: Duration = Duration::from_secs(2);

/// A connection to the broker, in both directions.
pub(super) struct Link {
    pub(super) publishing: Arc<Connection>,
    pub(super) consuming: Connection,
    publishers: Vec<mpsc::Sender<Job>>,
    teller: mpsc::Sender<Telling>,
    turn: AtomicUsize,
    /// Why the broker takes no messages, where it has said so.
    pub(super) blocked: watch::Sender<Option<String>>,
    pub(super) last_ack: Arc<LastAck>,
    declared: Mutex<HashSet<Arc<str>>>,
    declaring: tokio::sync::Mutex<Option<Channel>>,
    /// Turns when either connection is gone.
    pub(super) lost: CancellationToken,
}

impl Link {
    /// Connects, declares what must stand, and starts publishing. `was_away` is whether nobody answered the last time.
    pub(super) async fn open(
        settings: &Settings,
        node: &Node,
        topics: &[Arc<str>],
        was_away: bool,
    ) -> Result<Self, Error> {
        let publishing = connect(settings, node, "publishes").await?;
        if was_away {
            tokio::time::sleep(SETTLE).await;
        }
        match timeout(OPEN, Self::begin(settings, node, topics, publishing)).await {
            Ok(opened) => opened,
            Err(_) => Err(std::io::Error::other("it stopped answering").into()),
        }
    }

    async fn begin(
        settings: &Settings,
        node: &Node,
        topics: &[Arc<str>],
        publishing: Connection,
    ) -> Result<Self, Error> {
        let (publishing, consuming) = (Arc::new(publishing), connect(settings, node, "consumes").await?);
        let first = consuming.create_channel().await?;
        topology::declare_base(&first, &settings.delay_tiers).await?;
        let lost = CancellationToken::new();
        let mut publishers = Vec::with_capacity(CHANNELS);
        for _ in 0..CHANNELS {
            let channel = publisher::open(&publishing).await?;
            let (jobs, todo) = mpsc::channel(JOBS_WAITING);
            tokio::spawn(publisher::run(publishing.clone(), channel, todo, lost.clone()));
            publishers.push(jobs);
        }
        let (teller, telling) = mpsc::channel(JOBS_WAITING);
        tokio::spawn(teller::run(publishers[0].clone(), telling));
        let link = Self {
            publishing,
            consuming,
            publishers,
            teller,
            turn: AtomicUsize::new(0),
            blocked: watch::Sender::new(None),
            last_ack: Arc::default(),
            declared: Mutex::default(),
            declaring: tokio::sync::Mutex::new(Some(first)),
            lost,
        };
        for topic in topics {
            link.declare(topic).await?;
        }
        Ok(link)
    }

    /// Declares a topic's queue; how many messages in it can be claimed.
    pub(super) async fn declare(&self, topic: &Arc<str>) -> Result<u64, Error> {
        self.ask(async |channel| self.declare_on(channel, topic).await).await
    }

    async fn declare_on(&self, channel: &Channel, topic: &Arc<str>) -> Result<u64, Error> {
        let ready = topology::declare_topic(channel, topic).await?;
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.clone());
        Ok(ready)
    }

    /// Has a topic's queue declared again when it is next published to.
    pub(super) fn forget(&self, topic: &str) {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    /// Declares a topic's queue unless this link has done so.
    pub(super) async fn ensure(&self, topic: &Arc<str>) -> Result<(), Error> {
        if self.has_declared(topic) {
            return Ok(());
        }
        self.ask(async |channel| match self.has_declared(topic) {
            // By another, meanwhile.
            true => Ok(()),
            false => self.declare_on(channel, topic).await.map(drop),
        })
        .await
    }

    fn has_declared(&self, topic: &str) -> bool {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).contains(topic)
    }

    /// Asks on the channel that is kept for questions. One that was answered with an error is closed by that.
    pub(super) async fn ask<T>(&self, ask: impl AsyncFnOnce(&Channel) -> Result<T, Error>) -> Result<T, Error> {
        let mut kept = self.declaring.lock().await;
        let channel = match kept.take() {
            Some(channel) if channel.status().connected() => channel,
            _ => in_time(self.consuming.create_channel()).await?,
        };
        let answer = in_time(ask(&channel)).await?;
        *kept = Some(channel);
        Ok(answer)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Publishes, and waits for every confirm.
    pub(super) async fn publish(&self, outputs: Outputs) -> Result<(), QueueError> {
        let mut blocked = self.blocked.subscribe();
        if let Some(reason) = &*blocked.borrow() {
            return Err(QueueError::Blocked(reason.clone()));
        }
        let refused = async {
            // Fails when the link is gone, and then so do the confirms.
            let _ = blocked.wait_for(Option::is_some).await;
            tokio::time::sleep(BLOCKED).await;
        };
        tokio::select! {
            confirmed = self.hand_over(outputs) => confirmed,
            () = refused => Err(QueueError::Unknown("RabbitMQ stopped taking messages before it confirmed this".to_owned())),
            () = tokio::time::sleep(CONFIRM) => Err(QueueError::Unknown(format!("RabbitMQ did not confirm it within {CONFIRM:?}"))),
        }
    }

    /// Hands each message to the task that publishes it, and waits until all of them are confirmed.
    async fn hand_over(&self, outputs: Outputs) -> Result<(), QueueError> {
        let Outputs { messages, told } = outputs;
        let mut answers = Vec::with_capacity(1 + told.len());
        if !messages.is_empty() {
            let (answer, answered) = oneshot::channel();
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.publishers.len();
            self.publishers[turn].send(Job { messages, answer }).await.map_err(|_| gone())?;
            answers.push(answered);
        }
        for part in told {
            let (answer, answered) = oneshot::channel();
            self.teller.send(Telling { part, answer }).await.map_err(|_| gone())?;
            answers.push(answered);
        }
        let several = answers.len() > 1;
        let confirms = join_all(answers).await;
        match confirms.into_iter().find_map(|confirm| confirm.unwrap_or_else(|_| Err(gone())).err()) {
            None => Ok(()),
            // Others of them may be stored.
            Some(QueueError::Blocked(reason)) if several => Err(QueueError::Unknown(reason)),
            Some(error) => Err(error),
        }
    }

    /// Waits until the broker takes messages; `false` when the link is lost first.
    pub(super) async fn takes_messages(&self) -> bool {
        let mut blocked = self.blocked.subscribe();
        tokio::select! {
            () = self.lost.cancelled() => false,
            waited = blocked.wait_for(Option::is_none) => waited.is_ok(),
        }
    }

    /// Closes both connections.
    pub(super) async fn close(&self) {
        if !self.is_lost() {
            self.last_ack.handed_on().await;
        }
        for connection in [&self.consuming, &self.publishing] {
            if let Ok(Err(error)) = timeout(CLOSE, connection.close(200, "leadrelay stops".into())).await {
                tracing::debug!(reason = %fault::short(&error), "a connection to RabbitMQ was gone before it was closed");
            }
        }
        self.lost.cancel();
    }
}

/// What a question comes to, or an error when it is not answered.
pub(super) async fn in_time<T>(question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let silent = || Err(std::io::Error::other("it does not answer; a queue may be without a leader").into());
    timeout(ANSWER, question).await.unwrap_or_else(|_| silent())
}

pub(super) fn gone() -> QueueError {
    QueueError::Unknown("the connection to RabbitMQ was lost before it confirmed this".to_owned())
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("lost", &self.is_lost()).finish_non_exhaustive()
    }
}
