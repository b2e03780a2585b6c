//! The messages that this process holds, and giving them back.
//!
//! Giving back is publishing a copy and then acknowledging the original, and not a nack: up to 4.2 the broker counts every
//! requeue as if a holder had ended, and a message would be parked for having been claimed ahead too often. While the
//! broker takes no messages, what is to go back is held. Invariant: a message is held until its link is lost, it is
//! settled, or its copy is confirmed; whatever happens in between, it comes again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::sleep;
use uuid::Uuid;

use super::acks::Acks;
use super::link::Link;
use super::publisher::{Outgoing, Outputs};
use super::{outgoing, topology};
use crate::clock::Clock;
use crate::queue::QueueError;
use crate::queue::topic::DEAD;

/// Before what cannot be given back by a copy is requeued: it would come again at once.
const BEFORE_REQUEUE: Duration = Duration::from_secs(1);
/// Copies published together.
const AT_ONCE: usize = 256;

/// A message that was handed to this process and that the broker still has.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) link: Arc<Link>,
    /// Of its channel, which closes with the last who has them.
    pub(super) acks: Arc<Acks>,
    pub(super) tag: u64,
    pub(super) topic: Arc<str>,
    pub(super) published_to: Arc<str>,
    pub(super) id: Uuid,
    pub(super) body: Bytes,
    pub(super) redelivered: u32,
    /// What is left of its delay, where it was handed out before its time.
    pub(super) delay: Duration,
}

impl Held {
    /// Whether it went with its link or its channel, and comes again.
    fn is_lost(&self) -> bool {
        self.link.is_lost() || !self.acks.is_open()
    }

    fn is_ours(&self) -> bool {
        !self.is_lost() && self.acks.holds(self.tag)
    }
}

/// All that this process holds.
#[derive(Default)]
pub(super) struct Holdings(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    next: u64,
    held: HashMap<u64, Held>,
}

/// A message to give back, and after which delay.
pub(super) type Return = (u64, Duration);

struct Returning {
    key: u64,
    held: Held,
    delay: Duration,
}

impl Holdings {
    pub(super) fn add(&self, held: Held) -> u64 {
        let mut inner = self.lock();
        inner.next += 1;
        let key = inner.next;
        inner.held.insert(key, held);
        key
    }

    /// The message, as long as it is ours.
    pub(super) fn get(&self, key: u64) -> Option<Held> {
        self.lock().held.get(&key).filter(|held| held.is_ours()).cloned()
    }

    pub(super) fn is_ours(&self, key: u64) -> bool {
        self.lock().held.get(&key).is_some_and(Held::is_ours)
    }

    pub(super) fn forget(&self, keys: impl IntoIterator<Item = u64>) {
        let mut inner = self.lock();
        for key in keys {
            inner.held.remove(&key);
        }
    }

    pub(super) fn keys(&self) -> Vec<u64> {
        self.lock().held.keys().copied().collect()
    }

    /// What of each topic is held; what is acknowledged counts until that is sent.
    pub(super) fn count(&self) -> HashMap<Arc<str>, u64> {
        let mut counts = HashMap::new();
        for held in self.lock().held.values().filter(|held| !held.is_lost()) {
            *counts.entry(held.topic.clone()).or_default() += 1;
        }
        counts
    }

    /// Forgets what went with a link: the broker gives it to somebody else.
    pub(super) fn forget_lost(&self) {
        self.lock().held.retain(|_, held| !held.is_lost());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back what is told, until nobody can tell any more.
pub(super) async fn give_back(
    holdings: Arc<Holdings>,
    steps: Vec<Duration>,
    clock: Clock,
    mut told: mpsc::UnboundedReceiver<Return>,
) {
    let mut batch = Vec::with_capacity(AT_ONCE);
    while told.recv_many(&mut batch, AT_ONCE).await > 0 {
        let mut returning = Vec::with_capacity(batch.len());
        for (key, delay) in batch.drain(..) {
            match holdings.get(key) {
                Some(held) => returning.push(Returning { key, delay: delay.max(held.delay), held }),
                // It went with its link, and comes again.
                None => holdings.forget([key]),
            }
        }
        while let Some(link) = returning.first().map(|r| r.held.link.clone()) {
            let of_link: Vec<_> = returning.extract_if(.., |r| Arc::ptr_eq(&r.held.link, &link)).collect();
            return_all(&link, &steps, &clock, &of_link).await;
            holdings.forget(of_link.iter().map(|r| r.key));
        }
    }
}

async fn return_all(link: &Link, steps: &[Duration], clock: &Clock, returning: &[Returning]) {
    loop {
        let copies: Vec<_> = returning.iter().map(|r| copy(&r.held, steps, clock, r.delay)).collect();
        match link.publish(Outputs::from(copies)).await {
            Ok(()) => return acknowledge(returning.iter().map(|r| &r.held)).await,
            Err(_) if link.is_lost() => return,
            Err(_) if link.blocked.borrow().is_some() => {
                if !link.takes_messages().await {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, messages = returning.len(), "messages cannot be given back by a copy; they are requeued");
                sleep(BEFORE_REQUEUE).await;
                join_all(returning.iter().map(|r| r.held.acks.requeue(r.held.tag))).await;
                return;
            }
        }
    }
}

fn copy(held: &Held, steps: &[Duration], clock: &Clock, delay: Duration) -> Outgoing {
    let copy = outgoing(steps, clock, &held.published_to, held.id, held.body.clone(), delay, held.redelivered);
    if *held.topic == *DEAD {
        // By the exchange of the same name, and not among those whose workers it has ended.
        return Outgoing { exchange: topology::queue(DEAD).into(), ..copy };
    }
    copy
}

/// Acknowledges; what cannot be acknowledged comes again.
pub(super) async fn acknowledge(held: impl Iterator<Item = &Held>) {
    join_all(held.map(|held| held.acks.acknowledge(held.tag))).await;
}

/// Makes `outputs` durable, and then the claims are gone.
///
/// While the broker takes no messages this waits: to fail would be to do again what has been done.
pub(super) async fn settle(holdings: &Holdings, keys: &[u64], outputs: Outputs) -> Result<(), QueueError> {
    let held: Option<Vec<Held>> = keys.iter().map(|key| holdings.get(*key)).collect();
    let Some(held) = held else { return Err(QueueError::Lost) };
    let Some(link) = held.first().map(|held| held.link.clone()) else { return Err(QueueError::Lost) };
    if !held.iter().all(|held| Arc::ptr_eq(&held.link, &link)) {
        return Err(QueueError::Lost);
    }
    if !outputs.is_empty() {
        if !link.takes_messages().await {
            return Err(QueueError::Lost);
        }
        link.publish(outputs).await?;
    }
    acknowledge(held.iter()).await;
    // Last: what is dropped before it was acknowledged is given back.
    holdings.forget(keys.iter().copied());
    Ok(())
}
