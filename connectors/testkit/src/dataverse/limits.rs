//! Service protection: how often the application may call (learn.microsoft.com, "Service protection API limits").

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// The window in which calls are counted.
const WINDOW: Duration = Duration::from_mins(5);

/// Calls that come so soon after the first refusal were under way when it was told.
const UNDER_WAY: Duration = Duration::from_millis(250);

/// What the application has used of its limit.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Calls in any [`WINDOW`]; as many as they like, where there is none.
    pub(super) calls_max: Option<usize>,
    calls: VecDeque<Timestamp>,
    pause: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    until: Timestamp,
    /// When an answer first said so.
    told_at: Option<Timestamp>,
}

/// Why a call is not answered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Throttled {
    /// Seconds until it would be.
    pub(super) wait_s: i64,
    /// An earlier answer had said so, and whoever calls must know.
    pub(super) was_told: bool,
}

impl Limits {
    /// Begins a pause.
    pub(super) fn begin(&mut self, until: Timestamp) {
        self.pause = Some(Pause { until, told_at: None });
    }

    /// Counts a call.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<(), Throttled> {
        while self.calls.front().is_some_and(|at| *at + WINDOW <= now) {
            self.calls.pop_front();
        }
        let is_over = self.pause.as_ref().is_none_or(|pause| pause.until <= now);
        if is_over {
            self.pause = None;
            let oldest = self.calls.front().copied();
            if let Some(oldest) = oldest.filter(|_| self.calls_max.is_some_and(|max| self.calls.len() >= max)) {
                self.begin(oldest + WINDOW);
            }
        }
        let Some(pause) = &mut self.pause else {
            self.calls.push_back(now);
            return Ok(());
        };
        let was_told = now > *pause.told_at.get_or_insert(now) + UNDER_WAY;
        // In whole seconds, and never before the end.
        let wait_s = pause.until.as_second() - now.as_second() + i64::from(pause.until.subsec_nanosecond() > 0);
        Err(Throttled { wait_s: wait_s.max(1), was_told })
    }
}
