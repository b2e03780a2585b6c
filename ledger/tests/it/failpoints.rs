//! A crash between recording and settling: the events come again and change nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use leadrelay_ledger::api::types::LeadDetail;

use crate::fixtures::*;
use crate::harness::Ledger;

#[tokio::test]
async fn a_crash_between_recording_and_settling_records_once() {
    crash_once_in_this_thread("ledger::after_record");
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
    fail::remove("ledger::after_record");
}

/// Failure points are the whole process's, and other tests run beside this one on threads of their own.
fn crash_once_in_this_thread(point: &str) {
    let (this, armed) = (std::thread::current().id(), AtomicBool::new(true));
    fail::cfg_callback(point, move || {
        if std::thread::current().id() == this && armed.swap(false, Ordering::Relaxed) {
            panic!("a crash on purpose");
        }
    })
    .expect("a failure point");
}
