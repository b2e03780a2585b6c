//! The bodies that came lately, so that a resend is answered with the first lead's id over the edge of a window too.
//!
//! An entry is made only when the first was stored. A resend that comes while the first is still being published waits
//! for its outcome, and is tried itself where the first failed. Memory is bounded: two generations, of which the older one
//! goes when the younger is full.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::id::LeadId;
use tokio::sync::oneshot;

use crate::identify::Identity;

/// The bodies that came lately.
pub(crate) struct Recent {
    clock: Clock,
    generation_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    young: HashMap<u128, Stored>,
    old: HashMap<u128, Stored>,
    /// Being published now, with those who wait for the outcome: dropping their senders wakes them.
    underway: HashMap<u128, Vec<oneshot::Sender<()>>>,
}

#[derive(Clone, Copy)]
struct Stored {
    id: LeadId,
    body: u64,
    /// The monotonic reading in milliseconds.
    at_ms: u64,
}

/// What a body is to those that came lately.
pub(crate) enum Entered<'a> {
    /// The first of its kind: publish it.
    First(Turn<'a>),
    /// A resend of this lead.
    Resend(LeadId),
    /// The sender's key came with another body.
    OtherBody,
}

/// The right to publish one body; dropped without [`Turn::stored`], whoever waits for it is tried next.
pub(crate) struct Turn<'a> {
    recent: &'a Recent,
    identity: Identity,
}

impl Recent {
    pub(crate) fn new(max: usize, clock: Clock) -> Self {
        Self { clock, generation_max: max.div_ceil(2).max(1), inner: Mutex::default() }
    }

    /// Finds what a body is, waiting while its like is being published.
    pub(crate) async fn enter(&self, identity: Identity, window: Duration) -> Entered<'_> {
        loop {
            let outcome = {
                let now_ms = self.now_ms();
                let mut inner = self.lock();
                match inner
                    .find(identity.key)
                    .filter(|s| u128::from(now_ms.saturating_sub(s.at_ms)) < window.as_millis())
                {
                    Some(stored) if stored.body != identity.body => return Entered::OtherBody,
                    Some(stored) => return Entered::Resend(stored.id),
                    None => {}
                }
                match inner.underway.get_mut(&identity.key) {
                    None => {
                        inner.underway.insert(identity.key, Vec::new());
                        return Entered::First(Turn { recent: self, identity });
                    }
                    Some(waiting) => {
                        let (wake, outcome) = oneshot::channel();
                        waiting.push(wake);
                        outcome
                    }
                }
            };
            // Ends with an error, always: the sender is dropped when the turn is over.
            let _ = outcome.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Inner {
    fn find(&self, key: u128) -> Option<Stored> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }
}

impl Turn<'_> {
    /// The body is stored as the lead `id`; from now on its like is a resend.
    pub(crate) fn stored(self, id: LeadId) {
        let at_ms = self.recent.now_ms();
        let mut inner = self.recent.lock();
        if inner.young.len() >= self.recent.generation_max {
            inner.old = std::mem::take(&mut inner.young);
        }
        inner.young.insert(self.identity.key, Stored { id, body: self.identity.body, at_ms });
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let waiting = self.recent.lock().underway.remove(&self.identity.key);
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn recent(max: usize) -> (Recent, Clock) {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().expect("a time"));
        (Recent::new(max, clock.clone()), clock)
    }

    fn identity(n: u128) -> Identity {
        Identity { key: n, body: 7, id: LeadId::derive(&[&n.to_be_bytes()]) }
    }

    async fn store(recent: &Recent, n: u128) -> bool {
        match recent.enter(identity(n), WINDOW).await {
            Entered::First(turn) => {
                turn.stored(identity(n).id);
                true
            }
            _ => false,
        }
    }

    #[tokio::test]
    async fn a_resend_is_known_until_the_window_ends() {
        let (recent, clock) = recent(8);
        assert!(store(&recent, 1).await);
        clock.advance(Duration::from_secs(59));
        assert!(matches!(recent.enter(identity(1), WINDOW).await, Entered::Resend(id) if id == identity(1).id));
        clock.jump(jiff::SignedDuration::from_hours(9));
        assert!(!store(&recent, 1).await, "a corrected wall clock changes nothing");
        clock.advance(Duration::from_secs(1));
        assert!(store(&recent, 1).await);
    }

    #[tokio::test]
    async fn the_same_key_with_another_body_is_told_apart() {
        let (recent, _) = recent(8);
        assert!(store(&recent, 1).await);
        assert!(matches!(recent.enter(Identity { body: 8, ..identity(1) }, WINDOW).await, Entered::OtherBody));
    }

    #[tokio::test]
    async fn waiting_ends_with_the_firsts_outcome() {
        let (recent, _) = recent(8);
        let Entered::First(first) = recent.enter(identity(1), WINDOW).await else { panic!("nobody was before it") };
        let mut second = std::pin::pin!(recent.enter(identity(1), WINDOW));
        let mut third = std::pin::pin!(recent.enter(identity(1), WINDOW));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(first);
        let Entered::First(second) = second.await else { panic!("the first failed, so the second is tried") };
        assert!(futures_util::poll!(&mut third).is_pending());
        second.stored(identity(1).id);
        assert!(matches!(third.await, Entered::Resend(_)));
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_youngest_stay() {
        let (recent, _) = recent(100);
        for n in 0..1000 {
            assert!(store(&recent, n).await);
        }
        let inner = recent.lock();
        assert!(inner.young.len() + inner.old.len() <= 100);
        assert!(inner.underway.is_empty());
        assert!((950..1000).all(|n| inner.find(n).is_some()));
    }
}
