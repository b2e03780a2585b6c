//! Deliveries that nobody takes any more.

use std::time::Duration;

use leadrelay_ledger::api::types::LeadDetail;
use leadrelay_shared::event::{Fact, PauseCause};
use leadrelay_shared::queue::Topic;

use super::Ledger;
use crate::fixtures::{accepted, delivery, down, event, lead, lead_id, routed};

/// Lets minutes pass, one by one.
async fn minutes(ledger: &Ledger, count: u32) {
    for _ in 0..count {
        ledger.ctx.clock.advance(Duration::from_mins(1));
        ledger.depth("deliver.old").await;
    }
}

/// A ledger that knows a lead with a delivery to each of these, all of which wait.
async fn ledger_with(names: &[&str]) -> Ledger {
    let ledger = Ledger::start().await;
    ledger.tell(&[accepted(1, &lead(1)), routed(2, 1, names, 0)], &[]).await;
    for name in names {
        let waiting = delivery(1, name, 0);
        let message = Topic::deliver(name).message(waiting.id.uuid(), &waiting);
        ledger.ctx.queue.publish(vec![message]).await.expect("published");
    }
    ledger
}

/// Waits until what waited for a destination is parked.
async fn parked(ledger: &Ledger, name: &str) {
    let parked = async || {
        minutes(ledger, 1).await;
        ledger.depth(&format!("deliver.{name}")).await == 0
    };
    ledger.until("it is parked", parked).await;
    ledger.recorded().await;
}

#[tokio::test]
async fn deliveries_to_a_destination_that_is_gone_are_parked_and_others_are_not() {
    let ledger = ledger_with(&["old", "crm"]).await;
    minutes(&ledger, 5).await;
    assert_eq!(ledger.depth("deliver.old").await, 1, "it may be new and not gone");
    parked(&ledger, "old").await;
    let detail: LeadDetail = ledger.get(&format!("/api/v1/leads/{}", lead_id(1))).await.ok();
    let last = detail.timeline.last().expect("a story");
    assert!(last.text.starts_with("parked: there is no destination old any more"), "{}", last.text);
    assert_eq!(ledger.depth("deliver.crm").await, 1);
}

#[tokio::test]
async fn what_waits_for_a_paused_destination_is_left_alone() {
    let ledger = ledger_with(&["old", "paused"]).await;
    let cause = PauseCause::Failing { error: down() };
    ledger.tell(&[event(3, Fact::Paused { destination: "paused".to_owned(), cause, until: None })], &[]).await;
    parked(&ledger, "old").await;
    assert_eq!(ledger.depth("deliver.paused").await, 1);
}
