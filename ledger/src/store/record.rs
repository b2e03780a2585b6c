//! Recording: facts and parked messages in, rows out, in one transaction.
//!
//! Facts are kept as a set, and a lead's rows are told anew from all that is known of it ([`super::fold`]), so the order of
//! arrival cannot matter. Two bounds: of the failed attempts of one delivery and of the resends of one lead the latest are
//! kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use leadrelay_shared::delivery::{Parked, Waiting};
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::{DeliveryId, LeadId};

use super::accept::Acceptances;
use super::db::{Db, Row, Value, values};
use super::fold::{Story, Waits, fold};
use super::rows::{self, Told, What, delivery_key, state_word};
use super::{Store, StoreError, accept, destinations, erased, micros, parked};
use crate::api::types::LeadState;

/// Of the failed attempts of one delivery, and of the resends of one lead, so many are kept.
const KEPT: usize = 100;
/// Leads of which all that is known is in memory at once.
const REFRESHED: usize = 200;

impl Store {
    /// Records facts and parked messages; all of them are durable when this returns `Ok`. Recording again changes nothing.
    ///
    /// # Errors
    /// When the database cannot be written; nothing of it is recorded then.
    pub async fn record(
        &self,
        events: impl Into<Arc<[Event]>>,
        parked: impl Into<Arc<[Parked]>>,
    ) -> Result<(), StoreError> {
        let (events, parked) = (events.into(), parked.into());
        self.write(move |db| record(db, &events, &parked)).await
    }
}

fn record(db: &dyn Db, events: &[Event], parked: &[Parked]) -> Result<(), StoreError> {
    let numbers = db.claim(&earliest(events, parked))?;
    let of = |lead: LeadId| numbers.get(&lead).copied().ok_or(StoreError::Row { what: "number of a lead" });
    let mut told = Vec::with_capacity(events.len());
    for event in events {
        if let Fact::Erased { lead } = &event.fact {
            erased::note(db, *lead, event.at)?;
        }
        if let Some(lead) = event.lead() {
            told.push((of(lead)?, event));
        }
    }
    take_all(db, &told)?;
    for one in parked {
        parked::keep(db, of(lead_of(one))?, one)?;
    }
    let (mut arrived, all) = (BTreeMap::new(), numbers.values().copied().collect::<Vec<_>>());
    for leads in all.chunks(REFRESHED) {
        refresh(db, leads, &mut arrived)?;
    }
    // Last and in the order of their names: all who record meet at the rows of the destinations, and none waits there for
    // longer than it must, nor for one who waits for it.
    let mut told: Vec<&Event> = events.iter().filter(|event| destinations::concerns(event).is_some()).collect();
    told.sort_by_key(|event| destinations::concerns(event));
    let mut names: BTreeSet<&str> = arrived.keys().map(String::as_str).collect();
    names.extend(told.iter().filter_map(|event| destinations::concerns(event)));
    for name in names {
        for event in told.iter().filter(|event| destinations::concerns(event) == Some(name)) {
            destinations::note(db, event)?;
        }
        if let Some(more) = arrived.get(name) {
            destinations::count_delivered(db, name, *more)?;
        }
    }
    Ok(())
}

/// Every lead that is told of, with the time of the earliest fact.
fn earliest(events: &[Event], parked: &[Parked]) -> BTreeMap<LeadId, Timestamp> {
    let told = events.iter().filter_map(|event| Some((event.lead()?, event.at)));
    let mut earliest = BTreeMap::new();
    for (lead, at) in told.chain(parked.iter().map(|one| (lead_of(one), one.at))) {
        earliest.entry(lead).and_modify(|known: &mut Timestamp| *known = at.min(*known)).or_insert(at);
    }
    earliest
}

fn lead_of(parked: &Parked) -> LeadId {
    match &parked.what {
        Waiting::Lead(lead) => lead.id,
        Waiting::Delivery(delivery) => delivery.lead,
    }
}

