//! What the admin API says and hears. The command line reads the same types.

mod alerts;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use leadrelay_shared::delivery::{ParkReason, Receipt, Record};
use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::event::PauseCause;
use leadrelay_shared::fields::Note;
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::lead::{Fault, Format};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alerts::{Alert, AlertChannel, AlertKind, AlertNews, AlertState, AlertTested, Alerts};

/// Where a lead is. With several destinations, the state that most needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each state is its own word")]
pub enum LeadState {
    Duplicate,
    Delivered,
    Accepted,
    Routed,
    Deferred,
    Unmatched,
    Quarantined,
    Parked,
    Erased,
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The cursor of the next page, where there is one.
    pub next: Option<String>,
}

/// A lead in a list. Contact fields are here because the API is for people who answer for leads; they are never logged.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "each field is named after what it holds")]
pub struct LeadSummary {
    pub id: LeadId,
    pub state: LeadState,
    pub source: String,
    #[schemars(with = "String")]
    pub received_at: Timestamp,
    pub name: String,
    pub email: String,
    pub company: String,
    pub offer_title: String,
    pub action: String,
    pub test: bool,
    pub do_not_contact: bool,
    /// Names of the destinations it was routed to.
    pub destinations: Vec<String>,
    /// How many resends were recognised.
    pub duplicates: u32,
    /// How often an operator sent it on its way again.
    pub round: u32,
}

/// Prints what it is, and never what a person wrote.
impl fmt::Debug for LeadSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeadSummary")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("source", &self.source)
            .field("received_at", &self.received_at)
            .field("test", &self.test)
            .field("destinations", &self.destinations)
            .field("duplicates", &self.duplicates)
            .field("round", &self.round)
            .finish_non_exhaustive()
    }
}

/// A lead with its story.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct LeadDetail {
    /// The lead.
    pub lead: LeadSummary,
    /// How its body is read.
    pub format: Format,
    /// The body, where it is text and still kept.
    pub body: Option<String>,
    /// The body in base64, where it is not text.
    pub body_base64: Option<String>,
    /// Why a body, or what is parked, cannot be shown although it is kept.
    pub unread: Option<String>,
    /// Why it was quarantined.
    pub faults: Vec<Fault>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// One for each destination.
    pub deliveries: Vec<DeliverySummary>,
}

/// Prints what it is, and never what a person wrote.
impl fmt::Debug for LeadDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeadDetail")
            .field("lead", &self.lead)
            .field("format", &self.format)
            .field("body_bytes", &self.body.as_deref().or(self.body_base64.as_deref()).map(str::len))
            .field("unread", &self.unread)
            .field("faults", &self.faults.len())
            .field("timeline", &self.timeline.len())
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}

/// One thing that happened to a lead.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The event's kind: `accepted`, `routed`, `delivered`, ..
    pub kind: String,
    /// The destination, where there is one.
    pub destination: Option<String>,
    /// What happened and why, as a sentence.
    pub text: String,
    /// How long the attempt took, in milliseconds.
    pub took_ms: Option<u64>,
    /// What was cut or left out.
    pub notes: Vec<Note>,
}

/// A lead at one destination.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "each field is named after what it holds")]
pub struct DeliverySummary {
    pub id: DeliveryId,
    pub destination: String,
    pub route: String,
    pub state: LeadState,
    pub attempts: u32,
    pub round: u32,
    pub receipt: Option<Receipt>,
    pub last_error: Option<DeliveryError>,
    #[schemars(with = "Option<String>")]
    pub next_at: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    pub delivered_at: Option<Timestamp>,
    /// The record, while it is parked.
    pub record: Option<Record>,
    pub parked: Option<ParkReason>,
}

/// Prints what it is, and never what a person wrote.
impl fmt::Debug for DeliverySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliverySummary")
            .field("id", &self.id)
            .field("destination", &self.destination)
            .field("route", &self.route)
            .field("state", &self.state)
            .field("attempts", &self.attempts)
            .field("round", &self.round)
            .field("last_error", &self.last_error.as_ref().map(|e| e.kind))
            .field("next_at", &self.next_at)
            .field("delivered_at", &self.delivered_at)
            .field("fields", &self.record.as_ref().map(Record::len))
            .field("parked", &self.parked.as_ref().map(ParkReason::kind))
            .finish_non_exhaustive()
    }
}

/// Something that waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ParkedItem {
    /// Its id: the delivery's id, or the lead's where no delivery was made.
    pub id: String,
    /// When it was parked.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The lead.
    pub lead: LeadId,
    /// The delivery, where one was made.
    pub delivery: Option<DeliveryId>,
    /// The source that sent it.
    pub source: String,
    /// The destination, where one was chosen.
    pub destination: Option<String>,
    /// Why.
    pub reason: ParkReason,
    /// Why, as a sentence.
    pub text: String,
}

