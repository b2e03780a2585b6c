//! Payloads that are sealed where they are kept: everything works as without, and who has not the key reads none.

use std::collections::BTreeSet;

use leadrelay_ledger::api::types::{Erasure, Held, LeadDetail, LeadState, ParkedDetail, Repaired, Replayed};
use leadrelay_ledger::store::{Resealing, Store};
use leadrelay_shared::delivery::{Parked, Waiting};
use leadrelay_shared::lead::Lead;
use leadrelay_shared::queue::Topic;
use serde_json::json;

use super::{Ledger, Stand as On};
use crate::fixtures::*;
use crate::stand::Stand as _;

const ONE: [u8; 32] = [1; 32];
const TWO: [u8; 32] = [2; 32];
/// The same in base64, each a line of a key file.
const ONE_LINE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const TWO_LINE: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const NO_KEY: &str = "sealed with a key that is not configured; add it to ledger.payload_key";

fn config(lines: &[&str]) -> String {
    format!("\n[ledger]\npayload_key = \"{}\"\n", lines.join("\\n"))
}

async fn with(lines: &[&str]) -> Ledger {
    Ledger::with(&config(lines), leadrelay_shared::clock::Clock::manual(start())).await
}

/// Lead 1 is parked at `crm`, lead 2 is quarantined, lead 3 is delivered.
async fn tell(ledger: &Ledger) {
    let (event_1, message_1) = parked(10, 1, "crm", 0);
    let (event_2, message_2) = quarantined(10, &faulty(2));
    let events = [
        accepted(1, &lead(1)),
        routed(2, 1, &["crm"], 0),
        event_1,
        accepted(1, &faulty(2)),
        event_2,
        accepted(1, &lead(3)),
        delivered(3, 3, "crm", 0),
    ];
    ledger.tell(&events, &[message_1, message_2]).await;
}

async fn detail(ledger: &Ledger, n: u32) -> LeadDetail {
    ledger.get(&format!("/api/v1/leads/{}", lead_id(n))).await.ok()
}

/// How many values are kept, how many of them as they came, and under how many keys the others are.
fn kept(on: &On) -> (usize, usize, usize) {
    let count = |condition: &str| {
        ["payload", "parked"].map(|table| on.rows(&format!("SELECT lead FROM {table} {condition}")).len()).iter().sum()
    };
    let keys = "SELECT DISTINCT sealed FROM (SELECT sealed FROM payload UNION ALL SELECT sealed FROM parked) s
                WHERE sealed IS NOT NULL";
    (count(""), count("WHERE sealed IS NULL"), on.rows(keys).len())
}

#[tokio::test]
async fn what_is_sealed_is_shown_repaired_sent_again_and_found() {
    let ledger = with(&[ONE_LINE]).await;
    tell(&ledger).await;
    assert_eq!(kept(&ledger.stand), (5, 0, 1));
    let one = detail(&ledger, 1).await;
    assert_eq!((one.body.as_deref(), one.unread.as_deref()), (lead(1).body.text(), None));
    assert_eq!(one.deliveries[0].record, Some(delivery(1, "crm", 0).record));
    let two: ParkedDetail = ledger.get(&format!("/api/v1/parked/{}", lead_id(2))).await.ok();
    assert_eq!(two.body.as_deref(), faulty(2).body.text());

    let held: Held = ledger.post("/api/v1/export", &json!({"phone": "425 555 0100"})).await.ok();
    let found: BTreeSet<_> = held.leads.iter().map(|lead| lead.lead.id).collect();
    assert_eq!(found, BTreeSet::from([lead_id(3), lead_id(1)]), "the number is in bodies alone");

    ledger.post(&format!("/api/v1/parked/{}/release", delivery(1, "crm", 0).id), &json!({})).await.ok::<Replayed>();
    assert_eq!(ledger.take(&Topic::deliver("crm")).await[0].record, delivery(1, "crm", 0).record);
    let good = lead(2).body.text().expect("text").to_owned();
    ledger.post(&format!("/api/v1/parked/{}/repair", lead_id(2)), &json!({"body": good})).await.ok::<Repaired>();
    ledger.post("/api/v1/replay", &json!({"ids": [lead_id(3)]})).await.ok::<Replayed>();
    let sent: Vec<Lead> = ledger.take(&Topic::leads()).await;
    assert_eq!(sent, [Lead { round: 1, ..lead(2) }, Lead { round: 1, ..lead(3) }]);

    ledger.tell(&[accepted(40, &sent[0])], &[]).await;
    assert_eq!(detail(&ledger, 2).await.body.as_deref(), Some(good.as_str()));
    assert_eq!(kept(&ledger.stand), (3, 0, 1), "the new body is sealed too, and nothing waits");
    let erased: Erasure =
        ledger.request("DELETE", &format!("/api/v1/leads/{}", lead_id(3)), &bearer(&ledger), "").await.ok();
    assert!(erased.body);
    assert_eq!(kept(&ledger.stand).0, 2);
}

