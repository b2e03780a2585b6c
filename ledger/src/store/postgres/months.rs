//! Parts by month: a lead's number begins with the month of the first fact of it, and each month is a part of every large table.
//!
//! A part is made when the first lead of its month comes, and dropped as a whole when the whole month is to be forgotten.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::migrate::LOCK;
use super::session::Session;
use crate::store::db::{Db as _, values};
use crate::store::{StoreError, micros};

/// The bits of a number behind its month: some 10¹² leads.
const BITS: u32 = 40;
/// Numbers forgotten in one step.
const STEP: i64 = 5000;

/// The tables that have parts, each with the column that holds the number.
const TABLES: [&str; 4] = ["lead", "event", "payload", "delivery"];

/// Months that are known to have parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Months(Arc<Mutex<BTreeSet<i64>>>);

impl Months {
    /// Those of these times that are not known to have any.
    pub(super) fn missing(&self, times: impl Iterator<Item = Timestamp>) -> BTreeSet<i64> {
        let known = self.known();
        times.map(month).filter(|month| !known.contains(month)).collect()
    }

    pub(super) fn made(&self, months: &BTreeSet<i64>) {
        self.known().extend(months);
    }

    pub(super) fn forgotten(&self, month: i64) {
        self.known().remove(&month);
    }

    /// Another process may have dropped any of them.
    pub(super) fn doubt(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The month of a time, counted from the year 0.
pub(super) fn month(at: Timestamp) -> i64 {
    let date = TimeZone::UTC.to_datetime(at).date();
    (i64::from(date.year()) * 12 + i64::from(date.month()) - 1).max(0)
}

/// The number before the first of a month.
pub(super) fn first(month: i64) -> i64 {
    month << BITS
}

/// The part of a table for a month: `lead_2026_11`.
fn part(table: &str, month: i64) -> String {
    format!("{table}_{:04}_{:02}", month / 12, month % 12 + 1)
}

/// Makes the parts of these months, unless another process has.
pub(super) fn make(session: &Session, months: &BTreeSet<i64>) -> Result<(), StoreError> {
    session.begin("BEGIN")?;
    session.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})"))?;
    for month in months {
        if session.execute("INSERT INTO lead_month VALUES (?) ON CONFLICT DO NOTHING", values![*month])? == 0 {
            continue;
        }
        for table in TABLES {
            // Made and then attached, because a part that is made as one keeps everybody from the table until then.
            let (part, from, to) = (part(table, *month), first(*month), first(month + 1));
            session.batch(&format!(
                "CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS);
                 ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({from}) TO ({to})"
            ))?;
        }
    }
    session.commit()
}

/// Forgets some of the leads of a month that is past as a whole, or at the end the month itself: which, and how many leads.
pub(super) fn forget(session: &Session, before: Timestamp) -> Result<Option<(i64, usize)>, StoreError> {
    let past = session.query("SELECT month FROM lead_month WHERE month < ? ORDER BY month", values![month(before)])?;
    for row in past {
        let month = row.get(0)?;
        let numbers = [first(month), first(month + 1)];
        // Facts may come in any order, so the month in which a lead was first told of need not be the one in which it came in.
        let young = session.query_opt(
            "SELECT no FROM lead WHERE no > ? AND no < ? AND received_at >= ? LIMIT 1",
            values![numbers[0], numbers[1], micros(before)],
        )?;
        if young.is_some() {
            continue;
        }
        let forgotten = session.execute(
            "DELETE FROM lead_no WHERE id IN (
               SELECT id FROM lead_no WHERE no > ? AND no < ? LIMIT ? FOR UPDATE SKIP LOCKED)",
            values![numbers[0], numbers[1], STEP],
        )?;
        if forgotten == 0 {
            drop_parts(session, month)?;
        }
        return Ok(Some((month, forgotten)));
    }
    Ok(None)
}

/// Drops all that is known of the leads of a month.
fn drop_parts(session: &Session, month: i64) -> Result<(), StoreError> {
    // Others wait behind a lock that is waited for, so that is not for long; the next pass tries again.
    session.batch(&format!(
        "SELECT pg_advisory_xact_lock({LOCK}); SET LOCAL lock_timeout = '3s';
         LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
        TABLES.join(", ")
    ))?;
    // A lead may have been recorded in this month since the last of its numbers was forgotten.
    for table in ["lead_no WHERE no", "parked WHERE lead"] {
        let column = table.rsplit(' ').next().unwrap_or_default();
        session
            .execute(&format!("DELETE FROM {table} > ? AND {column} < ?"), values![first(month), first(month + 1)])?;
    }
    for table in TABLES {
        session.batch(&format!("DROP TABLE IF EXISTS {}", part(table, month)))?;
    }
    session.execute("DELETE FROM lead_month WHERE month = ?", values![month])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_begins_with_its_month() {
        let at = |text: &str| month(text.parse().expect("a time"));
        assert_eq!(part("lead", at("2026-11-30T23:59:59.999999Z")), "lead_2026_11");
        assert_eq!(part("lead", at("2026-12-01T00:00:00Z")), "lead_2026_12");
        assert_eq!(at("2027-01-01T00:00:00Z"), at("2026-12-31T00:00:00Z") + 1);
        assert_eq!(month(Timestamp::MIN), 0);
        assert!(first(month(Timestamp::MAX)) < i64::MAX >> 1);
    }
}
