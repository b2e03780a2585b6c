//! What all attempts at one destination share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};

use super::entry;
use super::gate::{Change, Gate, Leave, Now};
use crate::config::TooLong;
use crate::connector::Connector;
use crate::error::DeliveryError;
use crate::fields::Fields;
use crate::id::LeadId;
use crate::retry::Policy;
use crate::service::{Ctx, RunError};

/// Claims held for each slot, so that no slot waits for the disk; and never more of the largest bodies than so many bytes,
/// save that two full calls are.
const HELD_PER_SLOT: usize = 8;
const HELD_BYTES: u64 = 64 << 20;
const HELD_CALLS: usize = 2;

/// Checks are never more frequent, whatever the settings say.
const CHECK_EVERY_MIN: Duration = Duration::from_secs(1);

/// One destination's connector, and everything that its attempts share.
#[derive(Debug)]
pub(super) struct Desk<C> {
    pub(super) ctx: Ctx,
    pub(super) name: String,
    pub(super) connector: Arc<C>,
    /// Calls under way at once.
    pub(super) slots: Semaphore,
    /// Calls held at once: those that wait for a slot, that are being made, and whose outcome is on its way to disk. Where a
    /// call takes many deliveries none waits for a slot: what waits is better kept in the queue, where it becomes a full call.
    calls_max: usize,
    /// Deliveries held at once, in all of these calls.
    deliveries_max: usize,
    held: AtomicUsize,
    pub(super) timeout: Duration,
    pub(super) check_every: Duration,
    pub(super) policy: Policy,
    pub(super) too_long: TooLong,
    pub(super) fields: watch::Sender<Arc<Fields>>,
    gate: Mutex<Gate>,
    /// The last time at which an operator asked for a probe.
    asked_at: Mutex<Option<Timestamp>>,
    /// Told when the gate has changed.
    pub(super) changed: Notify,
}

impl<C: Connector> Desk<C> {
    pub(super) fn new(ctx: Ctx, name: String) -> Result<Self, RunError> {
        let wrong = |reason| RunError::Other(format!("destinations.{name}: {reason}"));
        let connector = entry::build::<C>(&ctx.loaded, &ctx.clock, &ctx.accounts, &name).map_err(wrong)?;
        let common = match ctx.config().destinations.get(&name) {
            Some(destination) => destination.common.clone(),
            None => return Err(wrong("there is no such destination".to_owned())),
        };
        let policy = common.retry.policy();
        Ok(Self {
            connector: Arc::new(connector),
            slots: Semaphore::new(common.concurrency),
            calls_max: if C::BATCH > 1 { common.concurrency } else { common.concurrency * HELD_PER_SLOT },
            deliveries_max: ctx.config().ingest.bodies_within(HELD_BYTES).max(if C::BATCH > 1 {
                HELD_CALLS * C::BATCH
            } else {
                common.concurrency
            }),
            held: AtomicUsize::new(0),
            timeout: common.timeout.0,
            check_every: common.check_every.0.max(CHECK_EVERY_MIN),
            policy,
            too_long: common.too_long,
            fields: watch::Sender::new(Arc::new(C::documented_fields())),
            gate: Mutex::new(Gate::new(policy, common.retry.pause_after)),
            asked_at: Mutex::new(None),
            changed: Notify::new(),
            ctx,
            name,
        })
    }

    /// What may be claimed now, while `running` calls are under way.
    pub(super) fn leave(&self, running: usize) -> Leave {
        self.gate().leave(self.ctx.clock.monotonic(), running)
    }

    /// How many deliveries may be claimed beside what `running` calls hold: as many as make full calls.
    pub(super) fn room(&self, running: usize) -> usize {
        let calls = self.calls_max.saturating_sub(running);
        let deliveries = self.deliveries_max.saturating_sub(self.held.load(Ordering::SeqCst));
        calls.saturating_mul(C::BATCH).min(deliveries) / C::BATCH * C::BATCH
    }

    /// Takes note of deliveries that are held until what is given back is dropped.
    pub(super) fn hold(self: &Arc<Self>, deliveries: usize) -> Held<C> {
        self.held.fetch_add(deliveries, Ordering::SeqCst);
        Held(self.clone(), deliveries)
    }

    pub(super) fn probe_now(&self) {
        self.gate().probe_now();
    }

    pub(super) fn report(&self, outcome: Result<(), &DeliveryError>, now: Now) -> Option<Change> {
        let jitter = self.jitter();
        let change = self.gate().report(outcome, now, jitter);
        if change.is_some() {
            self.changed.notify_one();
        }
        change
    }

    /// Pauses it for what another destination of its account has met.
    pub(super) fn pause_with(&self, error: &DeliveryError, until: Timestamp, now: Now) -> Option<Change> {
        let change = self.gate().pause_with(error, until, now);
        if change.is_some() {
            self.changed.notify_one();
        }
        change
    }

    /// Whether a call may begin that was claimed for a moment ago.
    pub(super) fn may_call(&self) -> bool {
        !self.gate().is_paused() && !self.is_paused_by_hand() && !self.ctx.stop.is_draining()
    }

    /// Whether operators have paused this destination.
    pub(super) fn is_paused_by_hand(&self) -> bool {
        self.ctx.queue.control().borrow().as_ref().is_some_and(|c| c.is_paused(&self.name))
    }

    pub(super) fn is_erased(&self, lead: LeadId) -> bool {
        self.ctx.queue.control().borrow().as_ref().is_some_and(|c| c.is_erased(lead))
    }

    /// Takes note of whether an outcome could be stored.
    pub(super) fn settled(&self, stored: bool) {
        self.gate().settled(stored, self.ctx.clock.monotonic());
        if !stored {
            self.changed.notify_one();
        }
    }

    /// Takes note of when an operator last asked for a probe; whether that is news.
    pub(super) fn is_asked(&self, at: Option<Timestamp>) -> bool {
        let mut last = self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some() && std::mem::replace(&mut *last, at) != at
    }

    /// A random number in `0.0..=1.0`.
    pub(super) fn jitter(&self) -> f64 {
        // Without the machine's randomness the full delay is right too.
        getrandom::u32().map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX))
    }

    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deliveries that are held.
pub(super) struct Held<C: Connector>(Arc<Desk<C>>, usize);

impl<C: Connector> Drop for Held<C> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(self.1, Ordering::SeqCst);
    }
}
