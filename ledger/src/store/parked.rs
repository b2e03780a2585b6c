//! What waits for a person.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use leadrelay_shared::delivery::{ParkReason, Parked, Waiting};
use leadrelay_shared::id::{DeliveryId, LeadId};

use super::db::{Db, Row, Value, values};
use super::filter::{Conditions, Cursor};
use super::fold::Waits;
use super::rows::{self, delivery_key, lead_key};
use super::seal::{Place, Sealer};
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

/// How one copy of what waits under a key stands to another: the smaller one is kept. Last its text, after whether that cannot be
/// read.
type Rank = (Reverse<u32>, i64, String, (bool, String));

/// Copies that are kept, by their keys.
pub(super) struct Copies(BTreeMap<[u8; 16], Rank>);

impl Copies {
    /// Those that there are of these.
    pub(super) fn of(db: &dyn Db, sealer: &Sealer, parked: &[Parked]) -> Result<Self, StoreError> {
        let sql = "SELECT key, round, at, reason, waiting, sealed FROM parked WHERE key = ?";
        let keys: Vec<Vec<Value>> = parked.iter().map(|one| values![key_of(one)].to_vec()).collect();
        let one = |row: &Row| -> Result<([u8; 16], Rank), StoreError> {
            let waiting = match opened(sealer, row.get(0)?, row.text(4), row.get(5)?) {
                // A copy that can be read is worth more, and recording waits for no key.
                Err(error) if error.is_unopened() => (true, String::new()),
                waiting => (false, waiting?),
            };
            Ok((row.get(0)?, (Reverse(row.get(1)?), row.get(2)?, row.get(3)?, waiting)))
        };
        Ok(Self(db.query_each(sql, &keys)?.iter().flatten().map(one).collect::<Result<_, _>>()?))
    }

    /// Whether a copy is to be kept instead of that which is.
    fn takes(&mut self, key: [u8; 16], rank: Rank) -> bool {
        let takes = self.0.get(&key).is_none_or(|known| rank < *known);
        if takes {
            self.0.insert(key, rank);
        }
        takes
    }
}

fn key_of(parked: &Parked) -> [u8; 16] {
    match &parked.what {
        Waiting::Lead(lead) => lead_key(lead.id),
        Waiting::Delivery(delivery) => delivery_key(delivery.id),
    }
}

fn opened(sealer: &Sealer, key: [u8; 16], waiting: &str, sealed: Option<u32>) -> Result<String, StoreError> {
    sealer.open_text(Place::Parked(key), waiting, sealed)
}

/// Keeps a parked message: of two with one key the later round wins, and within a round the first. Which it is, is known before
/// it is sealed, because what is sealed cannot be compared.
pub(super) fn keep(
    db: &dyn Db,
    sealer: &Sealer,
    lead: i64,
    parked: &Parked,
    known: &mut Copies,
) -> Result<(), StoreError> {
    let key = key_of(parked);
    let (round, place) = match &parked.what {
        Waiting::Lead(lead) => (lead.round, None),
        Waiting::Delivery(d) => (d.round, Some((&d.destination, &d.route))),
    };
    let (at, reason, waiting) = (micros(parked.at), json(&parked.reason), json(&parked.what));
    if !known.takes(key, (Reverse(round), at, reason.clone(), (false, waiting.clone()))) {
        return Ok(());
    }
    let (waiting, sealed) = sealer.seal_text(Place::Parked(key), waiting)?;
    db.change(
        "INSERT INTO parked (key, lead, delivery, destination, route, at, round, kind, reason, sealed, waiting)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET destination = excluded.destination, route = excluded.route, at = excluded.at,
           round = excluded.round, kind = excluded.kind, reason = excluded.reason, sealed = excluded.sealed,
           waiting = excluded.waiting",
        values![
            key,
            lead,
            place.is_some(),
            place.map(|p| p.0),
            place.map(|p| p.1),
            at,
            round,
            parked.reason.kind(),
            reason,
            sealed,
            waiting,
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
        let sealer = self.sealer.clone();
        self.read(move |db| {
            let (sql, values) = select(&format!("{ITEM}, p.waiting, p.sealed"), &filter, limit, cursor);
            let (mut found, mut last) = (Vec::new(), None);
            for row in db.query(&sql, &values)? {
                if found.len() == limit {
                    return Ok((found, last));
                }
                found.push(whole(&sealer, &row)?);
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
        let sealer = self.sealer.clone();
        self.read(move |db| one(db, &sealer, "p.key = ?", Value::from(id.into_bytes())).map(|mut rows| rows.pop()))
            .await
    }

    /// All that waits of one lead.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked_of_lead(&self, lead: LeadId) -> Result<Vec<ParkedRow>, StoreError> {
        let sealer = self.sealer.clone();
        self.read(move |db| one(db, &sealer, "l.id = ?", Value::from(lead_key(lead)))).await
    }

    /// How much waits of one lead, whether or not it can be read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waiting_of_lead(&self, lead: LeadId) -> Result<u64, StoreError> {
        self.read(move |db| {
            let sql = "SELECT count(*) FROM parked p JOIN lead l ON l.no = p.lead WHERE l.id = ?";
            let row = db.query_opt(sql, values![lead_key(lead)])?.ok_or(StoreError::Row { what: "count" })?;
            Ok(u64::try_from(row.get::<i64>(0)?).unwrap_or(0))
        })
        .await
    }
}

fn one(db: &dyn Db, sealer: &Sealer, condition: &str, value: Value) -> Result<Vec<ParkedRow>, StoreError> {
    let sql = format!(
        "{ITEM}, p.waiting, p.sealed FROM parked p JOIN lead l ON l.no = p.lead WHERE {condition} ORDER BY p.key"
    );
    db.query(&sql, &[value])?.iter().map(|row| whole(sealer, row)).collect()
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

fn whole(sealer: &Sealer, row: &Row) -> Result<ParkedRow, StoreError> {
    let waiting = opened(sealer, row.get(0)?, row.text(9), row.get(10)?)?;
    let waiting = read_json(&waiting, "parked message")?;
    Ok(ParkedRow { item: item(row)?, waiting, lead_round: row.get(8)? })
}
