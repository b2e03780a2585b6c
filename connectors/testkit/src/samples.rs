//! Leads and deliveries of nobody: example.com, contoso.com and 555 numbers.

use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::delivery::{Delivery, Record};
use leadrelay_shared::id::{DeliveryId, LeadId};
use serde_json::{Value, json};

/// The destination of every sample delivery.
pub const DESTINATION: &str = "crm";

/// The time at which the samples begin.
pub fn start() -> Timestamp {
    // 2026-11-23T12:00:00Z
    Timestamp::from_second(1_795_435_200).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The `n`th lead, as a marketplace would post it. No two are alike.
pub fn lead_json(n: u64) -> String {
    lead(n).to_string()
}

fn lead(n: u64) -> Value {
    const FIRST: [&str; 6] = ["Ann", "José", "Наталья", "さくら", "Zoë", "Mohammed"];
    const LAST: [&str; 5] = ["Lee", "Núñez", "Иванова", "田中", "O'Brien"];
    const COUNTRY: [&str; 4] = ["US", "USA", "DE", "Japan"];
    const ACTION: [&str; 3] = ["INS", "PLT", "Create"];
    let index = |length: usize| usize::try_from(n).unwrap_or(usize::MAX) % length;
    json!({
        "UserDetails": {
            "FirstName": FIRST[index(FIRST.len())],
            "LastName": LAST[index(LAST.len())],
            "Email": format!("lead-{n}@example.com"),
            "Phone": format!("425555{:04}", n % 10_000),
            "Country": COUNTRY[index(COUNTRY.len())],
            "Company": format!("Contoso {n}"),
            "Title": "Buyer"
        },
        "LeadSource": format!("AzureMarketplace-{}|contoso.sample-offer", ACTION[index(ACTION.len())]),
        "ActionCode": ACTION[index(ACTION.len())],
        "OfferTitle": "Contoso Sample Offer",
        "Description": format!("Please call about seat {n}.")
    })
}

/// The delivery of the `n`th lead to [`DESTINATION`].
pub fn delivery(n: u64) -> Delivery {
    let record = json!({
        "lastname": format!("Lee {n}"),
        "email": format!("lead-{n}@example.com"),
        "telephone": format!("425555{:04}", n % 10_000),
        "company": format!("Contoso {n}"),
        "description": "Wants a “demo”; 日本語, ü and 👩‍👩‍👧‍👦.\nSecond line.",
        "seats": 25,
        "consent": true
    });
    delivery_of(n, record.as_object().cloned().unwrap_or_default())
}

/// A delivery of the `n`th lead that carries `record`.
pub fn delivery_of(n: u64, record: Record) -> Delivery {
    let lead = LeadId::derive(&[b"sample", &n.to_be_bytes()]);
    let accepted_at = start() + SignedDuration::from_millis(i64::try_from(n % 1_000_000_000).unwrap_or(0));
    Delivery {
        id: DeliveryId::of(lead, DESTINATION),
        lead,
        destination: DESTINATION.to_owned(),
        route: "customers".to_owned(),
        record,
        notes: Vec::new(),
        accepted_at,
        attempt: 0,
        first_attempt_at: None,
        round: 0,
    }
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::lead::{Body, Facts};

    use super::*;

    #[test]
    fn the_beginning_is_what_its_comment_says() {
        assert_eq!(start().to_string(), "2026-11-23T12:00:00Z");
    }

    #[test]
    fn every_lead_is_its_own_and_has_its_fields() {
        assert_ne!(lead_json(1), lead_json(2));
        let facts = Facts::read(&Body::from(lead_json(7)));
        assert_eq!(
            (facts.email.as_str(), facts.offer.as_str(), facts.test),
            ("lead-7@example.com", "sample-offer", false)
        );
    }

    #[test]
    fn every_delivery_is_its_own_and_the_same_again() {
        assert_eq!(delivery(1), delivery(1));
        assert_ne!(delivery(1).id, delivery(2).id);
    }
}
