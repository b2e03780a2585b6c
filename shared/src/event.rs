//! What happened, as typed facts for the ledger. Every reason is an enum.
//!
//! Invariant: [`Event::id`] is a pure function of what happened, so an event that is told twice is recorded once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::delivery::{ParkReason, Receipt};
use crate::error::DeliveryError;
use crate::fields::Note;
use crate::id::{DeliveryId, LeadId, digest};
use crate::lead::Lead;

/// One thing that happened, and when.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// A delivery as an event names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The lead.
    pub lead: LeadId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The destination's name.
    pub destination: String,
    /// The route that made it.
    pub route: String,
    /// The round (how often an operator has replayed it).
    pub round: u32,
}

/// What can happen.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    /// The router took a lead from the door; carries the payload for search and replay. A lead with faults is told as
    /// accepted too: acceptance is about durability.
    Accepted {
        /// The lead.
        lead: Lead,
    },
    /// A body was not a lead and was parked.
    Quarantined {
        /// The lead.
        lead: LeadId,
        /// Its round.
        round: u32,
        /// Why.
        reason: ParkReason,
    },
    /// The same body came again within the window; nothing was sent on.
    Duplicate {
        /// The first lead's id, which the sender was told.
        lead: LeadId,
        /// The source that sent it again.
        source: String,
    },
    /// Rules were applied.
    Routed {
        /// The lead.
        lead: LeadId,
        /// Its round.
        round: u32,
        /// The rules' version: a digest of the routes as configured.
        rules: String,
        /// The deliveries made.
        deliveries: Vec<About>,
        /// Names of the routes whose condition failed or that yielded to an earlier one, with why.
        notes: Vec<Note>,
    },
    /// No route matched; parked.
    Unmatched {
        /// The lead.
        lead: LeadId,
        /// Its round.
        round: u32,
        /// The rules' version.
        rules: String,
    },
    /// The destination has it.
    Delivered {
        /// Which delivery.
        about: About,
        /// Attempts made, this one included.
        attempt: u32,
        /// What the destination said.
        receipt: Receipt,
        /// How long the attempt took, in milliseconds.
        took_ms: u64,
        /// What was cut or left out on the way.
        notes: Vec<Note>,
    },
    /// An attempt failed; there will be another.
    Deferred {
        /// Which delivery.
        about: About,
        /// Attempts counted so far.
        attempt: u32,
        /// Why it failed.
        error: DeliveryError,
        /// Not before this time.
        next_at: Timestamp,
        /// How long the attempt took, in milliseconds.
        took_ms: u64,
    },
    /// It waits for a person.
    Parked {
        /// The lead.
        lead: LeadId,
        /// The delivery, where one was made.
        about: Option<About>,
        /// The lead's or delivery's round.
        round: u32,
        /// Attempts counted.
        attempt: u32,
        /// Why.
        reason: ParkReason,
    },
    /// A destination stopped being tried.
    Paused {
        /// The destination's name.
        destination: String,
        /// Why.
        cause: PauseCause,
        /// Tried again at this time, where that is known.
        until: Option<Timestamp>,
    },
    /// A destination is tried again.
    Resumed {
        /// The destination's name.
        destination: String,
    },
    /// A destination's fields were held against the routes, with another result than before or because an operator asked.
    Checked {
        /// The destination's name.
        destination: String,
        /// What of the routes does not fit, by key; empty where all of them do.
        unfit: Vec<Note>,
        /// Why it could not be asked for its fields, when an operator wanted to know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<DeliveryError>,
    },
    /// An operator sent it on its way again.
    Replayed {
        /// The lead.
        lead: LeadId,
        /// The delivery; absent when the lead itself was released or repaired.
        delivery: Option<DeliveryId>,
        /// The round that starts.
        round: u32,
        /// Whether the body was changed.
        repaired: bool,
    },
    /// The lead's rows and payload are gone.
    Erased {
        /// The lead.
        lead: LeadId,
    },
}

