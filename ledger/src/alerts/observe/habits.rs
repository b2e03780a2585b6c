//! What time brings: sources that send nothing, and secrets that expire.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::condition::{AlertKind, Condition};
use super::super::message::moment;
use super::super::words;
use super::Observer;
use crate::store::StoreError;

/// A source is silent after so many times the longest gap of its habit, and never before so long.
const GAPS: u32 = 4;
const SILENT_MIN: Duration = Duration::from_hours(24);
/// What a habit is made from: the time before the last lead, and the fewest leads in it.
const HABIT: Duration = Duration::from_hours(30 * 24);
const HABIT_LEADS: u64 = 10;
/// Days before a secret expires, and how bad that is; the earliest last.
const EXPIRES: [(i64, u8); 3] = [(1, 3), (7, 2), (EARLIEST, 1)];
const EARLIEST: i64 = 30;

impl Observer {
    /// Sources that have sent nothing for longer than they are used to.
    pub(super) async fn silent(&mut self, now: Timestamp) -> Result<Vec<Condition>, StoreError> {
        let mut found = Vec::new();
        for source in self.ctx.config().sources.keys() {
            let Some(last) = self.store.last_lead(source.clone()).await? else { continue };
            let silence: Duration = now.duration_since(last).try_into().unwrap_or_default();
            if silence < SILENT_MIN {
                self.habits.remove(source);
                continue;
            }
            let known = self.habits.get(source).filter(|habit| habit.last == last).copied();
            let habit = match known {
                Some(habit) => Some(habit),
                None => self.store.habit(source.clone(), HABIT).await?,
            };
            let Some(habit) = habit else { continue };
            self.habits.insert(source.clone(), habit);
            let limit = habit.longest_gap.saturating_mul(GAPS).max(SILENT_MIN);
            if habit.leads < HABIT_LEADS || silence < limit {
                continue;
            }
            let text = format!(
                "{source} has sent nothing since {}; before that its longest gap in 30 days was {}",
                moment(last),
                words::length(habit.longest_gap)
            );
            let remedy = format!("see whether its sender still has the right URL: `leadrelay source url {source}`");
            let condition = Condition::new(AlertKind::Silent, source, last, text, remedy);
            found.push(condition.at(format!("/leads?source={source}")));
        }
        Ok(found)
    }

    /// Secrets of destinations that expire soon or have expired.
    pub(super) fn expiring(&self, now: Timestamp) -> Vec<Condition> {
        let today = TimeZone::UTC.to_datetime(now).date();
        let destinations = self.ctx.config().destinations.iter();
        let expiring = destinations.filter_map(|(name, d)| expiring(name, d.common.secret_expires?, today, now));
        expiring.collect()
    }
}

fn expiring(name: &str, date: Date, today: Date, now: Timestamp) -> Option<Condition> {
    let left = today.duration_until(date).as_hours() / 24;
    let grade = if left < 0 { 4 } else { EXPIRES.iter().find(|(days, _)| left <= *days)?.1 };
    let begun = date.checked_sub(SignedDuration::from_hours(EARLIEST * 24)).ok()?;
    let since = TimeZone::UTC.to_timestamp(begun.at(0, 0, 0, 0)).unwrap_or(now);
    let text = match left {
        ..0 => format!("the secret of {name} has expired on {date}"),
        0 => format!("the secret of {name} expires today"),
        1 => format!("the secret of {name} expires tomorrow, on {date}"),
        days => format!("the secret of {name} expires in {days} days, on {date}"),
    };
    let remedy =
        "make a new one, put it where the configuration points, write its secret_expires, and start the relay again";
    let condition = Condition::new(AlertKind::Expiring, name, since, text, remedy);
    Some(condition.at(format!("/destinations?name={name}")).grade(grade))
}
