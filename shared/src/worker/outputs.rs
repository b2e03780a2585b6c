//! What an outcome leads to: the messages that a claim is settled with. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::delivery::{Delivery, ParkReason, Parked, Waiting};
use crate::event::{About, Event, Fact};
use crate::fields::Note;
use crate::queue::{Message, Topic};
use crate::retry::Next;

/// One attempt that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended<'a> {
    /// The delivery as it was claimed.
    pub(super) delivery: &'a Delivery,
    /// What the fitting changed.
    pub(super) notes: Vec<Note>,
    /// When the attempt began.
    pub(super) began_at: Timestamp,
    /// When it ended.
    pub(super) now: Timestamp,
    /// How long it took.
    pub(super) took: Duration,
}

/// The messages that settle the claim of an attempt that ended so.
pub(super) fn of(ended: Ended<'_>, next: Next) -> Vec<Message> {
    let Ended { delivery, mut notes, began_at, now, took } = ended;
    let about = About::of(delivery);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match next {
        Next::Done(receipt) => {
            notes.splice(0..0, delivery.notes.iter().cloned());
            vec![event(now, Fact::Delivered { about, attempt: delivery.attempt + 1, receipt, took_ms, notes })]
        }
        Next::Again { at, counted, error } => {
            let mut again = delivery.clone();
            if counted {
                again.attempt += 1;
                again.first_attempt_at.get_or_insert(began_at);
            }
            let deferred = Fact::Deferred { about, attempt: again.attempt, error, next_at: at, took_ms };
            vec![
                Topic::deliver(&again.destination).message(again.id.uuid(), &again).not_before(at),
                event(now, deferred),
            ]
        }
        Next::Park(reason) => park(delivery, u32::from(attempted(&reason)), reason, now),
    }
}

/// The messages that park a delivery; `attempts` were made just now.
pub fn park(delivery: &Delivery, attempts: u32, reason: ParkReason, now: Timestamp) -> Vec<Message> {
    let mut delivery = delivery.clone();
    delivery.attempt += attempts;
    let fact = Fact::Parked {
        lead: delivery.lead,
        about: Some(About::of(&delivery)),
        round: delivery.round,
        attempt: delivery.attempt,
        reason: reason.clone(),
    };
    let told = Event { at: now, fact };
    let parked = Parked { at: now, reason, what: Waiting::Delivery(delivery) };
    let id = told.id();
    vec![Topic::parked().message(id, &parked), Topic::events().told(&vec![told])]
}

fn attempted(reason: &ParkReason) -> bool {
    matches!(reason, ParkReason::Rejected { .. } | ParkReason::GaveUp { .. })
}

/// A fact on its way to the ledger.
pub(super) fn event(at: Timestamp, fact: Fact) -> Message {
    Topic::events().told(&vec![Event { at, fact }])
}
