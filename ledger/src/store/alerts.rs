//! What alerts need of the store: what is known and told, messages on their way, and what conditions are made from.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::db::{Db, values};
use super::{Store, StoreError, micros, time};

/// Late deliveries are counted up to here.
pub const COUNTED: u64 = 10_000;

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
            let rows = db.query("SELECT channel, known FROM alert", &[])?;
            rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
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
            let sql = "INSERT INTO alert (channel, known) VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET known = excluded.known";
            db.execute(sql, values![&channel, &known])?;
            if let Some(Unsent { id, message }) = &message {
                let sql = "INSERT INTO alert_message (channel, id, at, message) VALUES (?, ?, ?, ?)";
                db.execute(sql, values![&channel, id, micros(at), message])?;
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
            let rows = db.query("SELECT channel FROM alert UNION SELECT channel FROM alert_message", &[])?;
            let known: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
            for channel in known.iter().filter(|channel| !channels.contains(channel)) {
                db.execute("DELETE FROM alert WHERE channel = ?", values![channel])?;
                db.execute("DELETE FROM alert_message WHERE channel = ?", values![channel])?;
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
            let rows = db.query("SELECT channel, count(*) FROM alert_message GROUP BY channel", &[])?;
            rows.iter().map(|row| Ok((row.get(0)?, unsigned(row.get(1)?)))).collect()
        })
        .await
    }

    /// The message that a channel is to send next.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next_unsent(&self, channel: String) -> Result<Option<Unsent>, StoreError> {
        self.read(move |db| {
            let sql = "SELECT id, message FROM alert_message WHERE channel = ? ORDER BY at, id LIMIT 1";
            let row = db.query_opt(sql, values![&channel])?;
            row.map(|row| Ok(Unsent { id: row.get(0)?, message: row.get(1)? })).transpose()
        })
        .await
    }

    /// A message was sent.
    ///
    /// # Errors
    /// When the database cannot be written; then it will be sent again.
    pub async fn sent(&self, channel: String, id: String) -> Result<(), StoreError> {
        self.write(move |db| {
            db.execute("DELETE FROM alert_message WHERE channel = ? AND id = ?", values![&channel, &id])?;
            Ok(())
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
            let sql =
                "SELECT min(open_since) FROM delivery WHERE destination = ? AND route = ? AND open_since IS NOT NULL";
            let row = db.query_opt(sql, values![&destination, &route])?;
            let Some(oldest) = row.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten() else { return Ok(None) };
            let sql = "SELECT count(*) FROM (SELECT 1 FROM delivery
                       WHERE destination = ? AND route = ? AND open_since IS NOT NULL AND open_since < ? LIMIT ?) few";
            let most = i64::try_from(COUNTED).unwrap_or(i64::MAX);
            let row = db.query_opt(sql, values![&destination, &route, micros(late), most])?;
            let late = row.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or(0);
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
            let sql = "SELECT received_at FROM lead WHERE source = ? AND received_at >= ? ORDER BY received_at";
            let (mut before, mut leads, mut longest) = (None, 0, 0);
            for row in db.query(sql, values![&source, micros(from)])? {
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

fn last_lead(db: &dyn Db, source: &str) -> Result<Option<Timestamp>, StoreError> {
    let row = db.query_opt("SELECT max(received_at) FROM lead WHERE source = ?", values![source])?;
    row.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten().map(time).transpose()
}

/// A count from a column.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
