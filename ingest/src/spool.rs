//! The spool: what the queue did not take, on this machine's disk until it does.
//!
//! Invariant: a message leaves the spool only after the queue has confirmed it. A crash in between forwards it again under the
//! same id. One process owns the spool; another on the same directory does not start.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leadrelay_shared::queue::embedded::{OpenError, Settings};
use leadrelay_shared::queue::{Carried, Carrier, Health, Message, Queue, QueueError, Topic, TopicStats, settle_all};
use leadrelay_shared::service::{Ctx, RunError, Status, Stop};
use leadrelay_shared::telemetry::metrics;
use tokio::sync::watch;

use crate::outbox::Road;

/// The most bytes of the largest leads that are forwarded at once, for each of the two topics.
const BATCH_BYTES: u64 = 8 << 20;
/// The most messages that are forwarded at once.
const BATCH: usize = 256;
/// How long to wait after the queue, although it says that it takes messages, did not take what was forwarded: first, and at
/// most.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often a spool is tried that cannot be opened.
const OPEN_EVERY: Duration = Duration::from_secs(30);
/// How long a stop waits for what can be forwarded.
const LAST_MOMENT: Duration = Duration::from_secs(3);

/// The spool of this process.
pub(crate) struct Spool {
    road: Road,
    settings: Settings,
    status: Status,
    /// Whether new messages may go into it; else it only empties itself.
    wanted: bool,
    store: OnceLock<Queue>,
    /// The queue did not take what it was given last. Until something is forwarded, new messages come here at once.
    away: AtomicBool,
    batch: usize,
    /// Told each time something was forwarded.
    forwarded: watch::Sender<()>,
}

impl Spool {
    /// Opens it where it is wanted and where an earlier run has left one. One that cannot be opened is tried again for as long
    /// as the service runs, which takes leads without it.
    pub(crate) fn open(ctx: &Ctx, road: Road, wanted: bool) -> Result<Option<Self>, RunError> {
        let limits = &ctx.config().queue;
        let dir = ctx.loaded.data_dir().join("spool");
        if !wanted && !dir.join("queue.db").exists() {
            return Ok(None);
        }
        let spool = Self {
            road,
            settings: Settings { dir, max_size: limits.max_size.0, min_free: limits.min_free.0 },
            status: ctx.status.clone(),
            wanted,
            store: OnceLock::new(),
            away: AtomicBool::new(false),
            batch: ctx.config().ingest.bodies_within(BATCH_BYTES).min(BATCH),
            forwarded: watch::Sender::new(()),
        };
        match spool.try_open() {
            Ok(()) => {}
            Err(error @ OpenError::InUse { .. }) => return Err(RunError::Other(error.to_string())),
            Err(error) => {
                tracing::error!(%error, "there is no spool: while the queue is away, leads are answered 503");
                spool.tell(Err(error.to_string()));
            }
        }
        Ok(Some(spool))
    }

    fn try_open(&self) -> Result<(), OpenError> {
        let store = Queue::embedded(self.settings.clone(), self.road.clock.clone())?;
        self.tell(Ok(store.clone()));
        // Only one task opens it, and only while it is not open.
        let _ = self.store.set(store);
        Ok(())
    }

    fn tell(&self, spool: Result<Queue, String>) {
        if self.wanted {
            self.status.set_spool(spool);
        }
    }

    /// Whether it may be given messages.
    pub(crate) fn takes(&self) -> bool {
        self.wanted && self.store.get().is_some()
    }

    /// Whether messages go to the queue and not here.
    pub(crate) fn is_bypassed(&self) -> bool {
        !self.away.load(Ordering::Relaxed)
    }

