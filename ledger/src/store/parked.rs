//! What waits for a person.

use jiff::Timestamp;
use leadrelay_shared::delivery::{ParkReason, Parked, Waiting};
use leadrelay_shared::id::{DeliveryId, LeadId};

use super::db::{Db, Row, Value, values};
use super::filter::{Conditions, Cursor};
use super::fold::Waits;
use super::rows::{self, delivery_key, lead_key};
use super::{Store, StoreError, json, micros, read_json, time};
use crate::api::types::{Filter, Page, ParkedItem};

/// One thing that waits, with all that is needed to send it on its way again.
#[derive(Clone, Debug)]
pub struct ParkedRow {
    /// As a list shows it.
    pub item: ParkedItem,
    /// What waits.
    pub waiting: Waiting,
    /// The highest round of its lead and of the lead's deliveries.
    pub lead_round: u32,
}

/// Keeps a parked message: of two with one key the later round wins, and within a round the first.
pub(super) fn keep(db: &dyn Db, lead: i64, parked: &Parked) -> Result<(), StoreError> {
    let (key, round, place) = match &parked.what {
        Waiting::Lead(lead) => (lead_key(lead.id), lead.round, None),
        Waiting::Delivery(d) => (delivery_key(d.id), d.round, Some((&d.destination, &d.route))),
    };
    db.change(
        "INSERT INTO parked (key, lead, delivery, destination, route, at, round, kind, reason, waiting)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET destination = excluded.destination, route = excluded.route, at = excluded.at,
           round = excluded.round, kind = excluded.kind, reason = excluded.reason, waiting = excluded.waiting
         WHERE excluded.round > parked.round OR (excluded.round = parked.round
           AND (excluded.at, excluded.reason, excluded.waiting) < (parked.at, parked.reason, parked.waiting))",
        values![
            key,
            lead,
            place.is_some(),
            place.map(|p| p.0),
            place.map(|p| p.1),
            micros(parked.at),
            round,
            parked.reason.kind(),
            json(&parked.reason),
            json(&parked.what),
        ],
    )
}

/// The rows of one lead by their keys, as the fold sees them.
pub(super) type Waiters = Vec<([u8; 16], Waits)>;

const WAITS: &str =
    "SELECT key, delivery, destination, route, round, at, reason FROM parked WHERE lead = ? ORDER BY key";

/// The rows of one lead.
pub(super) fn waits(db: &dyn Db, lead: i64) -> Result<Waiters, StoreError> {
    read(&db.query(WAITS, values![lead])?)
}

/// The rows of each of these leads.
pub(super) fn waits_each(db: &dyn Db, leads: &[Vec<Value>]) -> Result<Vec<Waiters>, StoreError> {
    db.query_each(WAITS, leads)?.iter().map(|rows| read(rows)).collect()
}

fn read(rows: &[Row]) -> Result<Waiters, StoreError> {
    let mut all = Vec::new();
    for row in rows {
        let delivery = match row.get(1)? {
            true => Some((rows::delivery_id(row, 0)?, row.get(2)?, row.get(3)?)),
            false => None,
        };
        let Ok(reason) = reason(row, 6) else {
            tracing::error!("a park reason in the ledger cannot be read and is left out");
            continue;
        };
        let waits = Waits { delivery, round: row.get(4)?, at: time(row.get(5)?)?, reason };
        all.push((row.get(0)?, waits));
    }
    Ok(all)
}

fn reason(row: &Row, column: usize) -> Result<ParkReason, StoreError> {
    read_json(row.text(column), "park reason")
}

const ITEM: &str = "SELECT p.key, p.at, l.id, p.delivery, l.source, p.destination, p.reason, p.rowid, l.round";

