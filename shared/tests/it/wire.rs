//! What travels between services is read by every later version: leads wait in queues while leadrelay is upgraded.
//!
//! `tests/wire/v<n>/<topic>.jsonl` holds messages as that version writes them, one to a line, with every kind of each. A file that
//! was released never changes. What is written otherwise from now on is a new line, or a new version.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use leadrelay_shared::control::Control;
use leadrelay_shared::delivery::{Delivery, Parked};
use leadrelay_shared::event::Event;
use leadrelay_shared::lead::Lead;
use leadrelay_shared::queue::Envelope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const VERSIONS: [&str; 1] = ["v1"];

/// The lines of a topic, of each version.
fn lines(topic: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let of = |version: &&str| {
        let file = folder.join(version).join(topic).with_extension("jsonl");
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    VERSIONS.iter().map(of).flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Reads each message, and writes it again: nothing may be missing then.
fn read<T: DeserializeOwned + Serialize>(topic: &str) -> Vec<T> {
    let read = |line: &String| {
        let envelope: Envelope<T> =
            Envelope::decode(line.as_bytes()).unwrap_or_else(|error| panic!("{topic}: {error}: {line}"));
        let was: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(serde_json::to_value(&envelope.body).expect("JSON"), was["body"], "{topic}");
        assert_eq!(
            (Value::from(envelope.id.to_string()), envelope.trace.map(Value::from)),
            (was["id"].clone(), was.get("trace").cloned())
        );
        envelope.body
    };
    lines(topic).iter().map(read).collect()
}

/// The values of `kind` anywhere in what is told.
fn kinds(value: &Value, under: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(kind)) = map.get("kind") {
                found.insert(format!("{under}{kind}"));
            }
            map.iter().for_each(|(key, value)| kinds(value, &format!("{key}."), found));
        }
        Value::Array(values) => values.iter().for_each(|value| kinds(value, under, found)),
        _ => {}
    }
}

#[test]
fn leads_and_deliveries_and_what_is_parked_are_read() {
    assert_eq!(read::<Lead>("leads").len(), 2);
    assert_eq!(read::<Delivery>("deliver").len(), 2);
    assert_eq!(read::<Parked>("parked").len(), 2);
}

#[test]
fn every_kind_of_fact_is_read() {
    let told: Vec<Event> = read::<Vec<Event>>("events").concat();
    let mut found = BTreeSet::new();
    kinds(&serde_json::to_value(&told).expect("JSON"), "", &mut found);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    // One that is added is added to the file too.
    assert_eq!(
        found,
        [
            "cause.failing",
            "cause.operator",
            "error.contended",
            "error.misconfigured",
            "error.rejected",
            "error.throttled",
            "error.unauthorized",
            "error.unavailable",
            "error.uncertain",
            "error.unexpected",
            "fact.accepted",
            "fact.checked",
            "fact.deferred",
            "fact.delivered",
            "fact.duplicate",
            "fact.erased",
            "fact.parked",
            "fact.paused",
            "fact.quarantined",
            "fact.replayed",
            "fact.resumed",
            "fact.routed",
            "fact.unmatched",
            "reason.crashed",
            "reason.gave_up",
            "reason.mapping_failed",
            "reason.no_destination",
            "reason.quarantined",
            "reason.rejected",
            "reason.too_long",
            "reason.unmatched",
        ]
    );
}

#[test]
fn decisions_are_read() {
    for line in lines("control") {
        let control: Control = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_value(&control).expect("JSON"), serde_json::from_str::<Value>(&line).expect("JSON"));
    }
}
