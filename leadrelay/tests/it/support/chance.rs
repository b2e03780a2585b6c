//! Random moments, from a seed that can be given again.

use std::time::Duration;

/// A number from the environment.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// The seed of this run: `CHAOS_SEED`, or one of its own.
pub(crate) fn seed() -> u64 {
    number("CHAOS_SEED", u64::from(std::process::id()))
}

/// A small generator: the moments need a seed that can be given again, and nothing more.
pub(crate) struct Moments(pub(crate) u64);

impl Moments {
    pub(crate) fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    /// Lets a moment pass. That it is random is the point: nothing is waited for.
    pub(crate) async fn pass(&mut self, from_ms: u64, to_ms: u64) {
        tokio::time::sleep(Duration::from_millis(from_ms + self.next(to_ms - from_ms))).await;
    }
}
