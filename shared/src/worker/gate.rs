//! Whether a destination may be tried now: open, paused until a time, or being probed with one delivery.
//!
//! Pausing is not failing: while a destination is paused its backlog waits in its own queue and no attempt is counted.
//! The gate is a plain state machine; it is told outcomes and the monotonic time, and it says what changed.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Blame, DeliveryError, ErrorKind};
use crate::event::PauseCause;
use crate::retry::Policy;

/// The first wait after a refused credential or wrong settings: nobody mends those within seconds, and a refused
/// credential that is tried again and again gets its account locked.
const REFUSED_FIRST_WAIT: Duration = Duration::from_secs(60);

/// The longest wait after outcomes could not be stored.
const UNSETTLED_WAIT_MAX: Duration = Duration::from_secs(30);

/// The gate of one destination.
#[derive(Debug)]
pub(super) struct Gate {
    state: State,
    policy: Policy,
    pause_after: u32,
    /// Outcomes in a row that could not be stored. Above zero, one delivery at a time and with a wait before it: to
    /// deliver what cannot be settled is to deliver it twice.
    unsettled: u32,
    hold_until: Duration,
}

#[derive(Debug, PartialEq)]
enum State {
    Open { failures: u32 },
    Paused { until: Duration, tries: u32 },
    Probing { tries: u32 },
}

/// What may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// As much as there are slots for.
    Full,
    /// One delivery, whose outcome decides.
    Probe,
    /// Nothing for this long.
    Wait(Duration),
}

/// What an outcome changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The destination is not to be tried until `until`.
    Paused {
        /// Why.
        cause: PauseCause,
        /// The time of the next probe.
        until: Timestamp,
    },
    /// It works again.
    Resumed,
}

/// The present, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) wall: Timestamp,
    pub(super) monotonic: Duration,
}

impl Gate {
    pub(super) fn new(policy: Policy, pause_after: u32) -> Self {
        Self { state: State::Open { failures: 0 }, policy, pause_after, unsettled: 0, hold_until: Duration::ZERO }
    }

    /// What may be claimed now, while `running` calls are under way. A pause whose time has come turns into a probe as soon
    /// as nothing runs any more: the end of an attempt from before the pause is not the probe's.
    pub(super) fn leave(&mut self, now: Duration, running: usize) -> Leave {
        if now < self.hold_until {
            return Leave::Wait(self.hold_until - now);
        }
        if let State::Paused { until, tries } = self.state {
            if now < until {
                return Leave::Wait(until - now);
            }
            if running == 0 {
                self.state = State::Probing { tries };
            }
        }
        match self.state {
            State::Open { .. } if self.unsettled == 0 => Leave::Full,
            _ => Leave::Probe,
        }
    }

    /// Takes note of whether an outcome could be stored.
    pub(super) fn settled(&mut self, stored: bool, now: Duration) {
        if stored {
            (self.unsettled, self.hold_until) = (0, Duration::ZERO);
        } else {
            self.hold_until = now + UNSETTLED_WAIT_MAX.min(Duration::from_secs(1 << self.unsettled.min(5)));
            self.unsettled = self.unsettled.saturating_add(1);
        }
    }

    /// An operator asks for a probe now.
    pub(super) fn probe_now(&mut self) {
        if let State::Paused { until, .. } = &mut self.state {
            *until = Duration::ZERO;
        }
    }

