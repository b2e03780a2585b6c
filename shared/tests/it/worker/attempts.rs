//! One attempt, whatever the connector does.

use std::time::Duration;

use leadrelay_shared::error::ErrorKind;
use leadrelay_shared::event::Fact;

use super::{Act, Bench};

fn deferred(fact: Fact) -> (ErrorKind, u32) {
    match fact {
        Fact::Deferred { error, attempt, .. } => (error.kind, attempt),
        other => panic!("not deferred: {other:?}"),
    }
}

#[tokio::test]
async fn a_panic_is_one_failed_attempt_and_kills_nobody() {
    let bench = Bench::one_by_one("", |_, n| if n == 0 { Act::Panic } else { Act::Take }).await;
    bench.publish(0..1).await;
    assert_eq!(deferred(bench.fact().await), (ErrorKind::Unexpected, 1));
    bench.clock.advance(Duration::from_secs(6));
    assert!(matches!(bench.fact().await, Fact::Delivered { attempt: 2, .. }));
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn an_attempt_that_hangs_is_uncertain_and_made_again() {
    let bench = Bench::one_by_one("timeout = \"10s\"\n", |_, n| if n == 0 { Act::Hang } else { Act::Take }).await;
    bench.publish(0..1).await;
    // The attempt is under way when the connector has counted it; only then does its time begin.
    while bench.script.most_running.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    bench.clock.advance(Duration::from_secs(16));
    assert_eq!(deferred(bench.fact().await), (ErrorKind::Uncertain, 1));
    bench.clock.advance(Duration::from_secs(6));
    assert!(matches!(bench.fact().await, Fact::Delivered { attempt: 2, .. }));
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn of_a_call_only_the_items_concerned_fail() {
    let bench = Bench::batched("concurrency = 1\n", |d, _| match d.record["n"].as_u64() {
        Some(2) => Act::Fail(ErrorKind::Rejected),
        _ => Act::Take,
    })
    .await;
    bench.publish(0..5).await;
    let mut kinds = [0, 0];
    for _ in 0..5 {
        match bench.fact().await {
            Fact::Delivered { .. } => kinds[0] += 1,
            Fact::Parked { .. } => kinds[1] += 1,
            other => panic!("neither: {other:?}"),
        }
    }
    assert_eq!(kinds, [4, 1]);
    assert_eq!(bench.parked().await.reason.kind(), "rejected");
    assert_eq!(*bench.script.calls.lock().expect("calls"), [5], "they went in one call");
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn what_comes_while_a_call_is_made_goes_together_and_what_comes_alone_goes_at_once() {
    let bench = Bench::batched("concurrency = 1\n", |_, _| Act::Wait).await;
    bench.publish(0..1).await;
    while bench.script.most_running.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // One by one, as they do behind a busy door; claimed ahead, each would be a call of its own.
    for n in 1..12 {
        bench.publish(n..n + 1).await;
    }
    bench.script.gate.add_permits(12);
    for _ in 0..12 {
        assert!(matches!(bench.fact().await, Fact::Delivered { .. }));
    }
    assert_eq!(*bench.script.calls.lock().expect("calls"), [1, 5, 5, 1]);
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn a_lead_that_meets_a_lock_waits_by_itself() {
    let bench = Bench::one_by_one("concurrency = 1\n[destinations.crm.retry]\npause_after = 1\n", |_, n| {
        if n == 0 { Act::Fail(ErrorKind::Contended) } else { Act::Take }
    })
    .await;
    bench.publish(0..2).await;
    assert_eq!(deferred(bench.fact().await), (ErrorKind::Contended, 1));
    assert!(matches!(bench.fact().await, Fact::Delivered { attempt: 1, .. }), "the other is not kept waiting");
    bench.clock.advance(Duration::from_secs(5));
    assert!(matches!(bench.fact().await, Fact::Delivered { attempt: 2, .. }), "soon, and not after a pause");
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn a_value_too_long_is_cut_for_the_destination_and_kept_in_the_queue() {
    let bench = Bench::one_by_one("", |_, n| if n == 0 { Act::Fail(ErrorKind::Unavailable) } else { Act::Take }).await;
    let mut long = super::delivery(1);
    long.record["lastname"] = "Abcdefghijklmnop".into();
    let topic = leadrelay_shared::queue::Topic::deliver("crm");
    bench.queue.publish(vec![topic.message(long.id.uuid(), &long)]).await.expect("stored");
    deferred(bench.fact().await);
    bench.clock.advance(Duration::from_secs(6));
    let Fact::Delivered { notes, .. } = bench.fact().await else { panic!("not delivered") };
    assert_eq!(notes.len(), 1, "the second attempt was cut from the whole value too: {notes:?}");
    assert_eq!(bench.script.delivered.lock().expect("records")[0].record["lastname"], "Abcdefghi…");
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn a_value_too_long_is_parked_where_that_is_wanted() {
    let bench = Bench::one_by_one("too_long = \"park\"\n", |_, _| Act::Take).await;
    let mut long = super::delivery(1);
    long.record["lastname"] = "Abcdefghijklmnop".into();
    let topic = leadrelay_shared::queue::Topic::deliver("crm");
    bench.queue.publish(vec![topic.message(long.id.uuid(), &long)]).await.expect("stored");
    let parked = bench.parked().await;
    assert_eq!(parked.reason.kind(), "too_long");
    assert!(bench.script.delivered.lock().expect("records").is_empty());
    assert_eq!(bench.finish().await, 0);
}
