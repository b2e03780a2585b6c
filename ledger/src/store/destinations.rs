//! Destinations and sources: how they are, what operators have decided, and numbers for an overview.

use std::collections::BTreeMap;

use jiff::Timestamp;
use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::event::{Event, Fact, PauseCause};
use leadrelay_shared::fields::Note;
use serde::{Deserialize, Serialize};

use super::db::{Db, values};
use super::fold::error_of;
use super::{Store, StoreError, json, micros, read_json, time};

/// What is known of a destination.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each field is named after what it holds")]
pub struct DestinationRow {
    pub delivered: u64,
    pub parked: u64,
    pub last_success_at: Option<Timestamp>,
    pub last_error: Option<DeliveryError>,
    pub last_error_at: Option<Timestamp>,
    /// Paused by its own failures, with the time at which it is tried again.
    pub failing: Option<(PauseCause, Option<Timestamp>)>,
    /// What of the routes does not fit its fields.
    pub unfit: Vec<Note>,
    /// When it told its fields last, with another result than before or because an operator asked.
    pub checked_at: Option<Timestamp>,
}

/// What is known of a source.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each field is named after what it holds")]
pub struct SourceRow {
    pub leads: u64,
    pub last_lead_at: Option<Timestamp>,
    pub last_test_lead_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Pausing {
    cause: PauseCause,
    until: Option<Timestamp>,
}

/// The destination of which an event says something.
pub(super) fn concerns(event: &Event) -> Option<&str> {
    match &event.fact {
        Fact::Delivered { about, .. } | Fact::Deferred { about, .. } | Fact::Parked { about: Some(about), .. } => {
            Some(&about.destination)
        }
        Fact::Paused { destination, .. } | Fact::Resumed { destination } | Fact::Checked { destination, .. } => {
            Some(destination)
        }
        _ => None,
    }
}

/// Takes in what an event says of a destination: of two sayings, the later.
pub(super) fn note(db: &dyn Db, event: &Event) -> Result<(), StoreError> {
    match &event.fact {
        Fact::Delivered { about, .. } => success(db, &about.destination, event.at),
        Fact::Deferred { about, error, .. } => failure(db, &about.destination, event.at, error),
        Fact::Parked { about: Some(about), reason, .. } => match error_of(reason) {
            Some(error) => failure(db, &about.destination, event.at, error),
            None => Ok(()),
        },
        // What an operator decides is in `decision`; a worker's telling of it would outlive the decision.
        Fact::Paused { cause: PauseCause::Operator { .. }, .. } => Ok(()),
        Fact::Paused { destination, cause, until } => {
            if let PauseCause::Failing { error } = cause {
                failure(db, destination, event.at, error)?;
            }
            pausing(db, destination, event.at, Some(&json(&Pausing { cause: cause.clone(), until: *until })))
        }
        Fact::Resumed { destination } => pausing(db, destination, event.at, None),
        Fact::Checked { destination, error: Some(error), .. } => failure(db, destination, event.at, error),
        Fact::Checked { destination, unfit, error: None } => checked(db, destination, event.at, &json(unfit)),
        _ => Ok(()),
    }
}

fn success(db: &dyn Db, name: &str, at: Timestamp) -> Result<(), StoreError> {
    db.change(
        "INSERT INTO destination (name, last_success_at) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET last_success_at =
           CASE WHEN destination.last_success_at > ?2 THEN destination.last_success_at ELSE ?2 END",
        values![name, micros(at)],
    )
}

fn failure(db: &dyn Db, name: &str, at: Timestamp, error: &DeliveryError) -> Result<(), StoreError> {
    db.change(
        "INSERT INTO destination (name, last_error_at, last_error) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET last_error_at = ?2, last_error = ?3
         WHERE destination.last_error_at IS NULL OR (?2, ?3) > (destination.last_error_at, destination.last_error)",
        values![name, micros(at), json(error)],
    )
}

fn pausing(db: &dyn Db, name: &str, at: Timestamp, pause: Option<&str>) -> Result<(), StoreError> {
    db.change(
        "INSERT INTO destination (name, pause_at, pause) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET pause_at = ?2, pause = ?3
         WHERE destination.pause_at IS NULL
           OR (?2, coalesce(?3, '')) > (destination.pause_at, coalesce(destination.pause, ''))",
        values![name, micros(at), pause],
    )
}

fn checked(db: &dyn Db, name: &str, at: Timestamp, unfit: &str) -> Result<(), StoreError> {
    db.change(
        "INSERT INTO destination (name, unfit_at, unfit) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET unfit_at = ?2, unfit = ?3
         WHERE destination.unfit_at IS NULL OR (?2, ?3) > (destination.unfit_at, destination.unfit)",
        values![name, micros(at), unfit],
    )
}

/// So many more deliveries have arrived there.
pub(super) fn count_delivered(db: &dyn Db, name: &str, more: u32) -> Result<(), StoreError> {
    db.change(
        "INSERT INTO destination (name, delivered) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET delivered = destination.delivered + excluded.delivered",
        values![name, more],
    )
}

impl Store {
    /// Remembers that an operator pauses `destination`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn pause(&self, destination: String, reason: String, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |db| {
            db.execute(
                "INSERT INTO decision (destination, reason, at) VALUES (?, ?, ?)
                 ON CONFLICT (destination) DO UPDATE SET reason = excluded.reason, at = excluded.at",
                values![&destination, &reason, micros(at)],
            )?;
            Ok(())
        })
        .await
    }

    /// Forgets that an operator has paused `destination`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn resume(&self, destination: String) -> Result<(), StoreError> {
        self.write(move |db| {
            db.execute("DELETE FROM decision WHERE destination = ?", values![&destination])?;
            Ok(())
        })
        .await
    }

    /// Destinations that operators have paused, with the reasons.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn paused(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(|db| {
            let rows = db.query("SELECT destination, reason FROM decision", &[])?;
            rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
        })
        .await
    }

    /// Every destination of which anything is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn destinations(&self) -> Result<BTreeMap<String, DestinationRow>, StoreError> {
        self.read(destinations).await
    }

    /// Every destination that a delivery was ever made for, as far as history goes.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn destinations_of_deliveries(&self) -> Result<Vec<String>, StoreError> {
        self.read(|db| {
            // From each name straight to the next one: there are few names and many deliveries.
            let rows = db.query(
                "WITH RECURSIVE next (name) AS (
                   SELECT min(destination) FROM delivery
                   UNION ALL
                   SELECT (SELECT min(destination) FROM delivery WHERE destination > name) FROM next WHERE name IS NOT NULL)
                 SELECT name FROM next WHERE name IS NOT NULL",
                &[],
            )?;
            rows.iter().map(|row| row.get(0)).collect()
        })
        .await
    }

    /// What is known of the sources of these names.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sources(&self, names: Vec<String>) -> Result<BTreeMap<String, SourceRow>, StoreError> {
        self.read(move |db| names.iter().map(|name| Ok((name.clone(), source(db, name)?))).collect()).await
    }

    /// Leads by state, and what is parked by kind of reason.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn counts(&self) -> Result<(BTreeMap<String, u64>, BTreeMap<String, u64>), StoreError> {
        self.read(|db| {
            let count = |sql| -> Result<BTreeMap<String, u64>, StoreError> {
                db.query(sql, &[])?.iter().map(|row| Ok((row.get(0)?, unsigned(row.get(1)?)))).collect()
            };
            Ok((
                count("SELECT state, count(*) FROM lead GROUP BY state")?,
                count("SELECT kind, count(*) FROM parked GROUP BY kind")?,
            ))
        })
        .await
    }
}

