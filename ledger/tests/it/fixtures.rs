//! Leads and facts that the tests speak of.

use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::delivery::{Delivery, ParkReason, Parked, Receipt, Waiting};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::event::{About, Event, Fact};
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::lead::{Fault, Format, Lead};
use serde_json::json;

pub(crate) fn start() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().expect("a time")
}

/// So many seconds after the start.
pub(crate) fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

pub(crate) fn lead_id(n: u32) -> LeadId {
    LeadId::derive(&[b"test", &n.to_be_bytes()])
}

/// A marketplace lead; `n` is in its name and its address.
pub(crate) fn lead(n: u32) -> Lead {
    let body = json!({
        "LeadSource": "AzureMarketplace-INS|contoso.addin",
        "ActionCode": "INS",
        "OfferTitle": "Contoso Add-in",
        "UserDetails": {
            "FirstName": "Ann", "LastName": format!("Lee{n}"), "Email": format!("ann{n}@example.com"),
            "Phone": "+1 425 555 0100", "Company": "Fabrikam_100%", "Country": "US", "Title": "CTO"
        }
    });
    Lead {
        id: lead_id(n),
        source: "addon".to_owned(),
        format: Format::Marketplace,
        received_at: at(i64::from(n)),
        body: body.to_string().into(),
        faults: Vec::new(),
        round: 0,
    }
}

/// What was sent was no lead.
pub(crate) fn faulty(n: u32) -> Lead {
    let fault = Fault { pointer: "/UserDetails".to_owned(), reason: "is missing".to_owned() };
    Lead { body: r#"{"LeadSource": "x""#.to_owned().into(), faults: vec![fault], ..lead(n) }
}

pub(crate) fn delivery(n: u32, destination: &str, round: u32) -> Delivery {
    Delivery {
        id: DeliveryId::of(lead_id(n), destination),
        lead: lead_id(n),
        destination: destination.to_owned(),
        route: "customers".to_owned(),
        record: json!({"lastname": format!("Lee{n}")}).as_object().cloned().expect("an object"),
        notes: Vec::new(),
        accepted_at: at(i64::from(n)),
        attempt: 3,
        first_attempt_at: Some(at(5)),
        round,
    }
}

pub(crate) fn about(n: u32, destination: &str, round: u32) -> About {
    About::of(&delivery(n, destination, round))
}

pub(crate) fn event(seconds: i64, fact: Fact) -> Event {
    Event { at: at(seconds), fact }
}

pub(crate) fn accepted(seconds: i64, lead: &Lead) -> Event {
    event(seconds, Fact::Accepted { lead: lead.clone() })
}

pub(crate) fn routed(seconds: i64, n: u32, destinations: &[&str], round: u32) -> Event {
    let deliveries = destinations.iter().map(|name| about(n, name, round)).collect();
    let rules = "1a2b3c4d5e6f".to_owned();
    event(seconds, Fact::Routed { lead: lead_id(n), round, rules, deliveries, notes: Vec::new() })
}

pub(crate) fn delivered(seconds: i64, n: u32, destination: &str, round: u32) -> Event {
    let receipt = Receipt { record: Some(format!("00Q{n}")), ..Receipt::default() };
    let about = about(n, destination, round);
    event(seconds, Fact::Delivered { about, attempt: 1, receipt, took_ms: 132, notes: Vec::new() })
}

pub(crate) fn down() -> DeliveryError {
    DeliveryError::new(ErrorKind::Unavailable, "it says that it is being repaired").status(503)
}

pub(crate) fn deferred(seconds: i64, n: u32, destination: &str, round: u32, attempt: u32) -> Event {
    let about = about(n, destination, round);
    event(seconds, Fact::Deferred { about, attempt, error: down(), next_at: at(seconds + 60), took_ms: 7 })
}

pub(crate) fn refused() -> ParkReason {
    let error = DeliveryError::new(ErrorKind::Rejected, "the field is not known").field("lastnam").status(400);
    ParkReason::Rejected { error }
}

/// The event and the message that a worker settles with.
pub(crate) fn parked(seconds: i64, n: u32, destination: &str, round: u32) -> (Event, Parked) {
    let delivery = delivery(n, destination, round);
    let about = Some(About::of(&delivery));
    let fact = Fact::Parked { lead: lead_id(n), about, round, attempt: 3, reason: refused() };
    (event(seconds, fact), Parked { at: at(seconds), reason: refused(), what: Waiting::Delivery(delivery) })
}

/// The event and the message that the router settles a faulty lead with.
pub(crate) fn quarantined(seconds: i64, lead: &Lead) -> (Event, Parked) {
    let reason = ParkReason::Quarantined { faults: lead.faults.clone() };
    let fact = Fact::Quarantined { lead: lead.id, round: lead.round, reason: reason.clone() };
    (event(seconds, fact), Parked { at: at(seconds), reason, what: Waiting::Lead(lead.clone()) })
}

pub(crate) fn replayed(seconds: i64, n: u32, destination: Option<&str>, round: u32) -> Event {
    let delivery = destination.map(|name| DeliveryId::of(lead_id(n), name));
    event(seconds, Fact::Replayed { lead: lead_id(n), delivery, round, repaired: false })
}

/// The facts of a thousand delivered leads.
pub(crate) fn many() -> Vec<Event> {
    (0..1000).flat_map(|n| [accepted(1, &lead(n)), routed(2, n, &["crm"], 0), delivered(3, n, "crm", 0)]).collect()
}
