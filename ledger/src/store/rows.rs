//! Words as they stand in columns, and what is read back of an event.

use std::fmt::Display;

use jiff::Timestamp;
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::lead::Format;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::db::{Db, Row, Value, values};
use super::{StoreError, json, read_json, time};
use crate::api::types::LeadState;

/// One fact about a lead as the store keeps it: without the payload.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) id: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// An acceptance, without the lead.
    Accepted(Acceptance),
    /// Any other fact.
    Fact(Box<Fact>),
}

/// What the history keeps of an acceptance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Acceptance {
    pub(crate) source: String,
    pub(crate) bytes: usize,
    pub(crate) round: u32,
    pub(crate) faults: usize,
}

impl Told {
    /// What the store keeps of `event`.
    pub(crate) fn of(event: &Event) -> Self {
        let what = match &event.fact {
            Fact::Accepted { lead } => What::Accepted(Acceptance {
                source: lead.source.clone(),
                bytes: lead.body.len(),
                round: lead.round,
                faults: lead.faults.len(),
            }),
            fact => What::Fact(Box::new(fact.clone())),
        };
        Self { id: event.id(), at: event.at, what }
    }

    /// Its column `fact`.
    pub(super) fn column(&self) -> String {
        match &self.what {
            What::Accepted(acceptance) => json(acceptance),
            What::Fact(fact) => json(fact),
        }
    }

    /// Its kind, as in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        let What::Fact(fact) = &self.what else { return "accepted" };
        match &**fact {
            Fact::Accepted { .. } => "accepted",
            Fact::Quarantined { .. } => "quarantined",
            Fact::Duplicate { .. } => "duplicate",
            Fact::Routed { .. } => "routed",
            Fact::Unmatched { .. } => "unmatched",
            Fact::Delivered { .. } => "delivered",
            Fact::Deferred { .. } => "deferred",
            Fact::Parked { .. } => "parked",
            Fact::Paused { .. } => "paused",
            Fact::Resumed { .. } => "resumed",
            Fact::Checked { .. } => "checked",
            Fact::Replayed { .. } => "replayed",
            Fact::Erased { .. } => "erased",
        }
    }
}

const TOLD: &str = "SELECT id, at, kind, fact FROM event WHERE lead = ? ORDER BY at, id";

/// Everything told of one lead, oldest first.
pub(super) fn told(db: &dyn Db, lead: i64) -> Result<Vec<Told>, StoreError> {
    read(&db.query(TOLD, values![lead])?)
}

/// The same of each of these.
pub(super) fn told_each(db: &dyn Db, leads: &[Vec<Value>]) -> Result<Vec<Vec<Told>>, StoreError> {
    db.query_each(TOLD, leads)?.iter().map(|rows| read(rows)).collect()
}

fn read(rows: &[Row]) -> Result<Vec<Told>, StoreError> {
    let mut all = Vec::new();
    for row in rows {
        let text = row.text(3);
        let what = match row.text(2) {
            "accepted" => read_json(text, "fact").map(What::Accepted),
            _ => read_json(text, "fact").map(What::Fact),
        };
        // One damaged fact must not keep the others from being told, nor the ledger from recording.
        let Ok(what) = what else {
            tracing::error!("a fact in the ledger cannot be read and is left out");
            continue;
        };
        all.push(Told { id: Uuid::from_bytes(row.get(0)?), at: time(row.get(1)?)?, what });
    }
    Ok(all)
}

/// A state's word.
pub(crate) fn state_word(state: LeadState) -> &'static str {
    match state {
        LeadState::Duplicate => "duplicate",
        LeadState::Delivered => "delivered",
        LeadState::Accepted => "accepted",
        LeadState::Routed => "routed",
        LeadState::Deferred => "deferred",
        LeadState::Unmatched => "unmatched",
        LeadState::Quarantined => "quarantined",
        LeadState::Parked => "parked",
        LeadState::Erased => "erased",
    }
}

/// The state of a word.
pub(crate) fn state(word: &str) -> Option<LeadState> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

pub(super) fn format_word(format: Format) -> &'static str {
    match format {
        Format::Marketplace => "marketplace",
        Format::Json => "json",
    }
}

pub(super) fn format(word: &str) -> Result<Format, StoreError> {
    serde_json::from_value(serde_json::Value::from(word)).map_err(|_| StoreError::Row { what: "format" })
}

/// The bytes of an id that prints as a UUID.
pub(super) fn lead_key(id: LeadId) -> [u8; 16] {
    id.uuid().into_bytes()
}

pub(super) fn delivery_key(id: DeliveryId) -> [u8; 16] {
    id.uuid().into_bytes()
}

/// The lead's id in column `column`. Ids are made by parsing their own text, as anybody outside `shared` does.
pub(super) fn lead_id(row: &Row, column: usize) -> Result<LeadId, StoreError> {
    parse(Uuid::from_bytes(row.get(column)?), "lead id")
}

/// The delivery's id in column `column`.
pub(super) fn delivery_id(row: &Row, column: usize) -> Result<DeliveryId, StoreError> {
    parse(Uuid::from_bytes(row.get(column)?), "delivery id")
}

fn parse<T: std::str::FromStr>(id: impl Display, what: &'static str) -> Result<T, StoreError> {
    id.to_string().parse().map_err(|_| StoreError::Row { what })
}