impl Store {
    /// A page of what waits, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked(
        &self,
        filter: Filter,
        limit: usize,
        cursor: Option<Cursor>,
    ) -> Result<Page<ParkedItem>, StoreError> {
        self.read(move |db| {
            let (sql, values) = select(ITEM, &filter, limit, cursor);
            let (mut items, mut last) = (Vec::new(), None);
            for row in db.query(&sql, &values)? {
                if items.len() == limit {
                    return Ok(Page { items, next: last });
                }
                items.push(item(&row)?);
                last = Some(Cursor { at: row.get(1)?, no: row.get(7)? }.to_string());
            }
            Ok(Page { items, next: None })
        })
        .await
    }

    /// Some of what waits and matches, with what waits itself: not parked later than `until`, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked_rows(
        &self,
        filter: Filter,
        limit: usize,
        cursor: Option<Cursor>,
    ) -> Result<(Vec<ParkedRow>, Option<Cursor>), StoreError> {
        self.read(move |db| {
            let (sql, values) = select(&format!("{ITEM}, p.waiting"), &filter, limit, cursor);
            let (mut found, mut last) = (Vec::new(), None);
            for row in db.query(&sql, &values)? {
                if found.len() == limit {
                    return Ok((found, last));
                }
                found.push(whole(&row)?);
                last = Some(Cursor { at: row.get(1)?, no: row.get(7)? });
            }
            Ok((found, None))
        })
        .await
    }

    /// What waits under `id`, a delivery's or a lead's.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked_row(&self, id: uuid::Uuid) -> Result<Option<ParkedRow>, StoreError> {
        self.read(move |db| one(db, "p.key = ?", Value::from(id.into_bytes())).map(|mut rows| rows.pop())).await
    }

    /// All that waits of one lead.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked_of_lead(&self, lead: LeadId) -> Result<Vec<ParkedRow>, StoreError> {
        self.read(move |db| one(db, "l.id = ?", Value::from(lead_key(lead)))).await
    }
}

fn one(db: &dyn Db, condition: &str, value: Value) -> Result<Vec<ParkedRow>, StoreError> {
    let sql = format!("{ITEM}, p.waiting FROM parked p JOIN lead l ON l.no = p.lead WHERE {condition} ORDER BY p.key");
    db.query(&sql, &[value])?.iter().map(whole).collect()
}

/// One more than the page, to know whether there is a next one.
pub(super) fn select(columns: &str, filter: &Filter, limit: usize, cursor: Option<Cursor>) -> (String, Vec<Value>) {
    let mut conditions = conditions(filter);
    conditions.before("p.at", "p.rowid", cursor);
    let (condition, mut values) = conditions.into_sql();
    values.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)));
    // The outer loop is over what waits, in the order of the list: the page ends the search.
    let sql = format!(
        "{columns} FROM parked p CROSS JOIN lead l WHERE l.no = p.lead AND {condition} ORDER BY p.at DESC, p.rowid DESC LIMIT ?"
    );
    (sql, values)
}

/// What a filter says of `p`, what waits, and of `l`, its lead.
fn conditions(filter: &Filter) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.lead(filter, &["p.key", "l.id"]);
    conditions.text("p.destination = ?", filter.destination.as_deref());
    conditions.text("p.kind = ?", filter.reason.as_deref());
    conditions.time("p.at >= ?", filter.since);
    conditions.time("p.at <= ?", filter.until);
    conditions
}

/// The same as SQL.
pub(super) fn condition(filter: &Filter) -> (String, Vec<Value>) {
    conditions(filter).into_sql()
}

fn item(row: &Row) -> Result<ParkedItem, StoreError> {
    let reason = reason(row, 6)?;
    let delivery: Option<DeliveryId> = if row.get(3)? { Some(rows::delivery_id(row, 0)?) } else { None };
    let lead = rows::lead_id(row, 2)?;
    let at: Timestamp = time(row.get(1)?)?;
    Ok(ParkedItem {
        id: delivery.map_or_else(|| lead.to_string(), |d| d.to_string()),
        at,
        lead,
        delivery,
        source: row.get(4)?,
        destination: row.get(5)?,
        text: reason.to_string(),
        reason,
    })
}

fn whole(row: &Row) -> Result<ParkedRow, StoreError> {
    let waiting = read_json(row.text(9), "parked message")?;
    Ok(ParkedRow { item: item(row)?, waiting, lead_round: row.get(8)? })
}
