//! Acknowledging on one channel: what is settled at about the same moment goes in one frame.
//!
//! A frame costs the broker about the same for one message as for many: each is a command of the queue, which its nodes agree
//! on. So one task for each channel gathers what is settled (`books.rs` says which frame may take what).
//!
//! An acknowledgement has no answer. The broker's side of the channel hands only so many at a time to a quorum queue, and drops
//! those that still wait when the channel closes: their messages come again, though they were settled (rabbitmq-server issue
//! 10327; seen with 3.10 after 300 one by one). So a channel stays open for a moment after the last of them. Its connection does
//! too: that one loses them as well has not been seen, but closing it closes its channels.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Channel, Error};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use super::books::{Books, Frames};
use super::fault;

/// How long the broker has to hand on what it was told. Most is handed on within milliseconds.
const LINGER: Duration = Duration::from_millis(500);
/// How often all else that can run is let run before a frame goes out, so that more is in it. A lone one waits for nothing.
const TURNS: usize = 4;
/// Who is answered after one round, at most.
const AT_ONCE: usize = 512;

/// What arrived on a channel, and its acknowledgement. The channel closes some time after this is dropped.
pub(super) struct Acks {
    pub(super) channel: Channel,
    books: Arc<Mutex<Books>>,
    /// Who waits until what is in the books is sent.
    waiting: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl Acks {
    pub(super) fn start(channel: Channel, last_ack: Arc<LastAck>) -> Self {
        let (books, (waiting, waiters)) = (Arc::default(), mpsc::unbounded_channel());
        let acking = Acking { channel: channel.clone(), books: Arc::clone(&books), last_ack };
        tokio::spawn(acking.run(waiters));
        Self { channel, books, waiting }
    }

    /// To be told of every message in the order of their tags, before anything else is told of it.
    pub(super) fn arrived(&self, tag: u64) {
        lock(&self.books).arrived(tag);
    }

    /// Whether anything can still be acknowledged here.
    pub(super) fn is_open(&self) -> bool {
        self.channel.status().connected()
    }

    /// Whether the message is held, and neither acknowledged nor requeued: from the moment at which that is told.
    pub(super) fn holds(&self, tag: u64) -> bool {
        lock(&self.books).holds(tag)
    }

    /// Returns once the frame is sent, or cannot be; then the message comes again.
    ///
    /// Who stops waiting has it acknowledged all the same.
    pub(super) async fn acknowledge(&self, tag: u64) {
        if lock(&self.books).acknowledge(tag) {
            self.sent().await;
        }
    }

    /// Has the broker hand it out again.
    pub(super) async fn requeue(&self, tag: u64) {
        if lock(&self.books).requeue(tag) {
            self.sent().await;
        }
    }

    async fn sent(&self) {
        let (answer, answered) = oneshot::channel();
        if self.waiting.send(answer).is_ok() {
            // Fails with the runtime, which nothing outlives.
            let _ = answered.await;
        }
    }
}

/// The task that sends a channel's acknowledgements: alone, so that they go out in the order of the books.
struct Acking {
    channel: Channel,
    books: Arc<Mutex<Books>>,
    last_ack: Arc<LastAck>,
}

impl Acking {
    async fn run(self, mut waiters: mpsc::UnboundedReceiver<oneshot::Sender<()>>) {
        let mut answered = Vec::with_capacity(AT_ONCE);
        while waiters.recv_many(&mut answered, AT_ONCE).await > 0 {
            for _ in 0..TURNS {
                yield_now().await;
            }
            // Before the books are asked: whoever waits by then is in them.
            answered.extend(std::iter::from_fn(|| waiters.try_recv().ok()));
            let frames = lock(&self.books).frames();
            if let Err(error) = self.send(frames).await {
                tracing::debug!(reason = %fault::short(&error), "messages could not be acknowledged; they come again");
            }
            self.last_ack.now();
            for answer in answered.drain(..) {
                // Fails when it waits no more.
                let _ = answer.send(());
            }
        }
        // Nobody holds anything of it any more.
        sleep(LINGER).await;
    }

    async fn send(&self, frames: Frames) -> Result<(), Error> {
        let requeue = BasicNackOptions { requeue: true, ..Default::default() };
        // Before all that takes several: a frame must not take what goes back.
        try_join_all(frames.requeue.into_iter().map(|tag| self.channel.basic_nack(tag, requeue))).await?;
        let through = frames.through.into_iter().map(|tag| (tag, true));
        let alone = frames.alone.into_iter().map(|tag| (tag, false));
        let ack = |(tag, multiple)| self.channel.basic_ack(tag, BasicAckOptions { multiple });
        try_join_all(through.chain(alone).map(ack)).await.map(drop)
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When something was last acknowledged on a connection.
#[derive(Default)]
pub(super) struct LastAck(Mutex<Option<Instant>>);

impl LastAck {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Waits until the broker has had its time.
    pub(super) async fn handed_on(&self) {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last {
            sleep_until(last + LINGER).await;
        }
    }
}
