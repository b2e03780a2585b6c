//! What all attempts at one destination share: slots, pauses, decisions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::control::Control;
use leadrelay_shared::error::ErrorKind;
use leadrelay_shared::event::Fact;
use leadrelay_shared::queue::Topic;

use super::{Act, Bench, delivery, now};

#[tokio::test]
async fn no_more_calls_than_slots() {
    let bench = Bench::one_by_one("concurrency = 3\n", |_, _| Act::Wait).await;
    bench.publish(0..12).await;
    while bench.script.most_running.load(Ordering::SeqCst) < 3 {
        tokio::task::yield_now().await;
    }
    for _ in 0..12 {
        bench.script.gate.add_permits(1);
        assert!(matches!(bench.fact().await, Fact::Delivered { .. }));
    }
    assert_eq!(bench.script.most_running.load(Ordering::SeqCst), 3);
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn a_refused_credential_pauses_at_once_and_burns_no_attempt() {
    let bench =
        Bench::one_by_one(
            "concurrency = 1\n",
            |_, n| if n < 2 { Act::Fail(ErrorKind::Unauthorized) } else { Act::Take },
        )
        .await;
    bench.publish(0..4).await;
    let mut facts = vec![bench.fact().await, bench.fact().await];
    facts.sort_by_key(|f| matches!(f, Fact::Deferred { .. }));
    assert!(matches!(&facts[0], Fact::Paused { .. }), "{facts:?}");
    assert!(matches!(&facts[1], Fact::Deferred { attempt: 0, .. }), "uncounted: {facts:?}");
    // The first probe fails as well: one attempt and no more, and then a longer pause.
    bench.clock.advance(Duration::from_secs(60));
    let facts = [bench.fact().await, bench.fact().await];
    assert!(facts.iter().any(|f| matches!(f, Fact::Paused { .. })), "{facts:?}");
    bench.clock.advance(Duration::from_secs(120));
    let mut delivered = 0;
    while delivered < 4 {
        match bench.fact().await {
            Fact::Delivered { attempt, .. } => {
                assert_eq!(attempt, 1, "the refusals were not counted");
                delivered += 1;
            }
            Fact::Resumed { .. } => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn one_probe_at_a_time_with_many_slots_and_late_failures_are_no_probes() {
    let refused = |_: &_, n| match n {
        0 | 16..19 => Act::Fail(ErrorKind::Unauthorized),
        1..16 => Act::FailLate(ErrorKind::Unauthorized),
        _ => Act::Take,
    };
    let bench = Bench::one_by_one("concurrency = 16\n", refused).await;
    bench.publish(0..24).await;
    let facts = [bench.fact().await, bench.fact().await];
    assert!(facts.iter().any(|f| matches!(f, Fact::Paused { .. })), "{facts:?}");
    // The pause is over while the other fifteen from before it still run: they end late, and are not its probes.
    bench.clock.advance(Duration::from_secs(60));
    bench.script.most_running.store(0, Ordering::SeqCst);
    bench.script.gate.add_permits(15);
    let (mut pauses, mut late) = (0, 0);
    while late < 16 || pauses < 1 {
        match bench.fact().await {
            Fact::Deferred { .. } => late += 1,
            Fact::Paused { .. } => pauses += 1,
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!((late, pauses), (16, 1), "fifteen and the one probe, which alone pauses");
    assert_eq!(bench.script.attempts.load(Ordering::SeqCst), 17);
    for (probes, seconds) in [(18, 120), (19, 240)] {
        bench.clock.advance(Duration::from_secs(seconds));
        let facts = [bench.fact().await, bench.fact().await];
        assert!(facts.iter().any(|f| matches!(f, Fact::Paused { .. })), "{facts:?}");
        assert_eq!(bench.script.attempts.load(Ordering::SeqCst), probes);
    }
    assert_eq!(bench.script.most_running.load(Ordering::SeqCst), 1, "one at a time");
    bench.finish().await;
}

#[tokio::test]
async fn an_operator_ends_a_pause_of_its_own_making() {
    let bench =
        Bench::one_by_one(
            "concurrency = 1\n",
            |_, n| if n == 0 { Act::Fail(ErrorKind::Misconfigured) } else { Act::Take },
        )
        .await;
    bench.publish(0..1).await;
    let facts = [bench.fact().await, bench.fact().await];
    assert!(facts.iter().any(|f| matches!(f, Fact::Paused { .. })), "{facts:?}");
    bench.queue.publish_control(Control { try_now: [("crm".to_owned(), now())].into(), ..Control::default() });
    let facts = [bench.fact().await, bench.fact().await];
    assert!(facts.iter().any(|f| matches!(f, Fact::Delivered { .. })), "no time was moved: {facts:?}");
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn an_operator_who_asks_for_the_fields_is_answered_at_once() {
    let bench = Bench::one_by_one("", |_, _| Act::Take).await;
    assert!(matches!(bench.any_fact().await, Fact::Checked { .. }), "it asks by itself at the start");
    let paused = [("crm".to_owned(), "being moved".to_owned())];
    for second in [1, 2] {
        let at = now().checked_add(jiff::SignedDuration::from_secs(second)).expect("a time");
        let check_now = [("crm".to_owned(), at)].into();
        bench.queue.publish_control(Control { paused: paused.clone().into(), check_now, ..Control::default() });
        let told = loop {
            match bench.any_fact().await {
                Fact::Paused { .. } => {}
                told => break told,
            }
        };
        let Fact::Checked { destination, unfit, error } = told else { panic!("{told:?}") };
        assert_eq!((destination.as_str(), unfit.len(), error), ("crm", 0, None), "no time was moved");
    }
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn an_erased_lead_is_not_delivered() {
    let bench = Bench::one_by_one("", |_, _| Act::Take).await;
    bench.queue.publish_control(Control { erased: [delivery(0).lead].into(), ..Control::default() });
    bench.publish(0..2).await;
    let Fact::Delivered { about, .. } = bench.fact().await else { panic!("not delivered") };
    assert_eq!(about.lead, delivery(1).lead);
    assert_eq!(bench.finish().await, 0);
}

#[tokio::test]
async fn what_is_in_flight_is_finished_when_draining_and_the_rest_waits() {
    let bench = Bench::one_by_one("concurrency = 2\n", |_, _| Act::Wait).await;
    bench.publish(0..5).await;
    while bench.script.most_running.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    bench.stop.drain();
    bench.script.gate.add_permits(5);
    let script = bench.script.clone();
    assert_eq!(bench.finish().await, 3, "two were in flight, and the other three wait");
    assert_eq!(script.delivered.lock().expect("records").len(), 2);
}

#[tokio::test]
async fn a_message_that_ends_its_holders_is_parked() {
    let dir = tempfile::tempdir().expect("a directory");
    let queue = super::queue(&dir, &Clock::manual(now()));
    let killer = delivery(0);
    queue.publish(vec![Topic::deliver("crm").message(killer.id.uuid(), &killer)]).await.expect("stored");
    queue.close().await;
    // As twenty processes leave it that ended while they held it.
    let database = rusqlite::Connection::open(dir.path().join("queue/queue.db")).expect("the database");
    database.execute("INSERT INTO claim (seq, times) SELECT seq, 20 FROM msg", []).expect("marked");
    drop(database);
    let bench = Bench::on::<1>(dir, "", |_, _| panic!("it must not be attempted")).await;
    let parked = bench.parked().await;
    assert_eq!(parked.reason.kind(), "crashed");
    assert_eq!(bench.finish().await, 0);
}
