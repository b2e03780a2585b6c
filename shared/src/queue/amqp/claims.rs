//! Claims and the handles that settle them.

use std::sync::Arc;
use std::time::Duration;

use super::consumer::Subscription;
use super::removal::Removing;
use super::{Engine, Shared};
use crate::queue::{QueueError, RawClaim, Right};

/// The most that one call claims, whatever it asks for.
const MOST_AT_ONCE: usize = 512;
/// How long what cannot be read is kept out of the way. Brokers up to 4.2 end a channel, with everything that is held on it, once
/// something was held for half an hour.
const ASIDE: Duration = Duration::from_mins(15);
/// What a quorum queue hands out ahead at most.
const PREFETCH_MAX: usize = 2000;

/// One consumer of a topic. It subscribes at the first call of [`next`](Self::next).
pub(in crate::queue) struct Claims {
    engine: Engine,
    topic: Arc<str>,
    ahead: usize,
    removing: Option<Removing>,
    subscription: Option<Subscription>,
    /// Messages of this subscription that cannot be read and take up its room.
    aside: usize,
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims").field("topic", &self.topic).field("ahead", &self.ahead).finish_non_exhaustive()
    }
}

impl Claims {
    pub(super) fn new(engine: Engine, topic: Arc<str>) -> Self {
        Self { engine, topic, ahead: 1, removing: None, subscription: None, aside: 0 }
    }

    /// All messages of a place, whatever their time.
    pub(super) fn to_remove(engine: Engine, place: Arc<str>, removing: Removing) -> Self {
        Self { removing: Some(removing), ..Self::new(engine, place) }
    }

    pub(in crate::queue) fn ahead(&mut self, messages: usize) {
        self.ahead = messages.clamp(1, PREFETCH_MAX);
    }

    pub(in crate::queue) fn rest(&mut self) {
        self.subscription = None;
    }

    pub(in crate::queue) fn set_aside(&mut self) {
        self.aside += 1;
    }

    /// Waits for at least one message.
    pub(in crate::queue) async fn next(&mut self, max: usize) -> Result<Vec<RawClaim>, QueueError> {
        let shared = self.engine.shared().clone();
        let max = max.clamp(1, MOST_AT_ONCE);
        loop {
            if shared.stop.is_cancelled() {
                return Err(QueueError::Closed);
            }
            let arrived = &mut self.subscribed(max).arrived;
            let mut some = Vec::with_capacity(max.min(arrived.len().max(1)));
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => return Err(QueueError::Closed),
                count = arrived.recv_many(&mut some, max) => if count == 0 {
                    // It ends with the engine alone.
                    return Err(QueueError::Closed);
                },
            }
            // What was lost with its connection comes again.
            some.retain(|claim| matches!(&claim.handle.0, Right::Amqp(handle) if handle.is_ours()));
            if !some.is_empty() {
                return Ok(some);
            }
        }
    }

    /// The subscription, made anew where more is wanted of it than it was made for.
    fn subscribed(&mut self, max: usize) -> &mut Subscription {
        let wanted = u16::try_from(max.max(self.ahead)).unwrap_or(u16::MAX);
        let crowded = |s: &Subscription| self.aside * 2 >= usize::from(s.prefetch);
        let subscription =
            self.subscription.take().filter(|s| s.prefetch >= wanted && !crowded(s) || !s.arrived.is_empty());
        if subscription.is_none() {
            self.aside = 0;
        }
        let start = || Subscription::start(self.engine.shared(), &self.topic, wanted, self.removing);
        self.subscription.insert(subscription.unwrap_or_else(start))
    }
}

/// The right to settle one message. Dropping it gives the message back.
pub(in crate::queue) struct Handle {
    shared: Arc<Shared>,
    key: u64,
    /// Whether dropping gives back.
    armed: bool,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>, key: u64) -> Self {
        Self { shared, key, armed: true }
    }

    pub(in crate::queue) fn is_ours(&self) -> bool {
        self.shared.holdings.is_ours(self.key)
    }

    /// Keeps the message with this process for a while, and then gives it back.
    pub(in crate::queue) fn set_aside(mut self) {
        self.armed = false;
        let (shared, key) = (self.shared.clone(), self.key);
        let (tasks, stop, clock) = (&self.shared.tasks, shared.stop.clone(), shared.clock.clone());
        tasks.spawn(async move {
            tokio::select! {
                // Then all that is held is given back.
                () = stop.cancelled() => {}
                () = clock.sleep(ASIDE) => shared.give_back(key, Duration::ZERO),
            }
        });
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.armed {
            self.shared.give_back(self.key, Duration::ZERO);
        }
    }
}

/// Makes `outputs` durable, and then the messages of `handles` are gone.
pub(in crate::queue) async fn settle(
    mut handles: Vec<Handle>,
    outputs: Vec<crate::queue::Message>,
) -> Result<(), QueueError> {
    let Some(shared) = handles.first().map(|h| h.shared.clone()) else { return Err(QueueError::Lost) };
    if !handles.iter().all(|h| Arc::ptr_eq(&h.shared, &shared)) {
        return Err(QueueError::Lost);
    }
    if shared.stop.is_cancelled() {
        return Err(QueueError::Closed);
    }
    let outputs = shared.outgoing(outputs).await?;
    let keys: Vec<u64> = handles.iter().map(|h| h.key).collect();
    super::held::settle(&shared.holdings, &keys, outputs).await?;
    handles.iter_mut().for_each(|h| h.armed = false);
    Ok(())
}
