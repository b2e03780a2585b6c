//! One confirm channel and the one task that publishes on it.
//!
//! Invariant: nobody else publishes on the channel. lapin numbers a message and hands it to the socket under two locks, so two
//! threads on one channel could be told each other's confirms. A job is done when every one of its messages is confirmed by
//! itself; anything but a plain confirm is a failure.
//!
//! A channel that was refused is exchanged for a new one: the broker notes the refusal with the channel, and where the limit is
//! taken away from a queue, and not raised, it forgets to take the note back (seen with 3.10).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, Connection, Error};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fault;
use crate::queue::QueueError;
use crate::queue::join::Part;

/// Jobs that may wait for the task; more wait at their callers.
pub(super) const JOBS_WAITING: usize = 256;
/// Messages on their way at once.
const WINDOW: usize = 2048;
/// Jobs begun before the confirms are looked at again.
const AT_ONCE: usize = 64;
/// How long a channel is kept at least, however often it is refused.
const EXCHANGE: Duration = Duration::from_secs(1);

/// A message as it goes out.
pub(super) struct Outgoing {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) body: Bytes,
    pub(super) properties: BasicProperties,
}

/// What one step publishes.
#[derive(Default)]
pub(super) struct Outputs {
    pub(super) messages: Vec<Outgoing>,
    /// What may travel with what others tell.
    pub(super) told: Vec<Part>,
}

impl Outputs {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.told.is_empty()
    }
}

impl From<Vec<Outgoing>> for Outputs {
    fn from(messages: Vec<Outgoing>) -> Self {
        Self { messages, told: Vec::new() }
    }
}

/// Messages that are published together, and who waits for their confirms.
pub(super) struct Job {
    pub(super) messages: Vec<Outgoing>,
    pub(super) answer: oneshot::Sender<Result<(), QueueError>>,
}

/// Opens a channel whose messages are confirmed.
pub(super) async fn open(connection: &Connection) -> Result<Channel, Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// Publishes until the link is lost. Whoever still waits then learns that nothing is known.
pub(super) async fn run(
    connection: Arc<Connection>,
    channel: Channel,
    jobs: mpsc::Receiver<Job>,
    lost: CancellationToken,
) {
    tokio::select! {
        () = lost.cancelled() => {}
        published = publish_all(&connection, channel, jobs) => if published.is_err() {
            // The broker closed the channel, for what was published or for want of a right: all begin again.
            lost.cancel();
        }
    }
}

async fn publish_all(
    connection: &Connection,
    mut channel: Channel,
    mut jobs: mpsc::Receiver<Job>,
) -> Result<(), Error> {
    let mut underway = FuturesUnordered::new();
    let mut in_flight = 0;
    let mut begun = Vec::with_capacity(AT_ONCE);
    let (mut opened, mut was_refused) = (Instant::now(), false);
    loop {
        tokio::select! {
            biased;
            Some(done) = underway.next() => {
                let Done { messages, refused } = done;
                in_flight -= messages;
                was_refused |= refused;
                if !channel.status().connected() {
                    return Err(std::io::Error::other("a channel was closed").into());
                }
            }
            taken = jobs.recv_many(&mut begun, AT_ONCE), if in_flight < WINDOW => {
                if taken == 0 {
                    break;
                }
                if was_refused && opened.elapsed() >= EXCHANGE {
                    // What is under way keeps the old one until it is told.
                    channel = open(connection).await?;
                    (opened, was_refused) = (Instant::now(), false);
                }
                // Whoever has given up publishes again, by the same ids.
                for job in begun.drain(..).filter(|job| !job.answer.is_closed()) {
                    in_flight += job.messages.len();
                    underway.push(publish(channel.clone(), job));
                }
            }
        }
    }
    while underway.next().await.is_some() {}
    Ok(())
}

/// What became of a job.
struct Done {
    messages: usize,
    refused: bool,
}

async fn publish(channel: Channel, job: Job) -> Done {
    let messages = job.messages.len();
    // The first poll numbers each message and hands it over without waiting in between, in this one task.
    let confirms = join_all(job.messages.iter().map(|message| confirmed(&channel, message))).await;
    let refused = confirms.iter().any(|confirm| matches!(confirm, Err(QueueError::Blocked(_))));
    let answer = match confirms.into_iter().find_map(Result::err) {
        None => Ok(()),
        // Others of them may be stored.
        Some(QueueError::Blocked(reason)) if messages > 1 => Err(QueueError::Unknown(reason)),
        Some(error) => Err(error),
    };
    // Fails when nobody waits any more.
    let _ = job.answer.send(answer);
    Done { messages, refused }
}

async fn confirmed(channel: &Channel, message: &Outgoing) -> Result<(), QueueError> {
    let Outgoing { exchange, key, body, properties } = message;
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange.clone(), key.clone(), options, body, properties.clone()).await;
    let confirm = match sent {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    match confirm {
        Ok(Confirmation::Ack(None)) => Ok(()),
        Ok(Confirmation::Nack(_)) => Err(QueueError::Blocked(
            "RabbitMQ refuses it: the queue is at its limit, or the broker is in trouble".to_owned(),
        )),
        Ok(Confirmation::Ack(Some(_)) | Confirmation::NotRequested) => {
            Err(QueueError::Unknown("RabbitMQ did not confirm it".to_owned()))
        }
        Err(error) => Err(QueueError::Unknown(fault::short(&error))),
    }
}
