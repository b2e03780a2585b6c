//! A crash between recording and settling: the ledger begins again, and the events come again and change nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leadrelay_ledger::api::types::LeadDetail;
use leadrelay_shared::service::State;

use super::Ledger;
use crate::fixtures::*;
use crate::harness::FAILURE_POINTS;

#[tokio::test]
async fn a_crash_between_recording_and_settling_records_once() {
    let _alone = FAILURE_POINTS.lock().await;
    crash_once_in_this_thread("ledger::after_record");
    let ledger = Ledger::start().await;
    let resend = event(5, leadrelay_shared::event::Fact::Duplicate { lead: lead_id(1), source: "addon".to_owned() });
    ledger.publish(&[accepted(1, &lead(1)), routed(2, 1, &["crm"], 0), delivered(3, 1, "crm", 0), resend], &[]).await;
    ledger
        .until("it says that it failed", async || {
            matches!(ledger.ctx.status.parts().get("ledger"), Some(State::Blocked(reason)) if reason.contains("unexpected"))
        })
        .await;
    assert_eq!(ledger.depth("events").await, 1, "nothing was settled; what was told at once is one message");
    ledger
        .until("it works again", async || {
            ledger.ctx.clock.advance(Duration::from_secs(1));
            ledger.ctx.status.parts().get("ledger") == Some(&State::Ready)
        })
        .await;
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
