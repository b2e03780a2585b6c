//! What alerts need of the store: what is known and told, messages on their way, and what conditions are made from.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, micros, time};

/// Late deliveries are counted up to here.
pub const COUNTED: u64 = 10_000;

/// Parked items that have destination and reason in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedGroup {
    /// The destination, where one was chosen.
    pub destination: Option<String>,
    /// The kind of the reason, as in JSON.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// When the first of them was parked.
    pub since: Timestamp,
}

/// Deliveries of a route that are neither delivered nor parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Since when the oldest is under way: its acceptance, or when it was last sent on its way again.
    pub oldest: Timestamp,
    /// How many are as old as was asked for; no more than [`COUNTED`] are counted.
    pub late: u64,
}

/// How a source used to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habit {
    /// When its last lead came.
    pub last: Timestamp,
    /// Leads in the time before that, the last one included.
    pub leads: u64,
    /// The longest gap between two of them.
    pub longest_gap: Duration,
}

/// A message that is still to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// Its id, the same at every attempt.
    pub id: String,
    /// What it says, as JSON.
    pub message: String,
}

impl Store {
    /// What is known of conditions, by channel, as JSON.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn alerts(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT channel, known FROM alert")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Keeps what is known now, and with it the message that follows from it.
    ///
    /// # Errors
    /// When the database cannot be written; then neither is kept.
    pub async fn keep_alerts(
        &self,
        channel: String,
        known: String,
        message: Option<Unsent>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |db| {
            db.prepare_cached(
                "INSERT INTO alert (channel, known) VALUES (?1, ?2) ON CONFLICT (channel) DO UPDATE SET known = excluded.known",
            )?
            .execute(params![channel, known])?;
            if let Some(Unsent { id, message }) = message {
                db.prepare_cached("INSERT INTO alert_message (channel, id, at, message) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![channel, id, micros(at), message])?;
            }
            Ok(())
        })
        .await
    }

    /// Forgets every channel but these.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_channels_but(&self, channels: Vec<String>) -> Result<(), StoreError> {
        self.write(move |db| {
            let known: Vec<String> = db
                .prepare_cached("SELECT channel FROM alert UNION SELECT channel FROM alert_message")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for channel in known.iter().filter(|channel| !channels.contains(channel)) {
                db.execute("DELETE FROM alert WHERE channel = ?1", [channel])?;
                db.execute("DELETE FROM alert_message WHERE channel = ?1", [channel])?;
            }
            Ok(())
        })
        .await
    }

    /// How many messages are still to be sent, by channel.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unsent(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT channel, count(*) FROM alert_message GROUP BY channel")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The message that a channel is to send next.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next_unsent(&self, channel: String) -> Result<Option<Unsent>, StoreError> {
        self.read(move |db| {
            Ok(db
                .prepare_cached("SELECT id, message FROM alert_message WHERE channel = ?1 ORDER BY at, id LIMIT 1")?
                .query_row([channel], |row| Ok(Unsent { id: row.get(0)?, message: row.get(1)? }))
                .optional()?)
        })
        .await
    }

    /// A message was sent.
    ///
    /// # Errors
    /// When the database cannot be written; then it will be sent again.
    pub async fn sent(&self, channel: String, id: String) -> Result<(), StoreError> {
        self.write(move |db| {
            db.execute("DELETE FROM alert_message WHERE channel = ?1 AND id = ?2", [channel, id])?;
            Ok(())
        })
        .await
    }

    /// What is parked, by destination and kind of reason.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked_groups(&self) -> Result<Vec<ParkedGroup>, StoreError> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT destination, kind, count(*), min(at) FROM parked GROUP BY destination, kind ORDER BY destination, kind",
            )?;
            let mut rows = statement.query([])?;
            let mut groups = Vec::new();
            while let Some(row) = rows.next()? {
                groups.push(ParkedGroup {
                    destination: row.get(0)?,
                    kind: row.get(1)?,
                    count: unsigned(row.get(2)?),
                    since: time(row.get(3)?)?,
                });
            }
            Ok(groups)
        })
        .await
    }

    /// The deliveries of `route` to `destination` that are under way, if there are any; those since before `late` are late.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open_deliveries(
        &self,
        destination: String,
        route: String,
        late: Timestamp,
    ) -> Result<Option<Open>, StoreError> {
        self.read(move |db| {
            let oldest: Option<i64> = db
                .prepare_cached(
                    "SELECT min(open_since) FROM delivery WHERE destination = ?1 AND route = ?2 AND open_since IS NOT NULL",
                )?
                .query_row(params![destination, route], |row| row.get(0))?;
            let Some(oldest) = oldest else { return Ok(None) };
            let late: i64 = db
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM delivery
                     WHERE destination = ?1 AND route = ?2 AND open_since IS NOT NULL AND open_since < ?3 LIMIT ?4) few",
                )?
                .query_row(params![destination, route, micros(late), i64::try_from(COUNTED).unwrap_or(i64::MAX)], |row| row.get(0))?;
            Ok(Some(Open { oldest: time(oldest)?, late: unsigned(late) }))
        })
        .await
    }

    /// When the last lead of a source came.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_lead(&self, source: String) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |db| last_lead(db, &source)).await
    }

    /// How a source sent in `window` before its last lead.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn habit(&self, source: String, window: Duration) -> Result<Option<Habit>, StoreError> {
        self.read(move |db| {
            let Some(last) = last_lead(db, &source)? else { return Ok(None) };
            let from = last.checked_sub(window).unwrap_or(Timestamp::MIN);
            let mut statement = db.prepare_cached(
                "SELECT received_at FROM lead WHERE source = ?1 AND received_at >= ?2 ORDER BY received_at",
            )?;
            let mut rows = statement.query(params![source, micros(from)])?;
            let (mut before, mut leads, mut longest) = (None, 0, 0);
            while let Some(row) = rows.next()? {
                let at: i64 = row.get(0)?;
                longest = longest.max(before.map_or(0, |before| at - before));
                before = Some(at);
                leads += 1;
            }
            Ok(Some(Habit { last, leads, longest_gap: Duration::from_micros(unsigned(longest)) }))
        })
        .await
    }
}

fn last_lead(db: &Connection, source: &str) -> Result<Option<Timestamp>, StoreError> {
    let last: Option<i64> = db
        .prepare_cached("SELECT max(received_at) FROM lead WHERE source = ?1")?
        .query_row([source], |row| row.get(0))?;
    last.map(time).transpose()
}

/// A count from a column.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
