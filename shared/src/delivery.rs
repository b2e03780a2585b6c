//! A lead on its way to one destination, and the two ways that ends: a receipt, or parked.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::DeliveryError;
use crate::fields::Note;
use crate::id::{DeliveryId, LeadId};
use crate::lead::{Fault, Lead};

/// The record as a CRM gets it: its own field names, in the order in which the route names them.
pub type Record = Map<String, Value>;

/// One lead for one destination.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
pub struct Delivery {
    /// The key under which the destination creates at most one record.
    pub id: DeliveryId,
    /// The lead that it carries.
    pub lead: LeadId,
    /// The name of the destination in the configuration.
    pub destination: String,
    /// The name of the route that made the record.
    pub route: String,
    /// What to write, in the destination's own field names.
    pub record: Record,
    /// What the mapping left out or changed, for the ledger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// When ingest accepted the lead.
    pub accepted_at: Timestamp,
    /// Attempts made and counted so far, in this round.
    #[serde(default)]
    pub attempt: u32,
    /// When the first attempt of this round began; the give-up clock starts here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt_at: Option<Timestamp>,
    /// How often an operator has sent it on its way again.
    #[serde(default)]
    pub round: u32,
}

/// Prints who and where, and never the record.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("lead", &self.lead)
            .field("destination", &self.destination)
            .field("route", &self.route)
            .field("fields", &self.record.len())
            .field("attempt", &self.attempt)
            .field("round", &self.round)
            .finish()
    }
}

/// What a destination said when it had the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The record's id in the CRM, or the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Where a person can open the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The record was there already: an earlier attempt had arrived although its answer did not.
    #[serde(default)]
    pub existed: bool,
    /// The HTTP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// A lead or a delivery that waits for a person, with the reason.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Parked {
    /// When it was parked.
    pub at: Timestamp,
    /// Why.
    pub reason: ParkReason,
    /// What waits.
    pub what: Waiting,
}

/// What waits in the parked list.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// A lead that no delivery was made from (or not for every route).
    Lead(Lead),
    /// A delivery that its destination cannot take.
    Delivery(Delivery),
}

/// Why something is parked. Each is a question an operator asks, so each is a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ParkReason {
    /// The body is not a lead; `faults` say where.
    Quarantined {
        /// What is wrong with it.
        faults: Vec<Fault>,
    },
    /// No route matches it.
    Unmatched,
    /// A route's condition or value failed on this lead.
    MappingFailed {
        /// The route's name.
        route: String,
        /// The key within the route: `when`, or `fields.<name>`.
        key: String,
        /// Why, without any value of the lead.
        reason: String,
    },
    /// The destination refused this lead for good.
    Rejected {
        /// What it said.
        error: DeliveryError,
    },
    /// The destination did not take it within the time its retry policy allows.
    GaveUp {
        /// Attempts made.
        attempts: u32,
        /// The last failure.
        error: DeliveryError,
    },
    /// A value is longer than the destination's field, and the destination is set to park rather than cut.
    TooLong {
        /// The field's name.
        field: String,
    },
    /// The process ended again and again while it held this message.
    Crashed {
        /// How often.
        times: u32,
    },
    /// The destination was removed from the configuration while this was on its way to it.
    NoDestination {
        /// Its name.
        destination: String,
    },
}

impl ParkReason {
    /// The variant's name, as it stands in JSON and in metric labels.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Quarantined { .. } => "quarantined",
            Self::Unmatched => "unmatched",
            Self::MappingFailed { .. } => "mapping_failed",
            Self::Rejected { .. } => "rejected",
            Self::GaveUp { .. } => "gave_up",
            Self::TooLong { .. } => "too_long",
            Self::Crashed { .. } => "crashed",
            Self::NoDestination { .. } => "no_destination",
        }
    }
}

impl fmt::Display for ParkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarantined { faults } => match faults.as_slice() {
                [] => f.write_str("not a lead"),
                [first, rest @ ..] => {
                    let at = if first.pointer.is_empty() { "the body" } else { &first.pointer };
                    write!(f, "not a lead: {at}: {}", first.reason)?;
                    if rest.is_empty() { Ok(()) } else { write!(f, " (and {} more)", rest.len()) }
                }
            },
            Self::Unmatched => f.write_str("no route matches it"),
            Self::MappingFailed { route, key, reason } => write!(f, "route {route}, {key}: {reason}"),
            Self::Rejected { error } => write!(f, "refused: {error}"),
            Self::GaveUp { attempts, error } => write!(f, "gave up after {attempts} attempts: {error}"),
            Self::TooLong { field } => write!(f, "the value of {field} is longer than the field"),
            Self::NoDestination { destination } => {
                write!(f, "there is no destination {destination} any more; add it again and replay, or erase")
            }
            Self::Crashed { times } => write!(f, "the process ended {times} times while it held this"),
        }
    }
}
