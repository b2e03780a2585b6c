//! Measured time and medians.

use std::time::Instant;

/// The machine's own clock: a bench measures, and nothing waits on what it reads.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
