//! The only source of time. Real, or moved by a test.
//!
//! Two readings: `now` is the wall clock, which may jump; `monotonic` never does. Whatever waits, waits on the monotonic
//! reading, so that a corrected wall clock causes neither a storm of early retries nor a stall.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// A source of time; clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Real { started: Instant },
    Manual(Arc<watch::Sender<Reading>>),
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: Timestamp,
    monotonic: Duration,
}

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask the machine for the time")]
    pub fn real() -> Self {
        Self(Kind::Real { started: Instant::now() })
    }

    /// A clock that stands at `start` until a test moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Kind::Manual(Arc::new(watch::Sender::new(Reading { wall: start, monotonic: Duration::ZERO }))))
    }

    /// The wall clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask the machine for the time")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::Real { .. } => Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH),
            Kind::Manual(reading) => reading.borrow().wall,
        }
    }

    /// Time since this clock was made; never goes back.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Kind::Real { started } => started.elapsed(),
            Kind::Manual(reading) => reading.borrow().monotonic,
        }
    }

    /// Waits until `duration` has passed on the monotonic reading.
    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.monotonic() + duration).await;
    }

    /// Waits until the monotonic reading is at `until`. Unlike `sleep`, it cannot miss a move that came after its caller
    /// looked at the clock.
    pub async fn sleep_until(&self, until: Duration) {
        match &self.0 {
            Kind::Real { started } => tokio::time::sleep(until.saturating_sub(started.elapsed())).await,
            Kind::Manual(reading) => {
                // Fails only when the sender is gone, and `self` holds it.
                let _ = reading.subscribe().wait_for(|r| r.monotonic >= until).await;
            }
        }
    }

    /// Lets `duration` pass on a manual clock, waking those who waited for it. A real clock is not moved.
    pub fn advance(&self, duration: Duration) {
        if let Kind::Manual(reading) = &self.0 {
            reading.send_modify(|r| {
                r.monotonic += duration;
                r.wall += duration;
            });
        }
    }

    /// Moves the wall clock of a manual clock alone, as an administrator or a time server would.
    pub fn jump(&self, by: SignedDuration) {
        if let Kind::Manual(reading) = &self.0 {
            reading.send_modify(|r| r.wall += by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_time_is_moved_and_not_when_the_wall_jumps() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(10)).await }
        });
        tokio::task::yield_now().await;
        clock.jump(SignedDuration::from_hours(1));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(10));
        sleeper.await.expect("the sleeper ends");
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH + SignedDuration::from_secs(3610));
    }
}
