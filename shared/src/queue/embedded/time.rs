//! The engine's own time, in milliseconds.
//!
//! Invariant: it never goes back, neither while running nor over a restart. It starts at the wall clock or where it last
//! stood, whichever is later, and from there follows the monotonic reading, so that a corrected wall clock makes neither a
//! storm of early messages nor a stall.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;

/// The longest delay. A due time further away than this comes from a broken clock and is pulled in at the next start.
pub(super) const LONGEST_DELAY: Duration = Duration::from_hours(30 * 24);

/// The engine's time since it was opened.
#[derive(Debug)]
pub(super) struct EngineTime {
    clock: Clock,
    base: i64,
    opened: Duration,
}

impl EngineTime {
    /// Starts at the wall clock, or at `last`, where the engine's time last stood.
    pub(super) fn start(clock: Clock, last: i64) -> Self {
        let base = clock.now().as_millisecond().max(last);
        let opened = clock.monotonic();
        Self { clock, base, opened }
    }

    /// Now, for telling what is due: rounded down.
    pub(super) fn now(&self) -> i64 {
        self.base + millis(self.elapsed())
    }

    /// When something that is delayed by `delay` from now is due: rounded up, so that it is never early.
    pub(super) fn due_in(&self, delay: Duration) -> i64 {
        self.base + millis_up(self.elapsed()) + millis_up(delay).max(1)
    }

    /// The clock's monotonic reading at which `due` is reached.
    pub(super) fn reading_at(&self, due: i64) -> Duration {
        self.opened + Duration::from_millis(u64::try_from(due - self.base).unwrap_or(0))
    }

    /// When the wall clock will show that `due` is reached; `None` when it is.
    pub(super) fn wall(&self, due: i64) -> Option<Timestamp> {
        let left = due - self.now();
        (left > 0).then(|| self.clock.now() + Duration::from_millis(left.unsigned_abs()))
    }

    /// The clock's monotonic reading.
    pub(super) fn reading(&self) -> Duration {
        self.clock.monotonic()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.opened)
    }
}

/// How long from now until the wall clock shows `at`; `None` when it already does.
pub(super) fn delay_until(clock: &Clock, at: Timestamp) -> Option<Duration> {
    let delay = Duration::try_from(at.duration_since(clock.now())).ok()?;
    (!delay.is_zero()).then(|| delay.min(LONGEST_DELAY))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn millis_up(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_starts_before_where_it_last_stood() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let time = EngineTime::start(clock.clone(), 5_000);
        assert_eq!(time.now(), 5_000);
        clock.advance(Duration::from_millis(7));
        clock.jump(jiff::SignedDuration::from_hours(-1));
        assert_eq!(time.now(), 5_007);
    }

    #[test]
    fn nothing_is_due_early_by_a_fraction() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let time = EngineTime::start(clock.clone(), 0);
        clock.advance(Duration::from_micros(900));
        let due = time.due_in(Duration::from_millis(5));
        clock.advance(Duration::from_micros(4_999));
        assert!(time.now() < due);
        assert!(time.reading_at(due) >= Duration::from_micros(5_900));
    }

    #[test]
    fn a_time_that_has_passed_is_no_delay() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        assert_eq!(delay_until(&clock, Timestamp::UNIX_EPOCH), None);
        assert_eq!(delay_until(&clock, Timestamp::MIN), None);
        assert_eq!(delay_until(&clock, Timestamp::MAX), Some(LONGEST_DELAY));
    }
}
