//! The process ends at a named point, and starts again: whatever was answered 2xx arrives.

use std::os::unix::process::ExitStatusExt;

use leadrelay_testkit::samples::lead_json;

use crate::support::partner::Partner;
use crate::support::poster::{self, Answer};
use crate::support::process::Process;
use crate::support::world::{self, World};

const LEADS: u64 = 200;

/// Lets the point pass `times` times, and ends the process the next time.
async fn crossed(point: &str, times: u32) {
    let receiver = Partner::start(world::SECRET).await;
    let dir = world::directory(&receiver.url(), world::ALL_TO_PARTNER);
    let plan = format!("{point}={times}*off->return");
    let mut relay = Process::start(dir.path(), &[("FAILPOINTS", &plan)]);
    let door = relay.door().await;
    let answers = poster::post(&door, 8, 0..LEADS, lead_json).await;
    let status = relay.ended().await;
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{point}: the point was reached and ended the process: {status}");

    let mut relay = Process::start(dir.path(), &[]);
    relay.door().await;
    let acked: Vec<String> = answers.iter().filter(|a| a.status == 202).filter_map(Answer::id).collect();
    for id in &acked {
        let delivery = World::delivery(id, "partner");
        world::eventually(&format!("{point}: lead {id} arrives"), async || receiver.has(&delivery)).await;
    }
    relay.finish(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_commit() {
    crossed("queue::before_commit", 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_commit_and_before_its_answers() {
    crossed("queue::after_commit", 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_a_batch() {
    crossed("queue::mid_batch", 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_claim() {
    crossed("queue::after_claim", 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_effect_and_before_it_is_settled() {
    crossed("worker::before_settle", 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_ledger_has_written_and_before_it_settles() {
    crossed("ledger::after_record", 1).await;
}
