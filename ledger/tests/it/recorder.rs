//! Recording from the queue: nothing is settled before it is durable, and a store that cannot be written holds nobody up.

use std::sync::Arc;

use leadrelay_ledger::api::types::{LeadSummary, Page};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::service::{Ctx, State, Status, Stop};
use rusqlite::TransactionBehavior;
use serde_json::Value;

use crate::fixtures::*;
use crate::harness;
use crate::stand::{OnFile, Stand};

type Ledger = harness::Ledger<OnFile>;

/// Started on a file that is no database.
async fn without_store() -> Ledger {
    let stand = OnFile::new();
    std::fs::write(stand.file(), "this is no database ".repeat(500)).expect("written");
    Ledger::at(Arc::new(stand), "", Clock::manual(start())).await
}

async fn leads(ledger: &Ledger) -> usize {
    ledger.get("/api/v1/leads?limit=200").await.ok::<Page<LeadSummary>>().items.len()
}

fn blocked(ledger: &Ledger) -> Option<String> {
    match ledger.ctx.status.parts().remove("ledger") {
        Some(State::Blocked(reason)) => Some(reason),
        _ => None,
    }
}

#[tokio::test]
async fn while_the_store_cannot_be_written_events_wait_and_then_it_recovers_by_itself() {
    let ledger = Ledger::start().await;
    let mut other = ledger.stand.connection();
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock");
    ledger.publish(&[accepted(1, &lead(1)), accepted(2, &lead(2))], &[]).await;
    ledger.until("it says that it is blocked", async || blocked(&ledger).is_some()).await;
    let reason = blocked(&ledger).expect("a reason");
    assert_eq!(reason, "history is not recorded: the database is locked by another program; it is kept in the queue");
    assert_eq!(ledger.depth("events").await, 1, "what was told at once is one message");
    let ready = ledger.request("GET", "/readyz", "", "").await;
    assert_eq!(
        (ready.status, &ready.json::<Value>()["parts"]["ledger"]["state"]),
        (200, &Value::from("blocked")),
        "leads flow"
    );
    // What is known can still be read.
    assert_eq!(leads(&ledger).await, 0);

    drop(held);
    ledger
        .until("it has recovered", async || {
            ledger.ctx.clock.advance(std::time::Duration::from_secs(30));
            blocked(&ledger).is_none()
        })
        .await;
    ledger.recorded().await;
    assert_eq!(leads(&ledger).await, 2);
}

#[tokio::test]
async fn a_blocked_ledger_stops_when_asked_and_loses_nothing() {
    let ledger = Ledger::start().await;
    let mut other = ledger.stand.connection();
    let held = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock");
    ledger.publish(&[accepted(1, &lead(1))], &[]).await;
    ledger.until("it says that it is blocked", async || blocked(&ledger).is_some()).await;
    let clock = ledger.ctx.clock.clone();
    let dir = ledger.stop().await;
    drop(held);
    let ledger = Ledger::at(dir, "", clock).await;
    ledger.recorded().await;
    assert_eq!(leads(&ledger).await, 1);
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_told_and_opened_again_and_again() {
    let ledger = without_store().await;
    let database = ledger.stand.file();
    let reason = blocked(&ledger).expect("it says why");
    assert_eq!(reason, "history is not recorded: the database is damaged; it is kept in the queue");
    assert_eq!(ledger.request("GET", "/healthz", "", "").await.status, 200);
    assert_eq!(ledger.request("GET", "/metrics", "", "").await.status, 200);
    let ready = ledger.request("GET", "/readyz", "", "").await;
    assert_eq!((ready.status, &ready.json::<Value>()["parts"]["ledger"]["state"]), (200, &Value::from("blocked")));
    assert!(ledger.get("/api/v1/leads").await.problem(503).contains("leads flow on"));
    ledger.request("GET", "/api/v1/leads", "", "").await.problem(401);
    ledger.publish(&[accepted(1, &lead(1))], &[]).await;
    assert_eq!(ledger.depth("events").await, 1, "it waits");

    std::fs::remove_file(&database).expect("moved away, as the log says");
    ledger
        .until("it is open", async || {
            ledger.ctx.clock.advance(std::time::Duration::from_secs(1));
            blocked(&ledger).is_none()
        })
        .await;
    ledger.recorded().await;
    assert_eq!(leads(&ledger).await, 1);
    ledger.stop().await;
}

#[tokio::test]
async fn a_ledger_without_a_store_stops_when_asked() {
    without_store().await.stop().await;
}

#[tokio::test]
async fn a_second_ledger_on_the_same_store_ends_with_the_reason() {
    let ledger = Ledger::start().await;
    let second = Ctx { stop: Stop::default(), status: Status::default(), ..ledger.ctx.clone() };
    let error = leadrelay_ledger::run(second).await.expect_err("it is refused").to_string();
    assert!(error.contains("another leadrelay has the ledger"), "{error}");
    ledger.stop().await;
}

#[tokio::test]
async fn what_was_said_last_is_recorded_before_it_stops() {
    let ledger = Ledger::with("", Clock::real()).await;
    let events: Vec<_> = (0..1500).map(|n| accepted(1, &lead(n))).collect();
    ledger.publish(&events, &[]).await;
    let ledger = ledger.restart("").await;
    assert_eq!(ledger.depth("events").await, 0);
    let stats: Value = ledger.get("/api/v1/stats").await.ok();
    assert_eq!(stats["leads"]["accepted"], 1500);
}

#[tokio::test]
async fn a_second_ledger_on_the_same_files_says_why_it_ends() {
    let ledger = Ledger::start().await;
    let error = leadrelay_ledger::run(ledger.ctx.clone()).await.expect_err("a second one");
    assert!(error.to_string().contains("another leadrelay has the ledger"), "{error}");
}
