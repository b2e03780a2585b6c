//! A lead's history in sentences. No sentence holds a value of the lead.

use leadrelay_shared::event::{About, Fact};
use leadrelay_shared::id::DeliveryId;

use crate::api::types::TimelineEntry;
use crate::store::{Acceptance, Story, Told, What};

/// Digits of a rules version that a person compares.
const RULES_SHOWN: usize = 8;

/// One fact as a line of the history.
pub(crate) fn entry(told: &Told, story: &Story) -> TimelineEntry {
    let mut entry = TimelineEntry {
        at: told.at,
        kind: told.kind().to_owned(),
        destination: None,
        text: String::new(),
        took_ms: None,
        notes: Vec::new(),
    };
    match &told.what {
        What::Accepted(acceptance) => entry.text = accepted(acceptance),
        What::Fact(fact) => fill(&mut entry, fact, story),
    }
    entry
}

fn accepted(acceptance: &Acceptance) -> String {
    let Acceptance { source, bytes, round, faults } = acceptance;
    match (round, faults) {
        (0, 0) => format!("accepted from {source}, {bytes} bytes"),
        (0, n) => format!("accepted from {source}, {bytes} bytes, with {}", count(*n, "fault")),
        (round, _) => format!("taken up again (round {round}), {bytes} bytes"),
    }
}

fn fill(entry: &mut TimelineEntry, fact: &Fact, story: &Story) {
    match fact {
        Fact::Quarantined { reason, .. } => entry.text = format!("quarantined: {reason}"),
        Fact::Duplicate { source, .. } => {
            entry.text = format!("sent again by {source}, recognised as a duplicate; nothing was sent on");
        }
        Fact::Routed { rules, deliveries, notes, .. } => {
            entry.text = routed(deliveries, rules);
            entry.notes.clone_from(notes);
            if let [only] = deliveries.as_slice() {
                entry.destination = Some(only.destination.clone());
            }
        }
        Fact::Unmatched { rules, .. } => {
            entry.text = format!("parked: no route matches it (rules {})", short(rules));
        }
        Fact::Delivered { about, attempt, receipt, took_ms, notes } => {
            at(entry, about, *took_ms);
            entry.notes.clone_from(notes);
            let record = receipt.record.as_ref().map(|id| format!(" as {id}")).unwrap_or_default();
            let existed = if receipt.existed { "; an earlier attempt had made the record" } else { "" };
            let tries = if *attempt > 1 { format!(", at attempt {attempt}") } else { String::new() };
            entry.text = format!("delivered to {}{record} in {took_ms} ms{tries}{existed}", about.destination);
        }
        Fact::Deferred { about, attempt, error, next_at, took_ms } => {
            at(entry, about, *took_ms);
            let try_ =
                if *attempt == 0 { "an attempt that is not counted".to_owned() } else { format!("attempt {attempt}") };
            entry.text = format!(
                "{try_} at {} failed: {}: {error}; next try at {next_at:.0}",
                about.destination,
                error.kind.as_str()
            );
        }
        Fact::Parked { about, reason, .. } => {
            entry.destination = about.as_ref().map(|a| a.destination.clone());
            entry.text = format!("parked: {reason}");
        }
        Fact::Replayed { delivery, round, repaired, .. } => {
            entry.destination = delivery.and_then(|id| destination(story, id));
            let place = entry.destination.as_ref().map(|name| format!(" to {name}")).unwrap_or_default();
            let how = if *repaired { "repaired and sent" } else { "sent" };
            entry.text = format!("{how} on its way{place} again (round {round})");
        }
        Fact::Erased { .. } => "erased".clone_into(&mut entry.text),
        Fact::Paused { destination, .. } => entry.text = format!("{destination} paused"),
        Fact::Resumed { destination } => entry.text = format!("{destination} resumed"),
        Fact::Checked { destination, .. } => entry.text = format!("{destination} checked"),
        Fact::Accepted { lead } => entry.text = format!("accepted from {}", lead.source),
    }
}

fn at(entry: &mut TimelineEntry, about: &About, took_ms: u64) {
    entry.destination = Some(about.destination.clone());
    entry.took_ms = Some(took_ms);
}

/// `routed by customers to crm and by partners to partner (rules 1a2b3c4d)`.
fn routed(deliveries: &[About], rules: &str) -> String {
    let places: Vec<String> = deliveries.iter().map(|a| format!("by {} to {}", a.route, a.destination)).collect();
    let places = if places.is_empty() { "to no destination".to_owned() } else { places.join(" and ") };
    format!("routed {places} (rules {})", short(rules))
}

fn destination(story: &Story, id: DeliveryId) -> Option<String> {
    story.deliveries.get(&id).map(|course| course.destination.clone())
}

fn short(version: &str) -> &str {
    version.get(..RULES_SHOWN).unwrap_or(version)
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
