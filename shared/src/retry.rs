//! What follows an attempt: done, again, or parked. One pure function decides.
//!
//! Invariants (held by the properties below): a `Rejected` lead is never tried again; nothing is tried before the time
//! the destination asked for; no delay is longer than `max_delay` unless the destination asked for more.

use std::time::Duration;

use jiff::Timestamp;

use crate::delivery::{ParkReason, Receipt};
use crate::error::{DeliveryError, ErrorKind};

/// A lead is not given up before so many attempts, however old it is: a long pause, or a wall clock that was corrected, makes
/// leads old without anybody having tried them.
const GIVE_UP_MIN: u32 = 3;

/// How long and how often a destination's leads are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The upper bound of the first delay; it doubles with each attempt.
    pub first_delay: Duration,
    /// The bound does not grow beyond this.
    pub max_delay: Duration,
    /// Counted from the first attempt.
    pub give_up_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_secs(5),
            max_delay: Duration::from_hours(1),
            give_up_after: Duration::from_hours(72),
        }
    }
}

/// What is next for one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Delivered.
    Done(Receipt),
    /// Try again, not before `at`.
    Again {
        /// The earliest time.
        at: Timestamp,
        /// Whether the attempt that just failed counts.
        counted: bool,
        /// Why it failed.
        error: DeliveryError,
    },
    /// Give it to a person.
    Park(ParkReason),
}

impl Policy {
    /// Decides what follows `outcome`.
    ///
    /// `attempt` is the number of counted attempts, this one included; `age` is the time since the first of them;
    /// `jitter` is a random number in `0.0..=1.0` (full jitter: the delay is that share of its bound).
    ///
    /// What is about the destination's credentials or quota counts no attempt and never gives up: the destination pauses
    /// instead (see [`crate::worker`]), and one bad password must not burn the retries of every lead.
    pub fn decide(
        &self,
        outcome: Result<Receipt, DeliveryError>,
        attempt: u32,
        age: Duration,
        now: Timestamp,
        jitter: f64,
    ) -> Next {
        let error = match outcome {
            Ok(receipt) => return Next::Done(receipt),
            Err(error) => error,
        };
        match error.kind {
            ErrorKind::Rejected => Next::Park(ParkReason::Rejected { error }),
            ErrorKind::Throttled | ErrorKind::Unauthorized | ErrorKind::Misconfigured => {
                Next::Again { at: not_before(now, Duration::ZERO, error.retry_at), counted: false, error }
            }
            ErrorKind::Contended | ErrorKind::Unavailable | ErrorKind::Uncertain | ErrorKind::Unexpected => {
                if age >= self.give_up_after && attempt >= GIVE_UP_MIN {
                    return Next::Park(ParkReason::GaveUp { attempts: attempt, error });
                }
                let delay = self.bound(attempt).mul_f64(jitter.clamp(0.0, 1.0));
                Next::Again { at: not_before(now, delay, error.retry_at), counted: true, error }
            }
        }
    }

    /// The longest delay that may follow the `attempt`th attempt (counted from 1).
    pub fn bound(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.first_delay.saturating_mul(1 << doublings).min(self.max_delay)
    }
}

/// The later of our own delay and the destination's wish.
fn not_before(now: Timestamp, delay: Duration, asked: Option<Timestamp>) -> Timestamp {
    let own = now.checked_add(delay).unwrap_or(Timestamp::MAX);
    asked.map_or(own, |asked| asked.max(own))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().expect("a time")
    }

    prop_compose! {
        fn failure()(kind in 0..ErrorKind::ALL.len(), asked in proptest::option::of(-3600i64..86_400)) -> DeliveryError {
            DeliveryError::new(ErrorKind::ALL[kind], "no")
                .retry_at(asked.map(|s| now() + SignedDuration::from_secs(s)))
        }
    }

    proptest! {
        #[test]
        fn no_attempt_before_the_time_asked_for(e in failure(), attempt in 1u32..100, age in 0u64..400_000, jitter in 0.0..=1.0) {
            let asked = e.retry_at;
            if let Next::Again { at, .. } = Policy::default().decide(Err(e), attempt, Duration::from_secs(age), now(), jitter) {
                prop_assert!(at >= now());
                prop_assert!(asked.is_none_or(|asked| at >= asked));
            }
        }

        #[test]
        fn delays_are_bounded(e in failure(), attempt in 1u32..=u32::MAX, jitter in 0.0..=1.0) {
            let policy = Policy::default();
            let asked = e.retry_at.unwrap_or(now());
            if let Next::Again { at, .. } = policy.decide(Err(e), attempt, Duration::ZERO, now(), jitter) {
                prop_assert!(at <= asked.max(now() + policy.max_delay));
            }
        }

        #[test]
        fn rejected_is_parked_at_once(attempt in 1u32..100, age in 0u64..400_000, jitter in 0.0..=1.0) {
            let e = DeliveryError::new(ErrorKind::Rejected, "no");
            let next = Policy::default().decide(Err(e), attempt, Duration::from_secs(age), now(), jitter);
            prop_assert!(matches!(next, Next::Park(ParkReason::Rejected { .. })), "rejected led to {:?}", next);
        }

        #[test]
        fn only_a_failure_of_the_lead_or_old_age_parks(e in failure(), attempt in 1u32..100, jitter in 0.0..=1.0) {
            let kind = e.kind;
            let young = Policy::default().decide(Err(e.clone()), attempt, Duration::ZERO, now(), jitter);
            prop_assert_eq!(matches!(young, Next::Park(_)), kind == ErrorKind::Rejected);
            let old = Policy::default().decide(Err(e), attempt, Duration::from_hours(73), now(), jitter);
            let paused = matches!(kind, ErrorKind::Throttled | ErrorKind::Unauthorized | ErrorKind::Misconfigured);
            prop_assert_eq!(matches!(old, Next::Park(_)), kind == ErrorKind::Rejected || (!paused && attempt >= 3));
        }
    }

    #[test]
    fn the_bound_doubles_up_to_the_limit() {
        let policy = Policy::default();
        assert_eq!(policy.bound(1), Duration::from_secs(5));
        assert_eq!(policy.bound(4), Duration::from_secs(40));
        assert_eq!(policy.bound(50), Duration::from_hours(1));
    }
}