fn destinations(db: &dyn Db) -> Result<BTreeMap<String, DestinationRow>, StoreError> {
    let mut all: BTreeMap<String, DestinationRow> = BTreeMap::new();
    let rows = db.query(
        // A success after the pause ends it, whether or not the process that had paused it lived to say so.
        "SELECT name, delivered, last_success_at, last_error_at, last_error,
           CASE WHEN last_success_at > pause_at THEN NULL ELSE pause END, unfit, unfit_at FROM destination",
        &[],
    )?;
    for row in rows {
        let (error, pause): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
        let unfit: Option<String> = row.get(6)?;
        let pausing: Option<Pausing> = pause.map(|text| read_json(&text, "pause")).transpose()?;
        let known = DestinationRow {
            delivered: unsigned(row.get(1)?),
            parked: 0,
            last_success_at: row.get::<Option<i64>>(2)?.map(time).transpose()?,
            last_error_at: row.get::<Option<i64>>(3)?.map(time).transpose()?,
            last_error: error.map(|text| read_json(&text, "error")).transpose()?,
            failing: pausing.map(|p| (p.cause, p.until)),
            unfit: unfit.map(|text| read_json(&text, "unfit")).transpose()?.unwrap_or_default(),
            checked_at: row.get::<Option<i64>>(7)?.map(time).transpose()?,
        };
        all.insert(row.get(0)?, known);
    }
    let sql = "SELECT destination, count(*) FROM parked WHERE destination IS NOT NULL GROUP BY destination";
    for row in db.query(sql, &[])? {
        all.entry(row.get(0)?).or_default().parked = unsigned(row.get(1)?);
    }
    Ok(all)
}

fn source(db: &dyn Db, name: &str) -> Result<SourceRow, StoreError> {
    let all = db.query_opt("SELECT count(*), max(received_at) FROM lead WHERE source = ?", values![name])?;
    let (leads, last): (i64, Option<i64>) = match all {
        Some(row) => (row.get(0)?, row.get(1)?),
        None => (0, None),
    };
    let sql = "SELECT received_at FROM lead WHERE source = ? AND test ORDER BY received_at DESC LIMIT 1";
    let last_test: Option<i64> = db.query_opt(sql, values![name])?.map(|row| row.get(0)).transpose()?;
    Ok(SourceRow {
        leads: unsigned(leads),
        last_lead_at: last.map(time).transpose()?,
        last_test_lead_at: last_test.map(time).transpose()?,
    })
}

/// A count from a column.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
