//! Everything from a file into PostgreSQL, some leads at a time.
//!
//! Invariant: how far the move has got is written in the transaction that moves, so a move that ends half-way goes on where it was
//! and nothing is moved twice. The file stays as it is.

use std::collections::BTreeMap;

use leadrelay_shared::id::LeadId;

use super::db::{Db, Row, Value, values};
use super::rows::lead_id;
use super::{Store, StoreError, time};

/// Leads moved at once.
const LEADS: u32 = 100;

/// What is moved of a lead itself, beside its id. Its number is another one there.
const LEAD: [&str; 17] = [
    "received_at",
    "state",
    "round",
    "duplicates",
    "accepted",
    "source",
    "format",
    "test",
    "dnc",
    "name",
    "email",
    "company",
    "offer_title",
    "action",
    "search",
    "faults",
    "settled_at",
];

/// The other tables, each with what is moved beside the number of the lead.
const OF_LEADS: [(&str, &[&str]); 4] = [
    ("payload", &["sealed", "body"]),
    ("event", &["id", "at", "kind", "fact"]),
    ("delivery", &["id", "destination", "state", "received_at", "route", "open_since"]),
    ("parked", &["key", "delivery", "destination", "route", "at", "round", "kind", "reason", "sealed", "waiting"]),
];

/// What belongs to no lead.
const OTHERS: [(&str, &[&str]); 6] = [
    (
        "destination",
        &[
            "name",
            "delivered",
            "last_success_at",
            "last_error_at",
            "last_error",
            "pause_at",
            "pause",
            "unfit_at",
            "unfit",
        ],
    ),
    ("decision", &["destination", "reason", "at"]),
    ("audit", &["at", "operator", "via", "act", "object", "outcome"]),
    ("erased", &["lead", "at"]),
    ("alert", &["channel", "known"]),
    ("alert_message", &["channel", "id", "at", "message"]),
];

/// Columns that are true or false, which to SQLite are numbers.
const FLAGS: [&str; 3] = ["test", "dnc", "delivery"];

/// How far a move has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Leads that are there, those of earlier runs included.
    pub leads: u64,
    /// Whether that is all.
    pub done: bool,
}

/// Why a history is not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// One of the two cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is a history there already.
    #[error(
        "the PostgreSQL database has a history already, and two are not made one; name an empty database in ledger.url"
    )]
    NotEmpty,
    /// What was moved before came from another file.
    #[error(
        "the PostgreSQL database holds a part of another history; name an empty database in ledger.url, or go on with the file that \
         the move began with"
    )]
    Another,
    /// Somebody else writes there.
    #[error(
        "a ledger has recorded in the PostgreSQL database since the move began; stop it, and move into an empty database"
    )]
    Running,
}

/// The last lead that the other database has, by its number in the file.
struct Mark {
    last: i64,
    id: Option<[u8; 16]>,
}

/// Some leads out of the file, with all that is known of them.
struct Batch {
    last: i64,
    leads: Vec<Row>,
    rows: Vec<Vec<Row>>,
}

/// What became of a batch.
enum Taken {
    As(Moved),
    Running,
}

impl Store {
    /// Moves some more of this history into `to`, which must be PostgreSQL and empty but for what was moved before. Moving is over
    /// when that says so.
    ///
    /// # Errors
    /// When either cannot be used, or the other has leads of its own.
    pub async fn move_some(&self, to: &Self) -> Result<Moved, MoveError> {
        let Some(mark) = to.write(mark).await? else { return Err(MoveError::NotEmpty) };
        let last = mark.last;
        let (known, batch) = self.read(move |db| Ok((id_of(db, last)?, batch(db, last)?))).await?;
        if mark.id != known {
            return Err(MoveError::Another);
        }
        let taken = match batch {
            Some(batch) => to.write(move |db| take(db, &batch)).await?,
            None => {
                let others =
                    self.read(|db| OTHERS.map(|(table, columns)| all(db, table, columns)).into_iter().collect());
                let others: Vec<Vec<Row>> = others.await?;
                to.write(move |db| finish(db, &others)).await?
            }
        };
        match taken {
            Taken::As(moved) => Ok(moved),
            Taken::Running => Err(MoveError::Running),
        }
    }
}

/// How far it has got; `None` where there is a history that no unfinished move has brought.
fn mark(db: &dyn Db) -> Result<Option<Mark>, StoreError> {
    if let Some(row) = db.query_opt("SELECT last, id, done FROM moved", &[])? {
        let done: bool = row.get(2)?;
        return Ok(if done { None } else { Some(Mark { last: row.get(0)?, id: row.get(1)? }) });
    }
    for table in ["lead_no", "destination", "decision"] {
        if db.query_opt(&format!("SELECT 1::bigint FROM {table} LIMIT 1"), &[])?.is_some() {
            return Ok(None);
        }
    }
    db.execute("INSERT INTO moved (last, leads, done) VALUES (0, 0, false)", &[])?;
    Ok(Some(Mark { last: 0, id: None }))
}

