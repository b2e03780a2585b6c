//! Sealing again: what is kept under an older key, or under none, under the first key, a little at a time.

use super::db::{Db, Row, Value, values};
use super::rows;
use super::seal::{Place, Sealer};
use super::{Store, StoreError};

/// Values in one step.
const VALUES: usize = 50;

/// How far sealing again has got; it begins at the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealing {
    /// How many values it has sealed again.
    pub sealed: u64,
    /// How many it has passed over because they cannot be opened although their key is there.
    pub broken: u64,
    /// Whether it has been through everything.
    pub done: bool,
    /// The part it is at, and the last row of it that it has been at.
    at: (usize, i64),
}

/// A table with sealed values.
#[derive(Clone, Copy)]
enum Table {
    Payload,
    Parked,
}

impl Store {
    /// Seals some more of what is not sealed with the first key. What is sealed with a key that is not known here stays as it is.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn seal_again(&self, so_far: Resealing) -> Result<Resealing, StoreError> {
        let sealer = self.sealer.clone();
        self.write(move |db| step(db, &sealer, so_far)).await
    }

    /// How many values are not sealed with the first key; `None` where there is no key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sealed_otherwise(&self) -> Result<Option<u64>, StoreError> {
        let Some(first) = self.sealer.first() else { return Ok(None) };
        self.read(move |db| {
            let mut count = 0;
            for table in ["payload", "parked"] {
                let sql = format!("SELECT count(*) FROM {table} WHERE sealed IS NULL OR sealed < ?1 OR sealed > ?1");
                let row = db.query_opt(&sql, values![first])?.ok_or(StoreError::Row { what: "count" })?;
                count += u64::try_from(row.get::<i64>(0)?).unwrap_or(0);
            }
            Ok(Some(count))
        })
        .await
    }
}

/// The parts in which it is gone through: each table, for each key that is not the first. So each runs along an index.
fn parts(sealer: &Sealer) -> Vec<(Table, Option<u32>)> {
    let others = sealer.others();
    [Table::Payload, Table::Parked].into_iter().flat_map(|table| others.iter().map(move |by| (table, *by))).collect()
}

fn step(db: &dyn Db, sealer: &Sealer, so_far: Resealing) -> Result<Resealing, StoreError> {
    let (part, after) = so_far.at;
    let Some((table, by)) = parts(sealer).get(part).copied() else { return Ok(Resealing { done: true, ..so_far }) };
    let found = table.find(db, by, after)?;
    let leads = found.iter().map(|(_, lead)| *lead).collect();
    // Those that others change meanwhile are read once they have done so.
    let held = db.hold(leads)?;
    let mut now = so_far;
    for (no, _) in found.iter().filter(|(_, lead)| held.contains(lead)) {
        match table.seal(db, sealer, *no, by) {
            Ok(sealed) => now.sealed += u64::from(sealed),
            Err(error) if error.is_unopened() => now.broken += 1,
            Err(error) => return Err(error),
        }
    }
    now.at = match found.last() {
        Some((last, _)) if found.len() == VALUES => (part, *last),
        _ => (part + 1, 0),
    };
    Ok(now)
}

impl Table {
    /// Some rows after a row that are sealed with this key, each with its lead.
    fn find(self, db: &dyn Db, by: Option<u32>, after: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        let (table, no) = match self {
            Self::Payload => ("payload", "lead"),
            Self::Parked => ("parked", "rowid"),
        };
        let (condition, mut values) = match by {
            Some(key) => ("= ?", vec![Value::from(key)]),
            None => ("IS NULL", Vec::new()),
        };
        values.push(Value::from(after));
        let sql = format!(
            "SELECT {no}, lead FROM {table} WHERE sealed {condition} AND {no} > ? ORDER BY {no} LIMIT {VALUES}"
        );
        db.query(&sql, &values)?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// Seals one row with the first key, and says whether it did: it may be gone, or sealed by another ledger.
    fn seal(self, db: &dyn Db, sealer: &Sealer, no: i64, by: Option<u32>) -> Result<bool, StoreError> {
        let sql = match self {
            Self::Payload => {
                "SELECT p.sealed, l.id, p.body FROM payload p JOIN lead l ON l.no = p.lead WHERE p.lead = ?"
            }
            Self::Parked => "SELECT sealed, key, waiting FROM parked WHERE rowid = ?",
        };
        let Some(row) = db.query_opt(sql, values![no])? else { return Ok(false) };
        if row.get::<Option<u32>>(0)? != by {
            return Ok(false);
        }
        let (sql, value, sealed) = self.sealed(sealer, &row, by)?;
        db.execute(sql, values![sealed, value, no])?;
        Ok(true)
    }

    /// The statement that writes a row's value anew, and the value.
    fn sealed(
        self,
        sealer: &Sealer,
        row: &Row,
        by: Option<u32>,
    ) -> Result<(&'static str, Value, Option<u32>), StoreError> {
        match self {
            Self::Payload => {
                let place = Place::Payload(rows::lead_id(row, 1)?);
                let (body, sealed) = sealer.seal(place, &sealer.open(place, row.get(2)?, by)?)?;
                Ok(("UPDATE payload SET sealed = ?, body = ? WHERE lead = ?", Value::Blob(body), sealed))
            }
            Self::Parked => {
                let place = Place::Parked(row.get(1)?);
                let (waiting, sealed) = sealer.seal_text(place, sealer.open_text(place, row.text(2), by)?)?;
                Ok(("UPDATE parked SET sealed = ?, waiting = ? WHERE rowid = ?", Value::Text(waiting), sealed))
            }
        }
    }
}