    /// Notes that the queue did not take a message, which is about to be stored here.
    pub(crate) fn note_away(&self, error: &QueueError) {
        if !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the queue takes no leads; they go into the spool");
        }
    }

    fn note_back(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            tracing::info!("the queue takes leads again; those in the spool are forwarded");
        }
    }

    /// Makes a message durable here.
    pub(crate) async fn store(&self, message: Message) -> Result<(), QueueError> {
        let Some(store) = self.store.get() else { return Err(QueueError::Closed) };
        let stored = store.publish(vec![message]).await;
        match &stored {
            Ok(()) => metrics().spool_stored.add(1, &[]),
            // With nothing here, nothing would be forwarded that could tell that the queue is back: the next message asks.
            Err(_) => self.away.store(false, Ordering::Relaxed),
        }
        stored
    }

    /// Forwards what is here and what comes, until it is closed.
    pub(crate) async fn forward(&self) {
        while self.store.get().is_none() {
            self.road.clock.sleep(OPEN_EVERY).await;
            if self.try_open().is_ok() {
                tracing::info!("the spool is open");
            }
        }
        let Some(store) = self.store.get() else { return };
        let (leads, events) = (Topic::leads(), Topic::events());
        tokio::join!(self.forward_all(store.carrier(leads.name())), self.forward_all(store.carrier(events.name())));
    }

    async fn forward_all(&self, mut carrier: Carrier) {
        let mut health = self.road.queue.health();
        let (shortest, longest) = WAITS;
        let mut wait = shortest;
        loop {
            // Fails only when the engine is gone, and then publishing says so.
            let _ = health.wait_for(|health| *health == Health::Ready).await;
            let Ok(batch) = carrier.next(self.batch).await else { return };
            if self.pass_on(batch).await {
                wait = shortest;
            } else {
                self.road.clock.sleep(wait).await;
                wait = (wait * 2).min(longest);
            }
        }
    }

    /// Publishes a batch and then settles it. False when some of it has gone back and is to be tried again.
    async fn pass_on(&self, batch: Vec<Carried>) -> bool {
        let messages = batch.iter().map(|carried| carried.message.clone()).collect();
        match self.road.publish(messages).await {
            Ok(()) => self.passed(batch).await,
            // One that is not taken must not hold up the others.
            Err(QueueError::Blocked(_) | QueueError::Unknown(_)) if batch.len() > 1 && self.is_ready() => {
                self.pass_on_singly(batch).await
            }
            Err(error) => {
                tracing::debug!(%error, "the queue did not take what is in the spool");
                false
            }
        }
    }

    fn is_ready(&self) -> bool {
        *self.road.queue.health().borrow() == Health::Ready
    }

    async fn pass_on_singly(&self, batch: Vec<Carried>) -> bool {
        let count = batch.len();
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for carried in batch {
            match self.road.publish(vec![carried.message.clone()]).await {
                Ok(()) => taken.push(carried),
                Err(QueueError::Blocked(reason) | QueueError::Unknown(reason)) if self.is_ready() => {
                    tracing::debug!(reason, message.id = %carried.message.id(), "the queue did not take one");
                    left.push(carried);
                }
                Err(_) => break,
            }
        }
        let all = taken.len() == count;
        (taken.is_empty() || self.passed(taken).await) && all
    }

    /// Settles what the queue has.
    async fn passed(&self, batch: Vec<Carried>) -> bool {
        self.note_back();
        let count = batch.len() as u64;
        let handles = batch.into_iter().map(|carried| carried.handle).collect();
        if let Err(error) = settle_all(handles, Vec::new()).await {
            tracing::warn!(%error, count, "what was forwarded is still in the spool, and is forwarded again");
            return false;
        }
        metrics().spool_forwarded.add(count, &[]);
        self.forwarded.send_replace(());
        true
    }

    /// Waits a moment for what can be forwarded, and closes. What is left is forwarded at the next start.
    pub(crate) async fn finish(&self, stop: &Stop) {
        let Some(store) = self.store.get() else { return };
        let mut health = self.road.queue.health();
        tokio::select! {
            () = self.emptied(store) => {}
            // Fails only when the engine is gone.
            _ = health.wait_for(|health| *health != Health::Ready) => {}
            () = self.road.clock.sleep(LAST_MOMENT) => {}
            () = stop.immediate() => {}
        }
        let waiting = waiting(store).await;
        store.close().await;
        if waiting > 0 {
            tracing::info!(waiting, "the rest of the spool stays on disk and is forwarded at the next start");
        }
    }

    async fn emptied(&self, store: &Queue) {
        let mut forwarded = self.forwarded.subscribe();
        // Fails only when the sender is gone, and `self` holds it.
        while waiting(store).await > 0 && forwarded.changed().await.is_ok() {}
    }
}

/// What is in the spool; nothing can be said of a closed one.
async fn waiting(store: &Queue) -> u64 {
    store.stats().await.map_or(0, |topics| topics.iter().map(TopicStats::total).sum())
}
