//! Recording: facts and parked messages in, rows out, in one transaction.
//!
//! Facts are kept as a set, and a lead's rows are told anew from all that is known of it ([`super::fold`]), so the order of
//! arrival cannot matter. Two bounds: of the failed attempts of one delivery and of the resends of one lead the latest are
//! kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use leadrelay_shared::delivery::{Parked, Waiting};
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::{DeliveryId, LeadId};
use rusqlite::{Connection, OptionalExtension, params};

use super::fold::{Story, Waits, fold};
use super::rows::{self, Told, What, delivery_key, lead_key, state_word};
use super::{Store, StoreError, accept, destinations, micros, parked};
use crate::api::types::LeadState;

/// Of the failed attempts of one delivery, and of the resends of one lead, so many are kept.
const KEPT: usize = 100;

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

fn record(db: &Connection, events: &[Event], parked: &[Parked]) -> Result<(), StoreError> {
    let mut touched = BTreeMap::new();
    for event in events {
        destinations::note(db, event)?;
        if let Some(lead) = event.lead() {
            let no = lead_row(db, &mut touched, lead, event.at)?;
            take(db, no, event)?;
        }
    }
    for one in parked {
        let lead = match &one.what {
            Waiting::Lead(lead) => lead.id,
            Waiting::Delivery(delivery) => delivery.lead,
        };
        let no = lead_row(db, &mut touched, lead, one.at)?;
        parked::keep(db, no, one)?;
    }
    touched.into_values().try_for_each(|no| refresh(db, no))
}

/// The row of a lead, made where there is none. Until its acceptance is told, it counts from the earliest fact.
fn lead_row(
    db: &Connection,
    touched: &mut BTreeMap<LeadId, i64>,
    lead: LeadId,
    at: Timestamp,
) -> Result<i64, StoreError> {
    let no = match touched.get(&lead) {
        Some(no) => *no,
        None => {
            let known: Option<i64> = db
                .prepare_cached("SELECT no FROM lead WHERE id = ?")?
                .query_row([lead_key(lead)], |row| row.get(0))
                .optional()?;
            match known {
                Some(no) => no,
                None => {
                    db.prepare_cached("INSERT INTO lead (id, received_at) VALUES (?, ?)")?
                        .execute(params![lead_key(lead), micros(at)])?;
                    db.last_insert_rowid()
                }
            }
        }
    };
    touched.insert(lead, no);
    db.prepare_cached("UPDATE lead SET received_at = ?2 WHERE no = ?1 AND accepted IS NULL AND received_at > ?2")?
        .execute(params![no, micros(at)])?;
    Ok(no)
}

/// Adds one fact to the set. Of two tellings of one fact the smaller is kept, whichever came first.
fn take(db: &Connection, no: i64, event: &Event) -> Result<(), StoreError> {
    let told = Told::of(event);
    let fact = told.column();
    let known: Option<(i64, String)> = db
        .prepare_cached("SELECT at, fact FROM event WHERE lead = ? AND id = ?")?
        .query_row(params![no, told.id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let new = (micros(told.at), fact);
    if known.as_ref().is_none_or(|known| new < *known) {
        db.prepare_cached("INSERT OR REPLACE INTO event (lead, id, at, kind, fact) VALUES (?, ?, ?, ?, ?)")?
            .execute(params![no, told.id.as_bytes(), new.0, told.kind(), new.1])?;
    }
    match &event.fact {
        Fact::Accepted { lead } => accept::accept(db, no, lead),
        Fact::Duplicate { .. } if known.is_none() => {
            db.prepare_cached("UPDATE lead SET duplicates = duplicates + 1 WHERE no = ?")?.execute([no])?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Tells a lead's rows anew from all that is known of it.
fn refresh(db: &Connection, no: i64) -> Result<(), StoreError> {
    let told = rows::told(db, no)?;
    let waits = parked::waits(db, no)?;
    let just_waits: Vec<Waits> = waits.iter().map(|(_, waits)| waits.clone()).collect();
    let story = fold(&told, &just_waits);
    db.prepare_cached("UPDATE lead SET state = ?2, round = ?3, settled_at = ?4 WHERE no = ?1")?.execute(params![
        no,
        state_word(story.state),
        story.round,
        story.settled_at.map(micros),
    ])?;
    deliveries(db, no, &told, &story)?;
    for (key, waits) in waits {
        if !story.holds(&waits) {
            db.prepare_cached("DELETE FROM parked WHERE key = ?")?.execute([key])?;
        }
    }
    if story.state == LeadState::Erased {
        erase(db, no)?;
    }
    prune(db, no, &told)
}

fn deliveries(db: &Connection, no: i64, told: &[Told], story: &Story) -> Result<(), StoreError> {
    for (id, course) in &story.deliveries {
        let before: Option<String> = db
            .prepare_cached("SELECT state FROM delivery WHERE lead = ? AND id = ?")?
            .query_row(params![no, delivery_key(*id)], |row| row.get(0))
            .optional()?;
        if course.state == LeadState::Delivered && before.as_deref() != Some("delivered") {
            destinations::count_delivered(db, &course.destination)?;
        }
        db.prepare_cached(
            "INSERT INTO delivery (lead, id, destination, state, received_at, route, open_since)
             SELECT ?1, ?2, ?3, ?4, received_at, ?5, CASE WHEN ?6 THEN coalesce(?7, received_at) END FROM lead WHERE no = ?1
             ON CONFLICT (lead, id) DO UPDATE SET state = excluded.state, received_at = excluded.received_at,
               route = excluded.route, open_since = excluded.open_since
             WHERE state <> excluded.state OR received_at <> excluded.received_at OR route <> excluded.route
                OR open_since IS DISTINCT FROM excluded.open_since",
        )?
        .execute(params![
            no,
            delivery_key(*id),
            course.destination,
            state_word(course.state),
            course.route,
            story.state != LeadState::Erased && matches!(course.state, LeadState::Routed | LeadState::Deferred),
            sent_again(told, *id, course.round).map(micros),
        ])?;
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
fn erase(db: &Connection, no: i64) -> Result<(), StoreError> {
    db.execute(
        "UPDATE lead SET name = '', email = '', company = '', offer_title = '', action = '', search = '', faults = NULL WHERE no = ?",
        [no],
    )?;
    db.execute("DELETE FROM payload WHERE lead = ?", [no])?;
    Ok(())
}

/// Keeps the latest of what may repeat without end.
fn prune(db: &Connection, no: i64, told: &[Told]) -> Result<(), StoreError> {
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
            db.prepare_cached("DELETE FROM event WHERE lead = ? AND id = ?")?.execute(params![no, id.as_bytes()])?;
        }
    }
    Ok(())
}
