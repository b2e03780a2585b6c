//! Delays, made of steps: pure.
//!
//! A message carries what is left of its delay after the step that it is in, and not the time when it is due: hosts' clocks
//! differ and are corrected, and a span stays what it is. Invariant: the steps of a delay sum to no less than it, and to less
//! than the smallest step more.

use std::time::Duration;

/// The longest delay that is kept.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// The step to wait in first, and what is left after it. `steps` ascend and are not empty.
pub(super) fn next(steps: &[Duration], delay: Duration) -> (Duration, Duration) {
    let delay = delay.min(LONGEST);
    let fits = steps.iter().rev().find(|step| **step <= delay).or(steps.first());
    let step = fits.copied().unwrap_or(delay);
    (step, delay.saturating_sub(step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::queue::amqp::DELAY_TIERS;

    fn all(mut delay: Duration) -> Vec<u64> {
        let mut steps = Vec::new();
        while !delay.is_zero() {
            let (step, left) = next(&DELAY_TIERS, delay);
            steps.push(step.as_secs());
            delay = left;
        }
        steps
    }

    #[test]
    fn the_largest_steps_come_first() {
        assert_eq!(all(Duration::from_millis(1)), [5]);
        assert_eq!(all(Duration::from_secs(60)), [60]);
        assert_eq!(all(Duration::from_secs(61)), [60, 5]);
        assert_eq!(all(Duration::from_hours(30)), [43_200, 43_200, 14_400, 3_600, 3_600]);
        assert_eq!(all(Duration::MAX).len(), 60, "30 days at the most");
    }

    proptest! {
        #[test]
        fn never_early_and_late_by_less_than_the_smallest_step(ms in 1_u64..259_200_000) {
            let delay = Duration::from_millis(ms);
            let steps = all(delay);
            let waited = Duration::from_secs(steps.iter().sum());
            prop_assert!(waited >= delay && waited < delay + DELAY_TIERS[0]);
            prop_assert!(steps.len() <= 24, "few hops: {steps:?}");
        }
    }
}
