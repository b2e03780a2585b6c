//! What is old is forgotten: payloads of delivered leads first, then everything.

use std::time::Duration;

use leadrelay_ledger::api::types::{LeadDetail, LeadState, Page, ParkedItem, Replayed};
use leadrelay_shared::clock::Clock;
use serde_json::json;

use crate::fixtures::*;
use crate::harness::Ledger;

/// As long as it takes until old things are looked for again: a ledger that began to wait after the clock was moved is woken, too.
const SOON: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn payloads_of_delivered_leads_go_first_and_parked_ones_stay_until_they_are_old() {
    let clock = Clock::manual(start());
    let ledger = Ledger::with("\n[ledger]\nkeep_payloads = \"30d\"\nkeep_history = \"400d\"\n", clock.clone()).await;
    let (event, message) = parked(10, 2, "crm", 0);
    let events = [
        accepted(1, &lead(1)),
        routed(2, 1, &["crm"], 0),
        delivered(3, 1, "crm", 0),
        accepted(1, &lead(2)),
        routed(2, 2, &["crm"], 0),
        event,
    ];
    ledger.tell(&events, &[message]).await;
    let show = async |n: u32| ledger.get(&format!("/api/v1/leads/{}", lead_id(n))).await;

    clock.advance(29 * DAY);
    assert!(show(1).await.ok::<LeadDetail>().body.is_some());
    clock.advance(2 * DAY);
    ledger
        .until("the payload is forgotten", async || {
            clock.advance(SOON);
            show(1).await.ok::<LeadDetail>().body.is_none()
        })
        .await;
    let delivered = show(1).await.ok::<LeadDetail>();
    assert_eq!((delivered.lead.state, delivered.timeline.len()), (LeadState::Delivered, 3));
    assert!(show(2).await.ok::<LeadDetail>().body.is_some(), "a parked lead can still be sent");
    let replayed: Replayed = ledger.post("/api/v1/replay", &json!({"ids": [lead_id(1)]})).await.ok();
    assert_eq!((replayed.count, replayed.refused.len()), (0, 1));

    clock.advance(370 * DAY);
    ledger
        .until("the history is forgotten", async || {
            clock.advance(SOON);
            show(1).await.status == 404 && show(2).await.status == 404
        })
        .await;
    assert!(ledger.get("/api/v1/parked").await.ok::<Page<ParkedItem>>().items.is_empty());
}

#[tokio::test]
async fn forgetting_many_goes_in_steps_and_gives_the_room_back() {
    let clock = Clock::manual(start());
    let ledger = Ledger::with("", clock.clone()).await;
    let events: Vec<_> =
        (0..1000).flat_map(|n| [accepted(1, &lead(n)), routed(2, n, &["crm"], 0), delivered(3, n, "crm", 0)]).collect();
    ledger.tell(&events, &[]).await;
    let free = || {
        let db = rusqlite::Connection::open(ledger.database()).expect("the database");
        let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0)).expect("a count");
        pages
    };
    let before = free();
    clock.advance(401 * DAY);
    ledger
        .until("everything is forgotten and the file is small", async || {
            clock.advance(SOON);
            ledger.get("/api/v1/leads").await.ok::<Page<serde_json::Value>>().items.is_empty() && free() < before / 4
        })
        .await;
}