/// A parked item with what waits.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the first fields are those of `ParkedItem`")]
pub struct ParkedDetail {
    pub id: String,
    #[schemars(with = "String")]
    pub at: Timestamp,
    pub lead: LeadId,
    pub delivery: Option<DeliveryId>,
    pub source: String,
    pub destination: Option<String>,
    pub reason: ParkReason,
    pub text: String,
    /// The body of a lead, where it is text.
    pub body: Option<String>,
    /// The body of a lead in base64, where it is not text.
    pub body_base64: Option<String>,
    /// The record of a delivery.
    pub record: Option<Record>,
}

/// Prints what it is, and never what a person wrote.
impl fmt::Debug for ParkedDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParkedDetail")
            .field("id", &self.id)
            .field("at", &self.at)
            .field("lead", &self.lead)
            .field("delivery", &self.delivery)
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("reason", &self.reason.kind())
            .field("body_bytes", &self.body.as_deref().or(self.body_base64.as_deref()).map(str::len))
            .field("fields", &self.record.as_ref().map(Record::len))
            .finish_non_exhaustive()
    }
}

/// Which leads or parked items are meant. All that is given must hold.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// The lead's state.
    pub state: Option<LeadState>,
    /// The source's name.
    pub source: Option<String>,
    /// The destination's name.
    pub destination: Option<String>,
    /// The kind of a park reason: `rejected`, `quarantined`, ..
    pub reason: Option<String>,
    /// Words to find in name, e-mail, company, offer title, or an id's beginning.
    pub q: Option<String>,
    /// Not older than this.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Not younger than this.
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

/// Prints what it is, and never what a person wrote.
impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("state", &self.state)
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("reason", &self.reason)
            .field("q_bytes", &self.q.as_deref().map(str::len))
            .field("since", &self.since)
            .field("until", &self.until)
            .finish()
    }
}

/// What to send on its way again: `{"ids": [..]}` or `{"filter": {..}}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Replay {
    /// Ids of leads, deliveries or parked items.
    Ids(Vec<String>),
    /// All parked items that match.
    Filter(Filter),
}

/// What was sent on its way again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    /// How many.
    pub count: u64,
    /// Ids that nothing is known of, or whose payload is no longer kept, with why.
    pub refused: BTreeMap<String, String>,
}

/// A new body for a quarantined lead.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    /// The body.
    pub body: String,
    /// Only say what is wrong with it; send nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What the judge says of a new body.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Repaired {
    /// What is still wrong with it; empty when it was sent on its way.
    pub faults: Vec<Fault>,
}

/// How a destination is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "each field is named after what it holds")]
pub struct DestinationStatus {
    pub name: String,
    pub connector: String,
    pub paused: bool,
    /// Paused by hand, by its own failures, or both: by hand comes first.
    pub cause: Option<PauseCause>,
    #[schemars(with = "Option<String>")]
    pub paused_until: Option<Timestamp>,
    pub ready: u64,
    pub delayed: u64,
    pub in_flight: u64,
    pub oldest_age_seconds: Option<u64>,
    pub delivered: u64,
    pub parked: u64,
    #[schemars(with = "Option<String>")]
    pub last_success_at: Option<Timestamp>,
    pub last_error: Option<DeliveryError>,
    #[schemars(with = "Option<String>")]
    pub last_error_at: Option<Timestamp>,
    /// What of the routes does not fit the fields that it told last, by key.
    pub unfit: Vec<Note>,
    /// When it told its fields, with another result than before or because somebody asked.
    #[schemars(with = "Option<String>")]
    pub checked_at: Option<Timestamp>,
}

/// Why an operator pauses a destination.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pause {
    /// The reason, shown to others.
    pub reason: String,
}

/// How a source is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "each field is named after what it holds")]
pub struct SourceStatus {
    pub name: String,
    pub format: Format,
    pub leads: u64,
    #[schemars(with = "Option<String>")]
    pub last_lead_at: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    pub last_test_lead_at: Option<Timestamp>,
}

/// Numbers for an overview.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Leads by state.
    pub leads: BTreeMap<String, u64>,
    /// Parked items by kind of reason.
    pub parked: BTreeMap<String, u64>,
    /// Messages waiting by topic.
    pub queue: BTreeMap<String, u64>,
}

/// What an erasure took away, and what it cannot reach.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Erasure {
    /// The lead.
    pub lead: LeadId,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// It had been erased before; what remains is said again.
    pub before: bool,
    /// Whether a body was still kept.
    pub body: bool,
    /// How many parked copies there were.
    pub parked: u64,
    /// Destinations that it was on its way to: workers are told, and what they find in a queue ends there.
    pub stopped: Vec<String>,
    /// Records that were made. They are the destinations' own, and for their operators to delete.
    pub remaining: Vec<Remaining>,
}

