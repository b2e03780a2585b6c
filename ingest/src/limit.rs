//! Requests a second, per source: so many at once, and then one for each share of a second.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use leadrelay_shared::clock::Clock;

/// The limit of one source.
pub(crate) struct Limit {
    limiter: RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Duration>>,
    clock: Monotonic,
}

/// Our clock as the limiter reads it.
#[derive(Clone)]
struct Monotonic(Clock);

impl governor::clock::Clock for Monotonic {
    type Instant = Duration;
    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

impl Limit {
    /// So many requests a second, and as many at once.
    pub(crate) fn new(per_second: u32, clock: &Clock) -> Self {
        let clock = Monotonic(clock.clone());
        let quota = Quota::per_second(NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN));
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock }
    }

    /// Takes one request, or says how long to wait.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().expect("a time"));
        let limit = Limit::new(4, &clock);
        assert!((0..4).all(|_| limit.take().is_ok()));
        assert_eq!(limit.take(), Err(Duration::from_millis(250)));
        clock.advance(Duration::from_millis(250));
        assert_eq!(limit.take(), Ok(()));
        assert!(limit.take().is_err());
    }
}