/// The lead of a number.
fn id_of(db: &dyn Db, no: i64) -> Result<Option<[u8; 16]>, StoreError> {
    db.query_opt("SELECT id FROM lead WHERE no = ?", values![no])?.map(|row| row.get(0)).transpose()
}

/// The leads after a number; `None` where there are no more.
fn batch(db: &dyn Db, after: i64) -> Result<Option<Batch>, StoreError> {
    let sql = format!("SELECT no, id, {} FROM lead WHERE no > ? ORDER BY no LIMIT ?", LEAD.join(", "));
    let leads = db.query(&sql, values![after, LEADS])?;
    let Some(last) = leads.last() else { return Ok(None) };
    let last = last.get(0)?;
    let of_leads = |(table, columns): (&str, &[&str])| {
        let sql = format!("SELECT lead, {} FROM {table} WHERE lead > ? AND lead <= ?", columns.join(", "));
        db.query(&sql, values![after, last])
    };
    let rows = OF_LEADS.into_iter().map(of_leads).collect::<Result<_, _>>()?;
    Ok(Some(Batch { last, leads, rows }))
}

fn all(db: &dyn Db, table: &str, columns: &[&str]) -> Result<Vec<Row>, StoreError> {
    db.query(&format!("SELECT {} FROM {table}", columns.join(", ")), &[])
}

/// Takes leads in, with numbers of their own.
fn take(db: &dyn Db, batch: &Batch) -> Result<Taken, StoreError> {
    let mut claimed = BTreeMap::new();
    for row in &batch.leads {
        if db.query_opt("SELECT no FROM lead_no WHERE id = ?", values![row.get::<[u8; 16]>(1)?])?.is_some() {
            return Ok(Taken::Running);
        }
        claimed.insert(lead_id(row, 1)?, time(row.get(2)?)?);
    }
    let of_ids: BTreeMap<LeadId, i64> = db.claim(&claimed)?;
    let mut numbers = BTreeMap::new();
    for row in &batch.leads {
        let no = of_ids.get(&lead_id(row, 1)?).copied().ok_or(StoreError::Row { what: "number of a lead" })?;
        numbers.insert(row.get::<i64>(0)?, no);
        let sets: Vec<String> = LEAD.iter().map(|column| format!("{column} = ?")).collect();
        let mut values = typed(&LEAD, &row.0[2..]);
        values.push(Value::from(no));
        db.execute(&format!("UPDATE lead SET {} WHERE no = ?", sets.join(", ")), &values)?;
    }
    for ((table, columns), rows) in OF_LEADS.iter().zip(&batch.rows) {
        let names: Vec<&str> = std::iter::once("lead").chain(columns.iter().copied()).collect();
        for row in rows {
            let no = numbers.get(&row.get::<i64>(0)?).copied().ok_or(StoreError::Row { what: "number of a lead" })?;
            let mut values = vec![Value::from(no)];
            values.extend(typed(columns, &row.0[1..]));
            insert(db, table, &names, &values)?;
        }
    }
    let more = i64::try_from(batch.leads.len()).unwrap_or(i64::MAX);
    let last = batch.leads.last().map(|row| row.get::<[u8; 16]>(1)).transpose()?;
    db.execute("UPDATE moved SET last = ?, id = ?, leads = leads + ?", values![batch.last, last, more])?;
    told(db)
}

/// Takes in what belongs to no lead, and ends the move.
fn finish(db: &dyn Db, others: &[Vec<Row>]) -> Result<Taken, StoreError> {
    for ((table, columns), rows) in OTHERS.iter().zip(others) {
        if db.query_opt(&format!("SELECT 1::bigint FROM {table} LIMIT 1"), &[])?.is_some() {
            return Ok(Taken::Running);
        }
        for row in rows {
            insert(db, table, columns, &row.0)?;
        }
    }
    db.execute("UPDATE moved SET done = true", &[])?;
    told(db)
}

fn told(db: &dyn Db) -> Result<Taken, StoreError> {
    let row = db.query_opt("SELECT leads, done FROM moved", &[])?.ok_or(StoreError::Row { what: "mark of a move" })?;
    Ok(Taken::As(Moved { leads: u64::try_from(row.get::<i64>(0)?).unwrap_or(0), done: row.get(1)? }))
}

fn insert(db: &dyn Db, table: &str, columns: &[&str], values: &[Value]) -> Result<(), StoreError> {
    let marks = vec!["?"; columns.len()].join(", ");
    db.execute(&format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", ")), values)?;
    Ok(())
}

/// The values with their types there.
fn typed(columns: &[&str], values: &[Value]) -> Vec<Value> {
    let one = |(column, value): (&&str, &Value)| match value {
        Value::Int(flag) if FLAGS.contains(column) => Value::Bool(*flag != 0),
        value => value.clone(),
    };
    columns.iter().zip(values).map(one).collect()
}