    /// Takes the outcome of an attempt; `jitter` is a random number in `0.0..=1.0`.
    pub(super) fn report(&mut self, outcome: Result<(), &DeliveryError>, now: Now, jitter: f64) -> Option<Change> {
        if let State::Paused { until, .. } = &mut self.state {
            // It was under way when the pause began. That it arrived does not end a pause which the destination asked for
            // since; that it is to wait longer than we knew counts.
            let error = outcome.err()?;
            let asked = now.monotonic + Self::asked(error, now.wall)?;
            if asked <= *until {
                return None;
            }
            *until = asked;
            return Some(Self::paused(error, asked - now.monotonic, now.wall));
        }
        let error = match outcome {
            // An answer about the lead still is an answer: the destination is there.
            Ok(()) => return self.works(),
            Err(error) if error.kind.about() == Blame::Lead => return self.works(),
            Err(error) => error,
        };
        let tries = match self.state {
            // What nobody understands (a connector that panics, too) proves neither that it works nor that it does not.
            State::Open { .. } if error.kind.about() == Blame::Unknown => return None,
            State::Open { failures } if !self.is_enough(error.kind, failures + 1) => {
                self.state = State::Open { failures: failures + 1 };
                return None;
            }
            State::Open { .. } | State::Paused { .. } => 1,
            State::Probing { tries } => tries + 1,
        };
        let wait = self.wait(error, tries, now.wall, jitter);
        self.state = State::Paused { until: now.monotonic + wait, tries };
        Some(Self::paused(error, wait, now.wall))
    }

    /// Pauses until a time for what another destination of the same account has met, unless it is paused for longer.
    pub(super) fn pause_with(&mut self, error: &DeliveryError, until: Timestamp, now: Now) -> Option<Change> {
        let wait = Duration::try_from(until.duration_since(now.wall)).ok()?;
        let asked = now.monotonic + wait;
        let tries = match self.state {
            State::Paused { until, .. } if asked <= until => return None,
            State::Paused { tries, .. } | State::Probing { tries } => tries,
            State::Open { .. } => 1,
        };
        self.state = State::Paused { until: asked, tries };
        Some(Self::paused(error, wait, now.wall))
    }

    fn paused(error: &DeliveryError, wait: Duration, now: Timestamp) -> Change {
        let until = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        Change::Paused { cause: PauseCause::Failing { error: error.clone() }, until }
    }

    /// How long the destination itself asks to be left alone.
    fn asked(error: &DeliveryError, now: Timestamp) -> Option<Duration> {
        Duration::try_from(error.retry_at?.duration_since(now)).ok()
    }

