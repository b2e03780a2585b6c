//! Identities: who a lead is, and who a delivery is.
//!
//! Invariant: a delivery's id depends on its lead and its destination and on nothing else, so that a changed rule,
//! a replay or a resend can never make a second record. A lead's id is derived where it can be, so that any ingest
//! process gives a resend the same id without a shared store.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Identifies one lead from the door to every CRM. Written as a UUID of version 8 (a truncated SHA-256).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LeadId(Uuid);

/// Identifies one lead at one destination; the key under which a CRM creates at most one record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DeliveryId(Uuid);

impl LeadId {
    /// Derives an id from labelled parts. Parts are length-prefixed, so `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn derive(parts: &[&[u8]]) -> Self {
        Self(digest("lead", parts))
    }

    /// The id as a UUID.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl DeliveryId {
    /// The id of `lead` at `destination`.
    pub fn of(lead: LeadId, destination: &str) -> Self {
        Self(digest("delivery", &[lead.0.as_bytes(), destination.as_bytes()]))
    }

    /// The id as a UUID, fit to be a CRM's own record key.
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

/// A UUID of version 8 over a domain label and length-prefixed parts.
pub(crate) fn digest(domain: &str, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in std::iter::once(&domain.as_bytes()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Uuid::new_v8(bytes)
}

macro_rules! shown_as_uuid {
    ($($id:ident),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $id {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}
shown_as_uuid!(LeadId, DeliveryId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(LeadId::derive(&[b"ab", b"c"]), LeadId::derive(&[b"a", b"bc"]));
    }

    #[test]
    fn a_delivery_depends_on_lead_and_destination_alone() {
        let lead = LeadId::derive(&[b"x"]);
        assert_eq!(DeliveryId::of(lead, "crm"), DeliveryId::of(lead, "crm"));
        assert_ne!(DeliveryId::of(lead, "crm"), DeliveryId::of(lead, "partner"));
    }

    #[test]
    fn ids_survive_their_own_text() {
        let lead = LeadId::derive(&[b"x"]);
        assert_eq!(lead.to_string().parse::<LeadId>(), Ok(lead));
    }
}