/// Why a destination is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PauseCause {
    /// The destination's own fault, as its last answer told it.
    Failing {
        /// That answer.
        error: DeliveryError,
    },
    /// An operator's decision.
    Operator {
        /// The reason given.
        reason: String,
    },
}

impl Event {
    /// The event's identity. Two tellings of one thing have one id.
    pub fn id(&self) -> Uuid {
        let at = self.at.as_millisecond().to_be_bytes();
        let lead = |kind: &str, lead: &LeadId, n: u32| digest(kind, &[lead.uuid().as_bytes(), &n.to_be_bytes()]);
        let attempt = |kind: &str, about: &About, n: u32| {
            digest(kind, &[about.delivery.uuid().as_bytes(), &about.round.to_be_bytes(), &n.to_be_bytes()])
        };
        match &self.fact {
            Fact::Accepted { lead: l } => lead("accepted", &l.id, l.round),
            Fact::Quarantined { lead: l, round, .. } => lead("quarantined", l, *round),
            Fact::Duplicate { lead: l, .. } => digest("duplicate", &[l.uuid().as_bytes(), &at]),
            Fact::Routed { lead: l, round, .. } => lead("routed", l, *round),
            Fact::Unmatched { lead: l, round, .. } => lead("unmatched", l, *round),
            Fact::Delivered { about, attempt: n, .. } => attempt("delivered", about, *n),
            // Uncounted attempts share a number, so the time is part of the identity.
            Fact::Deferred { about, attempt: n, .. } => {
                digest("deferred", &[attempt("attempt", about, *n).as_bytes(), &at])
            }
            Fact::Parked { about: Some(about), attempt: n, .. } => attempt("parked", about, *n),
            Fact::Parked { lead: l, about: None, round, .. } => lead("parked", l, *round),
            Fact::Paused { destination, .. } => digest("paused", &[destination.as_bytes(), &at]),
            Fact::Resumed { destination } => digest("resumed", &[destination.as_bytes(), &at]),
            Fact::Checked { destination, .. } => digest("checked", &[destination.as_bytes(), &at]),
            Fact::Replayed { lead: l, delivery: None, round, .. } => lead("replayed", l, *round),
            Fact::Replayed { delivery: Some(d), round, .. } => {
                digest("replayed", &[d.uuid().as_bytes(), &round.to_be_bytes()])
            }
            Fact::Erased { lead: l } => lead("erased", l, 0),
        }
    }

    /// The lead that it is about, if it is about one.
    pub fn lead(&self) -> Option<LeadId> {
        match &self.fact {
            Fact::Accepted { lead } => Some(lead.id),
            Fact::Quarantined { lead, .. }
            | Fact::Duplicate { lead, .. }
            | Fact::Routed { lead, .. }
            | Fact::Unmatched { lead, .. }
            | Fact::Parked { lead, .. }
            | Fact::Replayed { lead, .. }
            | Fact::Erased { lead } => Some(*lead),
            Fact::Delivered { about, .. } | Fact::Deferred { about, .. } => Some(about.lead),
            Fact::Paused { .. } | Fact::Resumed { .. } | Fact::Checked { .. } => None,
        }
    }
}

/// The identity of events that are told together. Of one alone it is that event's.
pub fn id_of(events: &[Event]) -> Uuid {
    match events {
        [event] => event.id(),
        _ => digest(
            "together",
            &[events.iter().flat_map(|event| event.id().into_bytes()).collect::<Vec<u8>>().as_slice()],
        ),
    }
}

impl About {
    /// How events name `delivery`.
    pub fn of(delivery: &crate::delivery::Delivery) -> Self {
        Self {
            lead: delivery.lead,
            delivery: delivery.id,
            destination: delivery.destination.clone(),
            route: delivery.route.clone(),
            round: delivery.round,
        }
    }
}