    /// Whether a call may begin that was claimed for while the gate was open.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused { .. })
    }

    /// Quota and credentials pause at once, unreachability after some failures in a row.
    fn is_enough(&self, kind: ErrorKind, failures: u32) -> bool {
        matches!(kind, ErrorKind::Throttled | ErrorKind::Unauthorized | ErrorKind::Misconfigured)
            || failures >= self.pause_after
    }

    fn works(&mut self) -> Option<Change> {
        let was = std::mem::replace(&mut self.state, State::Open { failures: 0 });
        (!matches!(was, State::Open { .. })).then_some(Change::Resumed)
    }

    fn wait(&self, error: &DeliveryError, tries: u32, now: Timestamp, jitter: f64) -> Duration {
        let own = match error.kind {
            ErrorKind::Unauthorized | ErrorKind::Misconfigured => REFUSED_FIRST_WAIT
                .saturating_mul(1 << (tries - 1).min(10))
                .min(self.policy.max_delay.max(REFUSED_FIRST_WAIT)),
            // At least half of the bound: a pause of nearly nothing is none.
            _ => self.policy.bound(tries).mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0)),
        };
        // The server's time counts in full, and then only our own wait above zero does.
        Self::asked(error, now).unwrap_or(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(Policy::default(), 3)
    }

    fn at(seconds: u64) -> Now {
        Now { wall: Timestamp::UNIX_EPOCH + Duration::from_secs(seconds), monotonic: Duration::from_secs(seconds) }
    }

    fn failure(kind: ErrorKind) -> DeliveryError {
        DeliveryError::new(kind, "no")
    }

    #[test]
    fn it_pauses_after_failures_in_a_row_and_not_before() {
        let mut gate = gate();
        let down = failure(ErrorKind::Unavailable);
        assert_eq!(gate.report(Err(&down), at(0), 1.0), None);
        assert_eq!(gate.report(Err(&down), at(0), 1.0), None);
        assert_eq!(gate.report(Ok(()), at(0), 1.0), None, "a success in between starts the count again");
        assert_eq!(gate.report(Err(&down), at(0), 1.0), None);
        assert_eq!(gate.report(Err(&down), at(0), 1.0), None);
        assert!(matches!(gate.report(Err(&down), at(0), 1.0), Some(Change::Paused { .. })));
        assert_eq!(gate.leave(Duration::ZERO, 0), Leave::Wait(Duration::from_secs(5)));
    }

    #[test]
    fn one_probe_at_a_time_and_longer_waits_until_it_works() {
        let mut gate = gate();
        let refused = failure(ErrorKind::Unauthorized);
        assert!(gate.report(Err(&refused), at(0), 1.0).is_some(), "a refused credential pauses at once");
        assert_eq!(gate.report(Err(&refused), at(1), 1.0), None, "what was under way says nothing new");
        assert_eq!(gate.leave(Duration::from_secs(60), 0), Leave::Probe);
        assert!(gate.report(Err(&refused), at(60), 1.0).is_some());
        assert_eq!(gate.leave(Duration::from_secs(60), 0), Leave::Wait(Duration::from_secs(120)));
        gate.probe_now();
        assert_eq!(gate.leave(Duration::from_secs(61), 0), Leave::Probe);
        assert_eq!(gate.report(Ok(()), at(61), 1.0), Some(Change::Resumed));
        assert_eq!(gate.leave(Duration::from_secs(61), 0), Leave::Full);
    }

    #[test]
    fn the_servers_time_is_honoured_in_full() {
        let mut gate = gate();
        let asked = at(7200).wall;
        let throttled = failure(ErrorKind::Throttled).retry_at(Some(asked));
        let change = gate.report(Err(&throttled), at(0), 0.0);
        assert!(matches!(change, Some(Change::Paused { until, .. }) if until == asked), "{change:?}");
        assert_eq!(gate.leave(Duration::from_secs(7199), 0), Leave::Wait(Duration::from_secs(1)));
        assert_eq!(gate.leave(Duration::from_secs(7200), 0), Leave::Probe);
    }

    #[test]
    fn what_cannot_be_stored_is_not_delivered_in_bulk() {
        let mut gate = gate();
        gate.settled(false, Duration::ZERO);
        assert_eq!(gate.leave(Duration::ZERO, 0), Leave::Wait(Duration::from_secs(1)));
        assert_eq!(gate.leave(Duration::from_secs(1), 0), Leave::Probe);
        gate.settled(false, Duration::from_secs(1));
        assert_eq!(gate.leave(Duration::from_secs(1), 0), Leave::Wait(Duration::from_secs(2)));
        gate.settled(true, Duration::from_secs(3));
        assert_eq!(gate.leave(Duration::from_secs(3), 0), Leave::Full);
    }

    #[test]
    fn a_refused_lead_proves_that_the_destination_is_there() {
        let mut gate = gate();
        let down = failure(ErrorKind::Throttled);
        gate.report(Err(&down), at(0), 1.0);
        assert_eq!(gate.leave(Duration::from_secs(60), 0), Leave::Probe);
        assert_eq!(gate.report(Err(&failure(ErrorKind::Rejected)), at(60), 1.0), Some(Change::Resumed));
    }

    #[test]
    fn a_lead_that_waits_for_a_lock_keeps_no_other_waiting() {
        let mut gate = gate();
        let locked = failure(ErrorKind::Contended);
        for _ in 0..100 {
            assert_eq!(gate.report(Err(&locked), at(0), 1.0), None);
        }
        assert_eq!(gate.leave(Duration::ZERO, 0), Leave::Full);
    }

    #[test]
    fn what_was_under_way_when_a_pause_began_does_not_end_it() {
        let mut gate = gate();
        let throttled = failure(ErrorKind::Throttled).retry_at(Some(at(600).wall));
        assert!(gate.report(Err(&throttled), at(0), 1.0).is_some());
        assert_eq!(gate.report(Ok(()), at(1), 1.0), None, "it was sent before the destination asked for a pause");
        assert_eq!(gate.leave(Duration::from_secs(1), 0), Leave::Wait(Duration::from_secs(599)));
        let longer = failure(ErrorKind::Throttled).retry_at(Some(at(3600).wall));
        assert!(gate.report(Err(&longer), at(1), 1.0).is_some(), "and it may ask for more");
        assert_eq!(gate.report(Err(&throttled), at(2), 1.0), None, "but not for less");
        assert_eq!(gate.leave(Duration::from_secs(2), 0), Leave::Wait(Duration::from_secs(3598)));
    }

    #[test]
    fn it_pauses_with_others_of_its_account_and_never_for_less() {
        let mut gate = gate();
        let throttled = failure(ErrorKind::Throttled);
        assert!(gate.pause_with(&throttled, at(60).wall, at(0)).is_some());
        assert_eq!(gate.leave(Duration::from_secs(1), 0), Leave::Wait(Duration::from_secs(59)));
        assert_eq!(gate.pause_with(&throttled, at(30).wall, at(1)), None);
        assert_eq!(gate.pause_with(&throttled, at(0).wall, at(1)), None, "it is over");
        assert_eq!(gate.leave(Duration::from_secs(60), 0), Leave::Probe);
        assert!(gate.pause_with(&throttled, at(90).wall, at(60)).is_some(), "a probe of another has failed");
        assert_eq!(gate.leave(Duration::from_secs(60), 0), Leave::Wait(Duration::from_secs(30)));
    }

    #[test]
    fn what_nobody_understands_proves_nothing() {
        let mut gate = gate();
        let (down, odd) = (failure(ErrorKind::Unavailable), failure(ErrorKind::Unexpected));
        assert_eq!(gate.report(Err(&down), at(0), 1.0), None);
        assert_eq!(gate.report(Err(&down), at(0), 1.0), None);
        assert_eq!(gate.report(Err(&odd), at(0), 1.0), None, "it neither pauses");
        assert!(gate.report(Err(&down), at(0), 1.0).is_some(), "nor starts the count again");
        assert_eq!(gate.report(Err(&odd), at(1), 1.0), None, "nor ends a pause");
        assert_eq!(gate.leave(Duration::from_secs(5), 0), Leave::Probe);
        let change = gate.report(Err(&odd), at(5), 1.0);
        assert!(matches!(change, Some(Change::Paused { .. })), "a probe that panics has failed: {change:?}");
        assert!(matches!(gate.leave(Duration::from_secs(5), 0), Leave::Wait(_)));
    }

    #[test]
    fn what_ran_before_the_pause_is_no_probe() {
        let mut gate = gate();
        let refused = failure(ErrorKind::Unauthorized);
        assert!(gate.report(Err(&refused), at(0), 1.0).is_some());
        assert_eq!(gate.leave(Duration::from_secs(60), 2), Leave::Probe, "one delivery, once the two have ended");
        assert_eq!(gate.report(Err(&refused), at(60), 1.0), None);
        gate.probe_now();
        assert_eq!(gate.leave(Duration::from_secs(60), 1), Leave::Probe);
        assert_eq!(gate.report(Err(&refused), at(60), 1.0), None, "asked for or not");
        assert_eq!(gate.leave(Duration::from_secs(60), 0), Leave::Probe);
        assert!(gate.report(Err(&refused), at(60), 1.0).is_some(), "this was the probe");
        assert_eq!(gate.leave(Duration::from_secs(60), 0), Leave::Wait(Duration::from_secs(120)), "its second try");
    }
}
