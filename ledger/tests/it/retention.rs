//! What is old is forgotten: payloads of delivered leads first, then everything.

use std::time::Duration;

use leadrelay_ledger::api::types::{LeadDetail, LeadState, Page, ParkedItem, Replayed};
use leadrelay_shared::clock::Clock;
use serde_json::json;

use super::Ledger;
use crate::fixtures::*;
use crate::stand::Stand as _;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// At least so long after one pass the next one comes.
const PASS: Duration = Duration::from_mins(10);

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
            // A pass that began before that looks for what was old then; the next one comes after a while.
            clock.advance(PASS);
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
            clock.advance(PASS);
            show(1).await.status == 404 && show(2).await.status == 404
        })
        .await;
    assert!(ledger.get("/api/v1/parked").await.ok::<Page<ParkedItem>>().items.is_empty());
}

#[tokio::test]
async fn forgetting_many_goes_in_steps() {
    let clock = Clock::manual(start());
    let ledger = Ledger::with("", clock.clone()).await;
    ledger.tell(&many(), &[]).await;
    clock.advance(401 * DAY);
    ledger
        .until("everything is forgotten", async || {
            clock.advance(PASS);
            ledger.get("/api/v1/leads").await.ok::<Page<serde_json::Value>>().items.is_empty()
        })
        .await;
    for table in ["lead", "payload", "event", "delivery"] {
        assert_eq!(ledger.stand.rows(&format!("SELECT * FROM {table}")), [""; 0], "{table}");
    }
}