/// Facts that are known, by lead and id: when, and what.
type Known = BTreeMap<(i64, [u8; 16]), (i64, String)>;

/// Adds facts to the set.
fn take_all(db: &dyn Db, told: &[(i64, &Event)]) -> Result<(), StoreError> {
    let keys: Vec<Vec<Value>> = told.iter().map(|(no, event)| values![*no, event.id().into_bytes()].to_vec()).collect();
    let rows = db.query_each("SELECT at, fact FROM event WHERE lead = ? AND id = ?", &keys)?;
    let mut known = Known::new();
    for ((no, event), rows) in told.iter().zip(rows) {
        if let Some(row) = rows.first() {
            known.insert((*no, event.id().into_bytes()), (row.get(0)?, row.get(1)?));
        }
    }
    let accepted = told.iter().filter(|(_, event)| matches!(event.fact, Fact::Accepted { .. }));
    let mut acceptances = Acceptances::of(db, &keys_of(accepted.map(|(no, _)| *no)))?;
    for (no, event) in told {
        take(db, *no, event, &mut known, &mut acceptances)?;
    }
    Ok(())
}

/// Values for a statement about each of these leads.
fn keys_of(leads: impl Iterator<Item = i64>) -> Vec<Vec<Value>> {
    leads.map(|no| vec![Value::from(no)]).collect()
}

/// Adds one fact to the set. Of two tellings of one fact the smaller is kept, whichever came first.
fn take(
    db: &dyn Db,
    no: i64,
    event: &Event,
    known: &mut Known,
    acceptances: &mut Acceptances,
) -> Result<(), StoreError> {
    let told = Told::of(event);
    let key = (no, told.id.into_bytes());
    let new = (micros(told.at), told.column());
    let before = known.get(&key);
    let is_known = before.is_some();
    if before.is_none_or(|before| new < *before) {
        db.change(
            "INSERT INTO event (lead, id, at, kind, fact) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (lead, id) DO UPDATE SET at = excluded.at, kind = excluded.kind, fact = excluded.fact",
            values![no, key.1, new.0, told.kind(), &new.1],
        )?;
        known.insert(key, new);
    }
    match &event.fact {
        Fact::Accepted { lead } => accept::accept(db, no, lead, acceptances),
        Fact::Duplicate { .. } if !is_known => {
            db.change("UPDATE lead SET duplicates = duplicates + 1 WHERE no = ?", values![no])
        }
        _ => Ok(()),
    }
}

/// Tells the rows of leads anew from all that is known of them, and counts deliveries that have arrived by destination.
fn refresh(db: &dyn Db, leads: &[i64], arrived: &mut BTreeMap<String, u32>) -> Result<(), StoreError> {
    let keys = keys_of(leads.iter().copied());
    let (told, waits) = (rows::told_each(db, &keys)?, parked::waits_each(db, &keys)?);
    let stood = db.query_each("SELECT id, state FROM delivery WHERE lead = ?", &keys)?;
    for (((no, told), waits), stood) in leads.iter().zip(told).zip(waits).zip(stood) {
        retell(db, *no, &told, waits, &stood, arrived)?;
    }
    Ok(())
}

fn retell(
    db: &dyn Db,
    no: i64,
    told: &[Told],
    waits: parked::Waiters,
    stood: &[Row],
    arrived: &mut BTreeMap<String, u32>,
) -> Result<(), StoreError> {
    let just_waits: Vec<Waits> = waits.iter().map(|(_, waits)| waits.clone()).collect();
    let story = fold(told, &just_waits);
    db.change(
        "UPDATE lead SET state = ?2, round = ?3, settled_at = ?4 WHERE no = ?1",
        values![no, state_word(story.state), story.round, story.settled_at.map(micros)],
    )?;
    deliveries(db, no, told, &story, stood, arrived)?;
    for (key, waits) in waits {
        if !story.holds(&waits) {
            db.change("DELETE FROM parked WHERE key = ?", values![key])?;
        }
    }
    if story.state == LeadState::Erased {
        erase(db, no)?;
    }
    prune(db, no, told)
}

