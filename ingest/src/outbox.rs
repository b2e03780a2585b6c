//! The one way out of the door: onto the queue, or into the spool where the queue does not take it.
//!
//! Invariant: `send` is `Ok` only when the message is on disk, the queue's or the spool's. What may already be on the queue
//! goes into the spool as well, under the same id: twice is safe, and lost is not.
//!
//! What is in the spool is forwarded in its order. New leads do not wait behind it once the queue takes messages again: order
//! is not promised, and a backlog must not make the next sender slow.

use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{Message, Queue, QueueError};
use leadrelay_shared::service::{Ctx, RunError, Stop};
use tokio::task::JoinSet;

use crate::spool::Spool;

/// How long a broker may take to confirm. Senders wait for an answer, so this and the spool's write must stay well below what
/// they wait.
const CONFIRM_WAIT: Duration = Duration::from_secs(5);

/// Where leads and facts leave the door.
pub(crate) struct Outbox {
    road: Road,
    spool: Option<Arc<Spool>>,
}

impl Outbox {
    /// Opens the spool where there is to be one, and where an earlier run has left one.
    pub(crate) fn open(ctx: &Ctx) -> Result<Self, RunError> {
        let is_broker = !ctx.config().queue.url.is_embedded();
        let wait = is_broker.then_some(CONFIRM_WAIT);
        let road = Road { queue: ctx.queue.clone(), clock: ctx.clock.clone(), wait };
        let spool = Spool::open(ctx, road.clone(), is_broker && ctx.config().ingest.spool)?;
        Ok(Self { road, spool: spool.map(Arc::new) })
    }

    /// Makes a message durable.
    pub(crate) async fn send(&self, message: Message) -> Result<(), QueueError> {
        let Some(spool) = self.spool.as_deref().filter(|spool| spool.takes()) else {
            return self.road.publish(vec![message]).await;
        };
        if spool.is_bypassed() {
            match self.road.publish(vec![message.clone()]).await {
                Ok(()) => return Ok(()),
                Err(error) => spool.note_away(&error),
            }
        }
        spool.store(message).await
    }

    /// Forwards what is in the spool, for as long as the tasks live.
    pub(crate) fn forward(&self, tasks: &mut JoinSet<()>) {
        if let Some(spool) = self.spool.clone() {
            tasks.spawn(async move { spool.forward().await });
        }
    }

    /// Forwards for a moment what can be forwarded; the rest stays on disk.
    pub(crate) async fn finish(&self, stop: &Stop) {
        if let Some(spool) = &self.spool {
            spool.finish(stop).await;
        }
    }
}

/// The way to the queue, with an end to waiting for it.
#[derive(Clone)]
pub(crate) struct Road {
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    /// The embedded queue always answers.
    wait: Option<Duration>,
}

impl Road {
    /// Publishes, and waits no longer than there is.
    pub(crate) async fn publish(&self, messages: Vec<Message>) -> Result<(), QueueError> {
        let Some(wait) = self.wait else { return self.queue.publish(messages).await };
        tokio::select! {
            biased;
            published = self.queue.publish(messages) => published,
            () = self.clock.sleep(wait) => {
                Err(QueueError::Unknown(format!("it did not answer within {} s", wait.as_secs())))
            }
        }
    }
}
