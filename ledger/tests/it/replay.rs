//! Sending on their way again, seen as messages on the queue.

use leadrelay_ledger::api::types::{LeadDetail, LeadState, Page, ParkedItem, Repaired, Replayed};
use leadrelay_shared::lead::Lead;
use leadrelay_shared::queue::Topic;
use serde_json::{Value, json};

use super::Ledger;
use crate::fixtures::*;

async fn detail(ledger: &Ledger, n: u32) -> LeadDetail {
    ledger.get(&format!("/api/v1/leads/{}", lead_id(n))).await.ok()
}

async fn parked_count(ledger: &Ledger) -> usize {
    ledger.get("/api/v1/parked?limit=200").await.ok::<Page<ParkedItem>>().items.len()
}

/// A ledger with lead 1 delivered nowhere and parked at `crm`.
async fn with_a_parked_delivery() -> Ledger {
    let ledger = Ledger::start().await;
    let (event, message) = parked(10, 1, "crm", 0);
    ledger.tell(&[accepted(1, &lead(1)), routed(2, 1, &["crm"], 0), event], &[message]).await;
    ledger.ctx.clock.advance(std::time::Duration::from_secs(30));
    ledger
}

/// A ledger with lead 2 quarantined.
async fn with_a_quarantined_lead() -> Ledger {
    let ledger = Ledger::start().await;
    let (event, message) = quarantined(10, &faulty(2));
    ledger.tell(&[accepted(1, &faulty(2)), event], &[message]).await;
    ledger
}

#[tokio::test]
async fn a_released_delivery_starts_a_new_round_once() {
    let ledger = with_a_parked_delivery().await;
    let id = delivery(1, "crm", 0).id;
    let path = format!("/api/v1/parked/{id}/release");
    let replayed: Replayed = ledger.post(&path, &json!({})).await.ok();
    assert_eq!(replayed.count, 1);
    assert!(ledger.post(&path, &json!({})).await.problem(409).contains("already sent on its way again (round 1)"));

    let sent = ledger.take(&Topic::deliver("crm")).await;
    assert_eq!(sent.len(), 1);
    let mut wanted = delivery(1, "crm", 1);
    (wanted.attempt, wanted.first_attempt_at) = (0, None);
    assert_eq!(sent[0], wanted);
    ledger.recorded().await;
    let detail = detail(&ledger, 1).await;
    assert_eq!((detail.lead.state, detail.lead.round), (LeadState::Routed, 1));
    let last = detail.timeline.last().expect("an entry");
    assert_eq!((last.kind.as_str(), last.text.as_str()), ("replayed", "sent on its way to crm again (round 1)"));
    assert_eq!(parked_count(&ledger).await, 0);

    // Parked again, and released again: a third round.
    let (event, message) = parked(60, 1, "crm", 1);
    ledger.tell(&[event], &[message]).await;
    ledger.post(&path, &json!({})).await.ok::<Replayed>();
    assert_eq!(ledger.take(&Topic::deliver("crm")).await[0].round, 2);
    ledger.post("/api/v1/parked/00000000-0000-0000-0000-000000000000/release", &json!({})).await.problem(404);
    ledger.post("/api/v1/parked/x/release", &json!({})).await.problem(404);
}

#[tokio::test]
async fn two_clicks_at_once_send_once() {
    let ledger = with_a_parked_delivery().await;
    let path = format!("/api/v1/parked/{}/release", delivery(1, "crm", 0).id);
    let none = json!({});
    let (one, other) = tokio::join!(ledger.post(&path, &none), ledger.post(&path, &none));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(ledger.take(&Topic::deliver("crm")).await.len(), 1);
}

#[tokio::test]
async fn a_released_lead_goes_as_it_is_and_without_its_faults() {
    let ledger = with_a_quarantined_lead().await;
    ledger.post(&format!("/api/v1/parked/{}/release", lead_id(2)), &json!({})).await.ok::<Replayed>();
    let sent = ledger.take(&Topic::leads()).await;
    assert_eq!(sent, [Lead { faults: vec![], round: 1, ..faulty(2) }]);
    ledger.recorded().await;
    assert_eq!(detail(&ledger, 2).await.lead.state, LeadState::Accepted);
    assert_eq!(parked_count(&ledger).await, 0);
}

