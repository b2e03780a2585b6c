//! The end of a channel that messages were acknowledged on.
//!
//! An acknowledgement has no answer. The broker's side of the channel hands only so many at a time to a quorum queue, and drops
//! those that still wait when the channel closes: their messages come again, though they were settled (rabbitmq-server issue
//! 10327; seen with 3.10 after 300 one by one). So a channel stays open for a moment after the last of them. Its connection does
//! too: that one loses them as well has not been seen, but closing it closes its channels.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::Channel;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until};

/// How long the broker has to hand on what it was told. Most is handed on within milliseconds.
const LINGER: Duration = Duration::from_millis(500);

/// A channel that closes some time after it is dropped.
pub(super) struct Lingering(pub(super) Channel);

impl Drop for Lingering {
    fn drop(&mut self) {
        let channel = self.0.clone();
        // Without a runtime, nothing of the engine runs any more.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                sleep(LINGER).await;
                drop(channel);
            });
        }
    }
}

/// When something was last acknowledged on a connection.
#[derive(Default)]
pub(super) struct LastAck(Mutex<Option<Instant>>);

impl LastAck {
    pub(super) fn now(&self) {
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