/// A record of an erased lead in a CRM.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Remaining {
    /// The destination's name.
    pub destination: String,
    /// The record's id there.
    pub record: Option<String>,
    /// Where a person can open it.
    pub link: Option<String>,
}

/// Whom it is about: at least one of the two.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Whom {
    /// An e-mail address; letter case does not count.
    pub email: Option<String>,
    /// A telephone number; only its digits count.
    pub phone: Option<String>,
}

/// Prints what is known and not what it says.
impl fmt::Debug for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whom").field("email", &self.email.is_some()).field("phone", &self.phone.is_some()).finish()
    }
}

/// Everything that is held about a person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// When this was written.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Each lead with its story, the latest first.
    pub leads: Vec<LeadDetail>,
    /// There is more: these are the latest, and as many as are told at once.
    pub more: bool,
}

/// What was erased of a person.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Erased {
    /// One for each lead.
    pub leads: Vec<Erasure>,
}

/// Other routes, to be tried on leads that came in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// `[[routes]]`, as they would stand in the configuration.
    pub routes: String,
    /// On how many of the latest leads; at most 1000.
    #[serde(default = "Compare::last")]
    pub last: usize,
}

impl Compare {
    fn last() -> usize {
        100
    }
}

/// What other routes would change.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Leads that both were tried on: the latest whose bodies are still kept.
    pub leads: u64,
    /// Those of them for which something would be different.
    pub changed: u64,
    /// The latest of these.
    pub told: Vec<Changed>,
}

/// A lead for which something would be different.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// The lead.
    pub lead: LeadId,
    /// What.
    pub differences: Vec<Difference>,
}

/// One difference between two records.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The destination that the record is for.
    pub destination: String,
    /// The field; absent where there is a record on one side alone.
    pub field: Option<String>,
    /// What it is by the rules as they are.
    pub before: Option<String>,
    /// What it would be.
    pub after: Option<String>,
}

/// Prints where it is, and never what a person wrote.
impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Difference")
            .field("destination", &self.destination)
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

/// One act of an operator.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// When it was begun.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Who, as they said themselves.
    pub operator: String,
    /// `console` or `api`.
    pub via: String,
    /// What: `pause`, `resume`, `check`, `release`, `repair`, `replay`, `erase`, `export`, `sign in`, ..
    pub act: String,
    /// To what: a destination's name, an id, a filter in words.
    pub object: String,
    /// How it ended; absent while it is not known.
    pub outcome: Option<String>,
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::error::ErrorKind;
    use serde_json::json;

    use super::*;

    const MARKER: &str = "M4RK3R";

    fn printed<T: for<'de> Deserialize<'de> + Serialize + fmt::Debug>(value: serde_json::Value, markers: usize) {
        assert_eq!(value.to_string().matches(MARKER).count(), markers);
        let read: T = serde_json::from_value(value).expect("it is what the API says");
        let printed = format!("{read:?}");
        assert!(!printed.contains(MARKER), "{printed}");
    }

    #[test]
    fn what_a_person_wrote_is_never_printed() {
        let id = LeadId::derive(&[b"lead"]);
        let at = "2026-11-23T12:00:00Z";
        let lead = json!({
            "id": id, "state": "parked", "source": "addon", "received_at": at, "name": MARKER, "email": MARKER,
            "company": MARKER, "offer_title": MARKER, "action": MARKER, "test": false, "do_not_contact": false,
            "destinations": ["crm"], "duplicates": 0, "round": 0,
        });
        let error = DeliveryError::new(ErrorKind::Rejected, MARKER);
        let reason = json!(ParkReason::Rejected { error: error.clone() });
        let delivery = json!({
            "id": DeliveryId::of(id, "crm"), "destination": "crm", "route": "all", "state": "parked", "attempts": 1,
            "round": 0, "receipt": {"record": MARKER}, "last_error": error, "record": {"lastname": MARKER}, "parked": reason,
        });
        printed::<LeadSummary>(lead.clone(), 5);
        printed::<DeliverySummary>(delivery.clone(), 4);
        let entry = json!({"at": at, "kind": "routed", "text": MARKER, "notes": []});
        printed::<LeadDetail>(
            json!({
                "lead": lead, "format": "json", "body": MARKER, "body_base64": MARKER, "faults": [], "timeline": [entry],
                "deliveries": [delivery],
            }),
            12,
        );
        printed::<ParkedDetail>(
            json!({
                "id": id, "at": at, "lead": id, "source": "addon", "reason": reason, "text": MARKER, "body": MARKER,
                "body_base64": MARKER, "record": {"lastname": MARKER},
            }),
            5,
        );
        printed::<Filter>(json!({"q": MARKER}), 1);
    }
}
