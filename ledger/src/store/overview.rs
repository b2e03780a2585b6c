//! Numbers for an overview: leads by day, how long they took, and what waits, in groups.

use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::delivery::ParkReason;

use super::db::values;
use super::{Store, StoreError, micros, parked, read_json, time};
use crate::api::types::Filter;

/// Days that are counted.
const DAYS: i64 = 30;
const DAY: i64 = 24 * 3600 * 1_000_000;
/// The lead of what is parked.
const LEAD: &str = " JOIN lead l ON l.no = p.lead";
/// The latest deliveries that speak for how long they take.
const TIMED: i64 = 1000;

/// Leads and their times.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The last thirty days, the earliest first; the last is today.
    pub days: Vec<Day>,
    /// Milliseconds from acceptance to the last delivery, of the latest leads of the last 24 hours: for half of them at most.
    pub p50_ms: Option<i64>,
    /// The same for 95 of 100.
    pub p95_ms: Option<i64>,
    /// How many leads these two are of.
    pub timed: usize,
}

/// One day, from midnight to midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Its beginning.
    pub begins: Timestamp,
    /// How many leads came in.
    pub leads: u64,
}

/// What waits for the same kind of reason at the same place.
#[derive(Clone, Debug)]
pub struct ParkedGroup {
    /// The kind of the reason.
    pub kind: String,
    /// The destination, where one was chosen.
    pub destination: Option<String>,
    /// How many.
    pub count: u64,
    /// When the first of them was parked.
    pub oldest: Timestamp,
    /// When the latest was.
    pub latest: Timestamp,
    /// The reason of one of them, as a sentence.
    pub example: String,
}

impl Store {
    /// Leads by day and how long they took.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn overview(&self, now: Timestamp) -> Result<Overview, StoreError> {
        self.read(move |db| {
            let today = micros(now).div_euclid(DAY);
            let first = today - DAYS + 1;
            let mut counts = vec![0; usize::try_from(DAYS).unwrap_or(0)];
            let sql = "SELECT received_at / ?1, count(*) FROM lead WHERE received_at >= ?2 GROUP BY 1";
            for row in db.query(sql, values![DAY, first * DAY])? {
                let at = usize::try_from(row.get::<i64>(0)? - first).unwrap_or(usize::MAX);
                if let Some(count) = counts.get_mut(at) {
                    *count = u64::try_from(row.get::<i64>(1)?).unwrap_or(0);
                }
            }
            let days = (first..).zip(counts).map(|(day, leads)| Ok(Day { begins: time(day * DAY)?, leads }));
            let mut overview = Overview { days: days.collect::<Result<_, StoreError>>()?, ..Overview::default() };
            let sql = "SELECT settled_at - received_at FROM lead WHERE settled_at > ? ORDER BY settled_at DESC LIMIT ?";
            let since = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
            let rows = db.query(sql, values![micros(since), TIMED])?;
            let mut took: Vec<i64> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
            took.sort_unstable();
            let at = |part: usize| took.get((took.len() * part).div_ceil(100).saturating_sub(1)).map(|us| us / 1000);
            (overview.p50_ms, overview.p95_ms, overview.timed) = (at(50), at(95), took.len());
            Ok(overview)
        })
        .await
    }

    /// What waits and matches, by kind of reason and destination, the largest group first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked_groups(&self, filter: Filter) -> Result<Vec<ParkedGroup>, StoreError> {
        self.read(move |db| {
            let (condition, values) = parked::condition(&filter);
            // Where nothing is asked of the lead, it need not be looked at.
            let of_lead =
                if filter.state.is_some() || filter.source.is_some() || filter.q.is_some() { LEAD } else { "" };
            let sql = format!(
                "SELECT p.kind, p.destination, count(*) AS n, min(p.at), max(p.at), max(p.reason)
                 FROM parked p{of_lead} WHERE {condition}
                 GROUP BY p.kind, p.destination ORDER BY n DESC, 1, 2 LIMIT 200"
            );
            let mut groups = Vec::new();
            for row in db.query(&sql, &values)? {
                let reason: ParkReason = read_json(row.text(5), "park reason")?;
                groups.push(ParkedGroup {
                    kind: row.get(0)?,
                    destination: row.get(1)?,
                    count: u64::try_from(row.get::<i64>(2)?).unwrap_or(0),
                    oldest: time(row.get(3)?)?,
                    latest: time(row.get(4)?)?,
                    example: reason.to_string(),
                });
            }
            Ok(groups)
        })
        .await
    }

    /// How much waits and matches.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked_count(&self, filter: Filter) -> Result<u64, StoreError> {
        self.read(move |db| {
            let (condition, values) = parked::condition(&filter);
            let sql = format!("SELECT count(*) FROM parked p{LEAD} WHERE {condition}");
            let row = db.query_opt(&sql, &values)?.ok_or(StoreError::Row { what: "count" })?;
            let count: i64 = row.get(0)?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }
}