fn bearer(ledger: &Ledger) -> String {
    format!("Authorization: Bearer {}\r\n", ledger.token)
}

#[tokio::test]
async fn a_fresh_key_seals_everything_again_and_the_old_line_can_go() {
    let ledger = Ledger::start().await;
    tell(&ledger).await;
    assert_eq!(kept(&ledger.stand), (5, 5, 0));
    // What is there is sealed once a key is.
    let ledger = ledger.restart(&config(&[ONE_LINE])).await;
    ledger.until("all is sealed", async || kept(&ledger.stand) == (5, 0, 1)).await;
    let by_one = ledger.stand.rows("SELECT DISTINCT sealed FROM payload");

    let ledger = ledger.restart(&config(&[TWO_LINE, ONE_LINE])).await;
    ledger
        .until("all is sealed with the fresh one", async || {
            let by = ["payload", "parked"].map(|t| ledger.stand.rows(&format!("SELECT DISTINCT sealed FROM {t}")));
            by.iter().all(|by| by.len() == 1 && *by != by_one)
        })
        .await;
    let ledger = ledger.restart(&config(&[TWO_LINE])).await;
    let one = detail(&ledger, 1).await;
    assert_eq!((one.body.as_deref(), one.unread), (lead(1).body.text(), None));
    assert_eq!(one.deliveries[0].record, Some(delivery(1, "crm", 0).record));
    assert_eq!(detail(&ledger, 2).await.body.as_deref(), faulty(2).body.text());
}

#[tokio::test]
async fn without_the_key_the_history_is_told_and_recorded_and_no_payload_is() {
    let ledger = with(&[ONE_LINE]).await;
    tell(&ledger).await;
    let ledger = ledger.restart(&config(&[TWO_LINE])).await;
    for n in [1, 2, 3] {
        let shown = detail(&ledger, n).await;
        assert_eq!((shown.body.as_deref(), shown.body_base64.as_deref()), (None, None));
        assert!(shown.unread.as_deref().is_some_and(|why| why.contains(NO_KEY)) && !shown.timeline.is_empty());
    }
    assert!(ledger.get(&format!("/api/v1/parked/{}", lead_id(2))).await.problem(503).contains(NO_KEY));
    assert!(ledger.post("/api/v1/export", &json!({"phone": "425 555 0100"})).await.problem(503).contains(NO_KEY));
    let replayed = ledger.post("/api/v1/replay", &json!({"ids": [lead_id(3)]})).await;
    assert!(replayed.body.contains(NO_KEY), "{replayed:?}");

    // Recording waits for no key: neither for what is new, nor for what comes again, nor for a later round.
    let (event_1, message_1) = parked(10, 1, "crm", 0);
    let (event_2, message_2) = parked(60, 1, "crm", 1);
    ledger.tell(&[accepted(1, &lead(4)), accepted(1, &lead(3)), event_1, event_2], &[message_1, message_2]).await;
    assert_eq!(detail(&ledger, 4).await.body.as_deref(), lead(4).body.text());
    assert_eq!(detail(&ledger, 1).await.deliveries[0].record, Some(delivery(1, "crm", 1).record));

    for (n, waits) in [(1, 1), (2, 1), (3, 0)] {
        let path = format!("/api/v1/leads/{}", lead_id(n));
        let erased: Erasure = ledger.request("DELETE", &path, &bearer(&ledger), "").await.ok();
        assert_eq!((erased.body, erased.parked), (true, waits), "lead {n}");
        let shown = detail(&ledger, n).await;
        assert_eq!((shown.lead.state, shown.unread), (LeadState::Erased, None));
    }
    assert_eq!(kept(&ledger.stand), (1, 0, 1));
}

