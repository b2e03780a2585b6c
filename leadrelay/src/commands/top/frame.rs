//! One look as text.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use leadrelay_ledger::api::types::{DestinationStatus, SourceStatus};

use super::Look;
use crate::commands::destinations::state;
use crate::output::{moment, relative, rough, table};

/// All that there is to see, line by line.
pub(super) fn frame(look: &Look, address: &str) -> String {
    let mut text = format!("leadrelay at {address}  {}  (q ends)\n\n", moment(look.at));
    let sources: Vec<_> = look.sources.iter().map(|s| source(s, look.at)).collect();
    text.push_str(&table(["SOURCE", "LEADS", "LAST LEAD", "LAST TEST LEAD"], &sources));
    text.push('\n');
    let destinations: Vec<_> = look.destinations.iter().map(|d| destination(d, look.at)).collect();
    let headings =
        ["DESTINATION", "STATE", "READY", "DELAYED", "IN FLIGHT", "OLDEST", "DELIVERED", "PARKED", "LAST SUCCESS"];
    text.push_str(&table(headings, &destinations));
    text.push_str(&format!("\nleads   {}\nparked  {}\n", counts(&look.stats.leads), counts(&look.stats.parked)));
    text
}

fn source(source: &SourceStatus, now: Timestamp) -> [String; 4] {
    [source.name.clone(), source.leads.to_string(), ago(now, source.last_lead_at), ago(now, source.last_test_lead_at)]
}

fn destination(destination: &DestinationStatus, now: Timestamp) -> [String; 9] {
    let oldest = destination.oldest_age_seconds.and_then(|seconds| i64::try_from(seconds).ok());
    let until = destination.paused_until.filter(|at| *at > now).map(|at| format!(", tried {}", relative(now, at)));
    [
        destination.name.clone(),
        format!("{}{}", state(destination), until.unwrap_or_default()),
        destination.ready.to_string(),
        destination.delayed.to_string(),
        destination.in_flight.to_string(),
        oldest.map_or_else(|| "-".to_owned(), |seconds| rough(SignedDuration::from_secs(seconds))),
        destination.delivered.to_string(),
        destination.parked.to_string(),
        ago(now, destination.last_success_at),
    ]
}

fn ago(now: Timestamp, at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| relative(now, at))
}

fn counts(counts: &BTreeMap<String, u64>) -> String {
    let told: Vec<String> = counts.iter().filter(|(_, n)| **n > 0).map(|(what, n)| format!("{what} {n}")).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> T {
        serde_json::from_value(json).expect("what the API says")
    }

    #[test]
    fn a_frame_tells_sources_and_destinations() {
        let crm = json!({
            "name": "crm", "connector": "dynamics", "paused": true,
            "cause": {"kind": "failing", "error": {"kind": "unavailable", "message": "no connection"}},
            "paused_until": "2030-01-01T12:00:30Z", "ready": 3, "delayed": 2, "in_flight": 0, "oldest_age_seconds": 300,
            "delivered": 7, "parked": 1, "last_success_at": "2030-01-01T11:50:00Z", "unfit": [],
        });
        let inbox = json!({
            "name": "inbox", "connector": "file", "paused": false, "ready": 0, "delayed": 0, "in_flight": 1,
            "delivered": 12, "parked": 0, "unfit": [],
        });
        let look = Look {
            at: "2030-01-01T12:00:00Z".parse().expect("a time"),
            sources: vec![read(json!({
                "name": "addon", "format": "marketplace", "leads": 12, "last_lead_at": "2030-01-01T11:59:57Z",
            }))],
            destinations: vec![read(crm), read(inbox)],
            stats: read(json!({"leads": {"delivered": 11, "parked": 1, "routed": 0}, "parked": {}, "queue": {}})),
        };
        insta::assert_snapshot!(frame(&look, "127.0.0.1:8081"), @r##"
leadrelay at 127.0.0.1:8081  2030-01-01 12:00:00 UTC  (q ends)

SOURCE  LEADS  LAST LEAD  LAST TEST LEAD
addon   12     3s ago     never

DESTINATION  STATE                              READY  DELAYED  IN FLIGHT  OLDEST  DELIVERED  PARKED  LAST SUCCESS
crm          paused: unavailable, tried in 30s  3      2        0          5m      7          1       10m ago
inbox        ready                              0      0        1          -       12         0       never

leads   delivered 11, parked 1
parked  none
"##);
    }
}