#[tokio::test]
async fn a_repair_is_judged_before_anything_changes() {
    let ledger = with_a_quarantined_lead().await;
    let path = format!("/api/v1/parked/{}/repair", lead_id(2));
    let wrong = r#"{"LeadSource": 7}"#;
    let dry: Repaired = ledger.post(&path, &json!({"body": wrong, "dry_run": true})).await.ok();
    assert!(!dry.faults.is_empty());
    let refused = ledger.post(&path, &json!({"body": wrong})).await;
    assert!(refused.problem(422).contains("still not a lead"));
    assert_eq!(refused.json::<Repaired>().faults, dry.faults);
    assert_eq!(refused.json::<Value>()["status"], 422);
    let good = lead(2).body.text().expect("text").to_owned();
    let dry: Repaired = ledger.post(&path, &json!({"body": good, "dry_run": true})).await.ok();
    assert_eq!(dry.faults, []);
    assert_eq!((parked_count(&ledger).await, ledger.depth("leads").await), (1, 0));

    let done: Repaired = ledger.post(&path, &json!({"body": good})).await.ok();
    assert_eq!(done.faults, []);
    let sent = ledger.take(&Topic::leads()).await;
    assert_eq!(sent, [Lead { round: 1, ..lead(2) }]);
    ledger.tell(&[accepted(40, &sent[0])], &[]).await;
    let detail = detail(&ledger, 2).await;
    assert_eq!((detail.body.as_deref(), detail.faults.len()), (Some(good.as_str()), 0));
    assert_eq!(detail.lead.name, "Ann Lee2");
    ledger.post(&path, &json!({"body": good})).await.problem(409);
}

#[tokio::test]
async fn a_parked_delivery_cannot_be_repaired() {
    let ledger = with_a_parked_delivery().await;
    let path = format!("/api/v1/parked/{}/repair", delivery(1, "crm", 0).id);
    assert!(ledger.post(&path, &json!({"body": "{}"})).await.problem(409).contains("release it"));
    assert_eq!((parked_count(&ledger).await, ledger.depth("leads").await), (1, 0));
}

#[tokio::test]
async fn ids_of_any_kind_are_replayed_and_the_others_refused_with_why() {
    let ledger = with_a_parked_delivery().await;
    let gone = Lead { received_at: at(0), ..lead(5) };
    ledger.tell(&[accepted(1, &lead(3)), routed(2, 3, &["crm"], 0), delivered(3, 3, "crm", 0)], &[]).await;
    ledger.tell(&[routed(2, 5, &["crm"], 0)], &[]).await;
    let asked = json!({"ids": [
        delivery(1, "crm", 0).id, lead_id(3), delivery(3, "crm", 0).id, gone.id, "00000000-0000-0000-0000-000000000000", "x"
    ]});
    let replayed: Replayed = ledger.post("/api/v1/replay", &asked).await.ok();
    assert_eq!(replayed.count, 3);
    let why: Vec<&str> = replayed.refused.values().map(String::as_str).collect();
    assert_eq!(replayed.refused.len(), 3);
    for told in ["nothing is known of it", "its payload is no longer kept", "not an id; write it in full"] {
        assert!(why.contains(&told), "{why:?}");
    }
    assert_eq!(ledger.take(&Topic::deliver("crm")).await.len(), 1);
    // A delivered lead is routed again by today's rules: once for its own id, and once for its delivery's.
    let rounds: Vec<u32> = ledger.take(&Topic::leads()).await.iter().map(|lead| lead.round).collect();
    assert_eq!(rounds, [1, 2]);
}

#[tokio::test]
async fn all_that_match_a_filter_are_replayed_in_batches() {
    const LEADS: u32 = 90;
    let ledger = Ledger::start().await;
    let (mut events, mut messages) = (Vec::new(), Vec::new());
    for n in 0..LEADS {
        let destination = if n % 3 == 0 { "partner" } else { "crm" };
        let (event, message) = parked(-10, n, destination, 0);
        events.extend([accepted(-20, &lead(n)), event]);
        messages.push(message);
    }
    ledger.tell(&events, &messages).await;
    let replayed: Replayed = ledger.post("/api/v1/replay", &json!({"filter": {"destination": "crm"}})).await.ok();
    assert_eq!((replayed.count, replayed.refused.len()), (60, 0));
    assert_eq!((ledger.depth("deliver.crm").await, ledger.depth("deliver.partner").await), (60, 0));
    let again: Replayed = ledger.post("/api/v1/replay", &json!({"filter": {"destination": "crm"}})).await.ok();
    assert_eq!(again.count, 0);
    let rest: Replayed = ledger.post("/api/v1/replay", &json!({"filter": {}})).await.ok();
    assert_eq!(rest.count, 30);
    assert_eq!(parked_count(&ledger).await, 0);
}