async fn store(on: &On, keys: &[[u8; 32]]) -> Store {
    on.store().await.sealing(keys)
}

async fn resealed(store: &Store) -> Resealing {
    let mut so_far = Resealing::default();
    while !so_far.done {
        so_far = store.seal_again(so_far).await.expect("sealed");
    }
    so_far
}

#[tokio::test]
async fn what_stands_in_another_place_is_refused() {
    let on = On::new();
    let sealed = store(&on, &[ONE]).await;
    let (event_1, message_1) = parked(10, 1, "crm", 0);
    let (event_2, message_2) = parked(10, 1, "partner", 0);
    let events = vec![accepted(1, &lead(1)), accepted(1, &lead(2)), event_1, event_2];
    sealed.record(events, vec![message_1, message_2]).await.expect("recorded");
    assert!(sealed.kept(lead_id(1)).await.expect("read").expect("known").lead.is_some());
    // Each gets what is that of one of the two.
    on.change("UPDATE payload SET body = (SELECT body FROM payload ORDER BY body LIMIT 1)");
    on.change("UPDATE parked SET waiting = (SELECT waiting FROM parked ORDER BY waiting LIMIT 1)");
    let mut refused = 0;
    for n in [1, 2] {
        refused +=
            usize::from(sealed.kept(lead_id(n)).await.is_err_and(|error| error.to_string().contains("was changed")));
    }
    assert_eq!(refused, 1, "the one whose place it is can be read");
    let error = sealed.parked_of_lead(lead_id(1)).await.expect_err("one of the two is in another place");
    assert!(error.to_string().contains("a place that is not its own"), "{error}");
    // One that cannot be opened holds up no other.
    drop(sealed);
    let rotated = store(&on, &[TWO, ONE]).await;
    let done = resealed(&rotated).await;
    assert_eq!((done.sealed, done.broken), (2, 2));
    assert_eq!(rotated.sealed_otherwise().await.expect("read"), Some(2));
}

#[tokio::test]
async fn of_two_copies_the_same_one_is_kept_in_any_order() {
    let (_, first) = parked(10, 1, "crm", 0);
    let Waiting::Delivery(delivery) = first.what.clone() else { panic!("a delivery") };
    let what = Waiting::Delivery(leadrelay_shared::delivery::Delivery { attempt: 9, ..delivery });
    let other = Parked { what, ..first.clone() };
    let mut kept = Vec::new();
    for batches in [vec![vec![&first], vec![&other]], vec![vec![&other], vec![&first]], vec![vec![&other, &first]]] {
        let on = On::new();
        let store = store(&on, &[ONE]).await;
        for batch in batches {
            store.record(Vec::new(), batch.into_iter().cloned().collect::<Vec<_>>()).await.expect("recorded");
        }
        let mut rows = store.parked_of_lead(lead_id(1)).await.expect("read");
        kept.push(format!("{:?}", rows.pop().expect("it waits").waiting));
    }
    assert!(kept.iter().all(|one| *one == kept[0]), "{kept:?}");
}

#[tokio::test]
async fn sealing_again_goes_in_steps_and_leaves_alone_what_it_has_no_key_for() {
    let on = On::new();
    let none = store(&on, &[]).await;
    none.record((0..120).map(|n| accepted(1, &lead(n))).collect::<Vec<_>>(), Vec::new()).await.expect("recorded");
    assert_eq!(none.sealed_otherwise().await.expect("read"), None);
    assert_eq!(resealed(&none).await.sealed, 0, "without a key nothing is sealed");
    drop(none);
    let one = store(&on, &[ONE]).await;
    assert_eq!(one.sealed_otherwise().await.expect("read"), Some(120));
    let step = one.seal_again(Resealing::default()).await.expect("a step");
    assert!(!step.done && step.sealed == 50, "{step:?}");
    assert_eq!(resealed(&one).await.sealed, 70);
    assert_eq!(one.sealed_otherwise().await.expect("read"), Some(0));
    assert_eq!(resealed(&one).await.sealed, 0, "there is nothing left to do");
    drop(one);
    let stranger = store(&on, &[TWO]).await;
    let done = resealed(&stranger).await;
    assert_eq!((done.sealed, done.broken, stranger.sealed_otherwise().await.expect("read")), (0, 0, Some(120)));
}
