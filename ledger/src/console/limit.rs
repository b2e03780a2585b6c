//! How often somebody may try to sign in: a token has 256 bits, but an operator may have chosen a shorter one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// So many failures are forgiven within the window.
const FAILURES: usize = 5;
/// Seconds.
const WINDOW: i64 = 300;
/// Addresses that are remembered; from more of them, nobody new gets in until the window has passed.
const ADDRESSES: usize = 1000;

/// The failures of late, by address.
#[derive(Debug, Default)]
pub(super) struct Limit(Mutex<HashMap<IpAddr, Vec<i64>>>);

impl Limit {
    /// Seconds that this address must wait before it may try again; `None` when it may now.
    pub(super) fn wait(&self, address: IpAddr, now: Timestamp) -> Option<i64> {
        let now = now.as_second();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, failures| failures.last().is_some_and(|last| last + WINDOW > now));
        match known.get(&address) {
            None if known.len() >= ADDRESSES => Some(WINDOW),
            None => None,
            Some(failures) => {
                let recent: Vec<i64> = failures.iter().copied().filter(|at| at + WINDOW > now).collect();
                let oldest = recent.len().checked_sub(FAILURES).and_then(|n| recent.get(n))?;
                Some(oldest + WINDOW - now)
            }
        }
    }

    /// Takes down a failure.
    pub(super) fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = known.entry(address).or_default();
        failures.push(now.as_second());
        if failures.len() > FAILURES {
            failures.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn after_some_failures_it_must_be_waited() {
        let limit = Limit::default();
        let (here, there) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        for n in 0..5 {
            assert_eq!(limit.wait(here, at(n)), None);
            limit.failed(here, at(n));
        }
        assert_eq!(limit.wait(here, at(10)), Some(WINDOW - 10));
        assert_eq!(limit.wait(there, at(10)), None);
        assert_eq!(limit.wait(here, at(WINDOW)), None);
    }
}