fn deliveries(
    db: &dyn Db,
    no: i64,
    told: &[Told],
    story: &Story,
    stood: &[Row],
    arrived: &mut BTreeMap<String, u32>,
) -> Result<(), StoreError> {
    let mut had_arrived = BTreeSet::new();
    for row in stood.iter().filter(|row| row.text(1) == state_word(LeadState::Delivered)) {
        had_arrived.insert(row.get::<[u8; 16]>(0)?);
    }
    for (id, course) in &story.deliveries {
        let key = delivery_key(*id);
        if course.state == LeadState::Delivered && !had_arrived.contains(&key) {
            *arrived.entry(course.destination.clone()).or_default() += 1;
        }
        let open = story.state != LeadState::Erased && matches!(course.state, LeadState::Routed | LeadState::Deferred);
        let again = sent_again(told, *id, course.round).map(micros);
        db.change(
            "INSERT INTO delivery (lead, id, destination, state, received_at, route, open_since)
             VALUES (?1, ?2, ?3, ?4, (SELECT received_at FROM lead WHERE no = ?1), ?5,
               CASE WHEN ?6 THEN coalesce(?7, (SELECT received_at FROM lead WHERE no = ?1)) END)
             ON CONFLICT (lead, id) DO UPDATE SET state = excluded.state, received_at = excluded.received_at,
               route = excluded.route, open_since = excluded.open_since
             WHERE delivery.state <> excluded.state OR delivery.received_at <> excluded.received_at
                OR delivery.route <> excluded.route OR delivery.open_since IS DISTINCT FROM excluded.open_since",
            values![no, key, &course.destination, state_word(course.state), &course.route, open, again],
        )?;
    }
    Ok(())
}

/// When a delivery's round began, where that is not the lead's acceptance: a replay is not late because its lead is old.
fn sent_again(told: &[Told], delivery: DeliveryId, round: u32) -> Option<Timestamp> {
    let again = told.iter().filter(|one| match &one.what {
        What::Fact(fact) => match &**fact {
            Fact::Replayed { delivery: of, round: begun, .. } => *begun == round && of.is_none_or(|of| of == delivery),
            _ => false,
        },
        What::Accepted(_) => false,
    });
    again.map(|one| one.at).min()
}

/// What a person was, is gone; that there was a lead, stays.
fn erase(db: &dyn Db, no: i64) -> Result<(), StoreError> {
    db.change(
        "UPDATE lead SET name = '', email = '', company = '', offer_title = '', action = '', search = '', faults = NULL WHERE no = ?",
        values![no],
    )?;
    db.change("DELETE FROM payload WHERE lead = ?", values![no])
}

/// Keeps the latest of what may repeat without end.
fn prune(db: &dyn Db, no: i64, told: &[Told]) -> Result<(), StoreError> {
    if told.len() <= KEPT {
        return Ok(());
    }
    let mut groups: BTreeMap<Option<DeliveryId>, Vec<_>> = BTreeMap::new();
    for one in told {
        let What::Fact(fact) = &one.what else { continue };
        match &**fact {
            Fact::Duplicate { .. } => groups.entry(None).or_default().push((0, 0, one.at, one.id)),
            Fact::Deferred { about, attempt, .. } => {
                groups.entry(Some(about.delivery)).or_default().push((about.round, *attempt, one.at, one.id));
            }
            _ => {}
        }
    }
    for mut group in groups.into_values() {
        group.sort_unstable();
        for (.., id) in group.iter().rev().skip(KEPT) {
            db.change("DELETE FROM event WHERE lead = ? AND id = ?", values![no, id.into_bytes()])?;
        }
    }
    Ok(())
}
