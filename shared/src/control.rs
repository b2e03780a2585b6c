//! What operators have decided, told as a whole to every process.
//!
//! The ledger keeps the decisions; it publishes them at once when they change and again every few seconds. A worker waits for
//! the first of them when it starts (bounded), so that it neither sends for a paused destination nor delivers an erased lead.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::LeadId;

/// All decisions in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Destinations paused by hand, with the reason given.
    #[serde(default)]
    pub paused: BTreeMap<String, String>,
    /// Leads erased so recently that a copy may still be in a queue.
    #[serde(default)]
    pub erased: BTreeSet<LeadId>,
    /// Destinations that an operator asked to be tried at once, and when: a pause of their own making ends early.
    #[serde(default)]
    pub try_now: BTreeMap<String, Timestamp>,
    /// Destinations that an operator asked to be checked at once, and when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub check_now: BTreeMap<String, Timestamp>,
}

impl Control {
    /// Whether an operator has paused `destination`.
    pub fn is_paused(&self, destination: &str) -> bool {
        self.paused.contains_key(destination)
    }

    /// Whether `lead` has been erased.
    pub fn is_erased(&self, lead: LeadId) -> bool {
        self.erased.contains(&lead)
    }
}
