//! The writer: the one thread that has the database open.
//!
//! Invariant: an op is answered after the transaction that holds it is on disk, or with an error. A failed commit is never
//! taken for one that happened.

mod batch;
mod gather;
mod tidy;
mod trouble;

use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use self::gather::Work;
use self::trouble::Trouble;
use super::Settings;
use super::books::Books;
use super::op::{GivenBack, Op, Shared};
use super::space::Space;
use super::store::{OpenError, Store};
use super::time::EngineTime;
use crate::clock::Clock;
use crate::queue::{Health, QueueError};

/// It never sleeps longer than this without looking again.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How often it looks whether it can write again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    settings: Settings,
    /// `None` after an error that a connection may not survive, until it is opened anew.
    store: Option<Store>,
    books: Books,
    time: EngineTime,
    space: Space,
    trouble: Option<Trouble>,
    /// All messages are being moved elsewhere, those too that are not due.
    leaving: bool,
    given_back: Arc<GivenBack>,
    shared: Weak<Shared>,
    health: watch::Sender<Health>,
    /// The engine's time as last stored.
    stored_time: i64,
    /// When to tidy up, on the monotonic reading.
    tidy_at: Option<Duration>,
    /// Whether pages were given back and the file is yet to shrink.
    vacuumed: bool,
    /// When to look at our own limits again, on the monotonic reading.
    look_at: Duration,
    /// Ops of the last transaction; about as many are on their way again.
    expected: usize,
}

/// Starts the thread. The lock is released, and then `closed` is told, when it ends.
pub(super) fn start(
    writer: Writer,
    todo: mpsc::Receiver<Op>,
    lock: File,
    closed: watch::Sender<bool>,
) -> Result<(), OpenError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(OpenError::Thread)?;
    let health = writer.health.clone();
    let run = move || {
        // Nothing of the writer is used after a panic: it is dropped, and all who wait for it are told by that.
        if std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(writer.run(todo)))).is_err() {
            tracing::error!("the queue's writer failed; nothing is lost, but leadrelay must be started again");
            health.send_replace(Health::Blocked("the queue's writer failed; start leadrelay again".to_owned()));
        }
        // In words and not by closing the file alone: a child that is just being started has a copy of it for a moment. Where
        // that fails, closing does it.
        let _ = lock.unlock();
        drop(lock);
        closed.send_replace(true);
    };
    std::thread::Builder::new().name("queue".to_owned()).spawn(run).map_err(OpenError::Thread)?;
    Ok(())
}

impl Writer {
    pub(super) fn open(
        settings: Settings,
        clock: Clock,
        given_back: Arc<GivenBack>,
        shared: Weak<Shared>,
        health: watch::Sender<Health>,
    ) -> Result<Self, OpenError> {
        let store = Store::open(&settings.dir, settings.max_size)?;
        let failed = |error| OpenError::Database { file: settings.dir.join("queue.db"), error };
        let time = EngineTime::start(clock, store.time().map_err(failed)?);
        let mut books = Books::default();
        books.load(&store, &time).map_err(failed)?;
        let mut space = Space::new(&settings);
        space.look(&store).map_err(failed)?;
        let writer = Self {
            space,
            settings,
            store: Some(store),
            books,
            trouble: None,
            leaving: false,
            given_back,
            shared,
            health,
            stored_time: 0,
            tidy_at: None,
            vacuumed: false,
            look_at: time.reading(),
            time,
            expected: 0,
        };
        writer.tell_health();
        Ok(writer)
    }

    async fn run(mut self, mut todo: mpsc::Receiver<Op>) {
        loop {
            let alarm = self.alarm();
            let op = tokio::select! {
                biased;
                op = todo.recv() => match op {
                    Some(op) => Some(op),
                    None => break,
                },
                () = self.time.clock().sleep_until(alarm) => None,
            };
            let work = self.gather(op, &mut todo);
            let close = work.close;
            self.step(work);
            if close {
                break;
            }
        }
        todo.close();
        while let Some(op) = todo.recv().await {
            refuse_closed(op);
        }
        self.end();
    }

    /// When to look again if nobody asks for anything.
    fn alarm(&self) -> Duration {
        let longest = self.time.reading() + LONGEST_SLEEP;
        if let Some(trouble) = &self.trouble {
            // Nothing else can be done until a probe has written.
            return longest.min(trouble.probe_at);
        }
        let due = self.books.awaited().map(|due| self.time.reading_at(due));
        let look = self.space.full().map(|_| self.look_at);
        [due, look, self.tidy_at].into_iter().flatten().fold(longest, Duration::min)
    }

    /// Does what was gathered, and what has become due meanwhile.
    fn step(&mut self, work: Work) {
        let busy = work.is_busy();
        self.probe();
        self.ripen();
        self.watch_space();
        self.transact(work.publishes, work.settles);
        for answer in work.stats {
            // The caller may have gone.
            let _ = answer.send(self.books.stats(self.store.as_ref(), self.time.now()));
        }
        self.tidy(busy);
        self.tell_health();
    }

    fn ripen(&mut self) {
        // In the books alone: on disk, everything keeps its time.
        let now = if self.leaving { i64::MAX } else { self.time.now() };
        if let Some(store) = &self.store
            && let Err(error) = self.books.ripen(store, now)
        {
            self.meet(&trouble::Fault::reading(&error));
        }
    }

    /// Looks at our own limits once a second while they hold us back.
    fn watch_space(&mut self) {
        let now = self.time.reading();
        if self.space.full().is_none() || now < self.look_at {
            return;
        }
        self.look_at = now + LOOK_AGAIN;
        if let Some(store) = &self.store
            && let Err(error) = self.space.look(store)
        {
            self.meet(&trouble::Fault::reading(&error));
        }
    }

    /// Why nothing may be published now.
    fn refusal(&self) -> Option<String> {
        let leaving = self.leaving.then_some("its messages are being moved to another queue");
        let reason = self.trouble.as_ref().map(|t| t.reason.as_str()).or(leaving).or_else(|| self.space.full());
        reason.map(str::to_owned)
    }

    fn tell_health(&self) {
        let health = self.refusal().map_or(Health::Ready, Health::Blocked);
        self.health.send_if_modified(|known| {
            let changed = *known != health;
            if changed {
                match &health {
                    Health::Ready => tracing::info!("the queue takes messages again"),
                    Health::Blocked(reason) => tracing::error!(reason, "the queue takes no messages"),
                }
                *known = health;
            }
            changed
        });
    }

    /// Gives all claims back and leaves one complete file.
    fn end(mut self) {
        let held: Vec<_> = self.given_back.take().into_iter().chain(self.books.held()).collect();
        let Some(store) = self.store.take() else { return };
        let write = || {
            store.begin()?;
            for seq in held {
                store.mark(seq, self.books.ended(seq))?;
            }
            store.set_time(self.time.now())?;
            store.commit()?;
            store.empty_log()
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "the queue could not be tidied up while closing; the next start does it");
        }
    }
}

/// Answers what came after the end.
fn refuse_closed(op: Op) {
    let answer = match op {
        Op::Publish(publish) => publish.answer,
        Op::Settle(settle) => settle.answer,
        // Those who wait for a claim or for figures learn it from the dropped answer.
        Op::Claim { .. } | Op::Stats(_) | Op::Look | Op::Leave | Op::Close => return,
    };
    // The caller may have gone.
    let _ = answer.send(Err(QueueError::Closed));
}
