//! A lead as it came in: who sent it, when, and its bytes, untouched.
//!
//! Its `Debug` prints no personal data, and nothing here logs.

mod body;
mod facts;
mod source_tag;

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use body::Body;
pub use facts::Facts;
pub(crate) use facts::same_name;
pub use source_tag::SourceTag;

use crate::id::LeadId;

/// What a source sends, and so how its bodies are judged and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Leads of Microsoft's commercial marketplace.
    #[default]
    Marketplace,
    /// Any JSON object, checked against the source's own schema where it has one.
    Json,
}

/// One accepted lead.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
pub struct Lead {
    /// Its identity, derived from what was sent where it can be.
    pub id: LeadId,
    /// The name of the source in the configuration.
    pub source: String,
    /// How its body is read.
    pub format: Format,
    /// When ingest had the whole body.
    pub received_at: Timestamp,
    /// The bytes as they were sent.
    pub body: Body,
    /// Why the body is not a lead. A lead with faults is quarantined by the router.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// How often an operator has sent it on its way again: 0 for a lead fresh from its source.
    #[serde(default)]
    pub round: u32,
}

/// One thing wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Where, as a JSON pointer; empty for the document as a whole.
    pub pointer: String,
    /// What, in words, without any value of the body.
    pub reason: String,
}

impl Lead {
    /// Whether the door found the body to be a lead.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// The body read into the fields that rules speak of. Whatever is absent is empty; nothing fails.
    pub fn facts(&self) -> Facts {
        Facts::read(&self.body)
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("received_at", &self.received_at)
            .field("body_bytes", &self.body.len())
            .field("faults", &self.faults.len())
            .field("round", &self.round)
            .finish()
    }
}
