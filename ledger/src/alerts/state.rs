//! What is told of conditions, and when. Pure: what was known and what is observed now, to what is known now and a message.
//!
//! Invariants (held by the properties in `state/tests.rs`): never more messages in an hour than the limit; what began is told
//! once and its end once; what begins together is one message; what is held back is in the next message.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;

#[cfg(test)]
mod tests;

const HOUR: Duration = Duration::from_hours(1);
/// Ended conditions that are remembered.
const RECENT: usize = 100;

/// How conditions are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long a condition holds before it is told, and is gone before its end is.
    pub(crate) grace: Duration,
    /// How long after the first that is to be told others are waited for.
    pub(crate) gather: Duration,
    /// After so long what lasts is told again.
    pub(crate) repeat_after: Duration,
    /// The most messages in an hour.
    pub(crate) at_most_per_hour: usize,
}

/// All that is known, for one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    /// By their keys.
    alerts: BTreeMap<String, Alert>,
    /// When messages were made in the last hour.
    made: Vec<Timestamp>,
    /// Conditions that came and went while messages were held back.
    missed: u32,
    /// The latest that ended, the last one first.
    recent: Vec<Past>,
}

/// A condition and what was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Alert {
    condition: Condition,
    /// When it was first observed.
    first: Timestamp,
    told: Option<Told>,
    /// Since when it is not observed.
    gone: Option<Timestamp>,
    /// Since when there is something to tell of it.
    due: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    grade: u8,
    /// In these words; it is over in the same.
    text: String,
}

/// A condition that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) condition: Condition,
    pub(crate) ended: Timestamp,
}

/// One that is known and has not ended.
pub(crate) struct Present<'k> {
    pub(crate) condition: &'k Condition,
    /// Whether it has held for long enough to be told.
    pub(crate) is_told: bool,
}

/// What is told of one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct News {
    pub(crate) what: AlertNews,
    pub(crate) condition: Condition,
    /// When it ended, where it did.
    #[serde(default)]
    pub(crate) ended: Option<Timestamp>,
}

/// What is new of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertNews {
    /// It has begun.
    Began,
    /// It has become worse.
    Worse,
    /// It still lasts, a long time after it was told.
    Lasts,
    /// It has ended.
    Ended,
}

/// What is told at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    pub(crate) news: Vec<News>,
    /// Conditions that came and went while messages were held back.
    pub(crate) missed: u32,
}

impl Known {
    pub(crate) fn present(&self) -> impl Iterator<Item = Present<'_>> {
        self.alerts.values().map(|alert| Present { condition: &alert.condition, is_told: alert.told.is_some() })
    }

    pub(crate) fn past(&self) -> impl Iterator<Item = &Past> {
        self.recent.iter()
    }

    /// Takes in what is observed now, and makes the message that is due. `room` says whether there is room for one.
    pub(crate) fn step(
        mut self,
        observed: Vec<Condition>,
        now: Timestamp,
        settings: &Settings,
        room: bool,
    ) -> (Self, Option<Telling>) {
        self.take(observed, now);
        self.pass_over(now, settings);
        for alert in self.alerts.values_mut() {
            alert.due = alert.news(now, settings).map(|_| alert.due.unwrap_or(now));
        }
        self.made.retain(|at| since(*at, now) < HOUR);
        let first = self.alerts.values().filter_map(|alert| alert.due).min();
        let is_time = first.is_some_and(|due| since(due, now) >= settings.gather);
        if !is_time || !room || self.made.len() >= settings.at_most_per_hour {
            return (self, None);
        }
        let telling = self.tell(now, settings);
        (self, Some(telling))
    }

    fn take(&mut self, observed: Vec<Condition>, now: Timestamp) {
        let mut seen = BTreeMap::new();
        for condition in observed {
            seen.insert(condition.key(), condition);
        }
        for (key, alert) in &mut self.alerts {
            match seen.remove(key) {
                Some(condition) => {
                    // It is as old as it was first said to be, whatever is the oldest lead of it now.
                    let since = condition.since.min(alert.condition.since);
                    alert.condition = Condition { since, ..condition };
                    alert.gone = None;
                }
                None => alert.gone = alert.gone.or(Some(now)),
            }
        }
        // What another condition tells of does not begin; but what was told before is not over because of that.
        self.alerts.retain(|_, alert| !alert.condition.covered || alert.told.is_some());
        seen.retain(|_, condition| !condition.covered);
        let new = |condition| Alert { condition, first: now, told: None, gone: None, due: None };
        self.alerts.extend(seen.into_iter().map(|(key, condition)| (key, new(condition))));
    }

    /// Forgets what came and went without having been told. What held for long enough is counted.
    fn pass_over(&mut self, now: Timestamp, settings: &Settings) {
        let missed = &mut self.missed;
        self.alerts.retain(|_, alert| {
            let (None, Some(gone)) = (&alert.told, alert.gone) else { return true };
            let held = since(alert.first, gone) >= settings.grace;
            let is_over = !held || since(gone, now) >= settings.grace;
            *missed = missed.saturating_add(u32::from(held && is_over));
            !is_over
        });
    }

    fn tell(&mut self, now: Timestamp, settings: &Settings) -> Telling {
        let mut news = Vec::new();
        self.alerts.retain(|_, alert| {
            let Some(what) = alert.news(now, settings) else { return true };
            let ended = alert.gone.filter(|_| what == AlertNews::Ended);
            if let Some(told) = alert.told.take().filter(|_| ended.is_some()) {
                alert.condition.text = told.text;
            }
            news.push(News { what, condition: alert.condition.clone(), ended });
            alert.told = Some(Told { at: now, grade: alert.condition.grade, text: alert.condition.text.clone() });
            alert.due = None;
            if let Some(ended) = ended {
                self.recent.insert(0, Past { condition: alert.condition.clone(), ended });
            }
            ended.is_none()
        });
        news.sort_by_key(|one| one.what);
        self.recent.truncate(RECENT);
        self.made.push(now);
        Telling { news, missed: std::mem::take(&mut self.missed) }
    }
}

impl Alert {
    /// What there is to tell of it.
    fn news(&self, now: Timestamp, settings: &Settings) -> Option<AlertNews> {
        match (&self.told, self.gone) {
            (None, None) => (since(self.first, now) >= settings.grace).then_some(AlertNews::Began),
            (None, Some(_)) => None,
            (Some(_), Some(gone)) => (since(gone, now) >= settings.grace).then_some(AlertNews::Ended),
            (Some(told), None) if self.condition.grade > told.grade => Some(AlertNews::Worse),
            (Some(told), None) => {
                let again = self.condition.is_told_again() && since(told.at, now) >= settings.repeat_after;
                again.then_some(AlertNews::Lasts)
            }
        }
    }
}

/// How long after `then` it is; nothing where the wall clock was put back.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}
