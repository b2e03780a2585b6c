//! A crash between recording and settling: the events come again and change nothing.

use leadrelay_ledger::api::types::LeadDetail;

use crate::fixtures::*;
use crate::harness::Ledger;

#[tokio::test]
async fn a_crash_between_recording_and_settling_records_once() {
    let scenario = fail::FailScenario::setup();
    fail::cfg("ledger::after_record", "1*panic").expect("a failure point");
    let ledger = Ledger::start().await;
    let clock = ledger.ctx.clock.clone();
    let resend = event(5, leadrelay_shared::event::Fact::Duplicate { lead: lead_id(1), source: "addon".to_owned() });
    ledger.publish(&[accepted(1, &lead(1)), routed(2, 1, &["crm"], 0), delivered(3, 1, "crm", 0), resend], &[]).await;
    let (dir, outcome) = ledger.outcome().await;
    assert!(outcome.expect_err("a panic").is_panic());

    let ledger = Ledger::start_in(dir, clock).await;
    ledger.recorded().await;
    let detail: LeadDetail = ledger.get(&format!("/api/v1/leads/{}", lead_id(1))).await.ok();
    assert_eq!((detail.timeline.len(), detail.lead.duplicates), (4, 1));
    scenario.teardown();
}
