//! Several processes on one broker, as several queues stand for them.

use std::collections::BTreeSet;

use leadrelay_shared::control::Control;
use leadrelay_shared::queue::QueueError;

use super::opener::{on_a_wire, open, works};
use crate::queue::harness::{claim, claim_one, drain, messages, numbers, soon, stats_of, topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_reach_every_other_process() {
    let (vhost, ledger) = open(&[]).await;
    let (worker, _wire) = on_a_wire(&vhost).await;
    let mut told = worker.control();
    assert!(told.borrow().is_none());
    for reason in ["the key is being changed", "and changed again"] {
        let mut control = Control::default();
        control.paused.insert("crm".to_owned(), reason.to_owned());
        ledger.publish_control(control.clone());
        soon(told.wait_for(|now| now.as_deref() == Some(&control))).await.expect("the queue lives");
        assert_eq!(ledger.control().borrow().as_deref(), Some(&control), "the teller knows it at once");
    }
    ledger.close().await;
    worker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_ahead_goes_to_others_when_its_consumer_rests() {
    let (vhost, one) = open(&[]).await;
    let (two, _wire) = on_a_wire(&vhost).await;
    let crm = topic("deliver.crm");
    one.publish(messages(&crm, 0..30)).await.expect("published");
    let mut hoarding = one.claims(&crm).ahead(30);
    let first = claim_one(&mut hoarding).await;
    while stats_of(&one, &crm).await.claimed < 30 {
        tokio::task::yield_now().await;
    }
    hoarding.rest();
    let others = claim(&mut two.claims(&crm), 29).await;
    assert!(others.iter().all(|c| c.redelivered() == 0), "resting is not ending");
    let mut all = numbers(&others);
    assert!(all.insert(crate::queue::harness::number(&first)), "what is claimed stays claimed");
    assert_eq!(all, (0..30).collect());
    for claim in others.into_iter().chain([first]) {
        claim.settle(Vec::new()).await.expect("settled");
    }
    one.close().await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_again_and_what_was_claimed_comes_again() {
    let (vhost, steady) = open(&[]).await;
    let (queue, wire) = on_a_wire(&vhost).await;
    let leads = topic("leads");
    queue.publish(messages(&leads, 0..5)).await.expect("published");
    let mut claims = queue.claims(&leads);
    let held = claim_one(&mut claims).await;
    wire.cut();
    let mut health = queue.health();
    soon(health.wait_for(|h| *h != leadrelay_shared::queue::Health::Ready)).await.expect("it is noticed");
    let refused = queue.publish(messages(&leads, [9])).await;
    assert!(matches!(refused, Err(QueueError::Blocked(_))), "at once, and none was stored: {refused:?}");
    assert_eq!(held.settle(Vec::new()).await, Err(QueueError::Lost));
    wire.mend();
    works(&queue).await;
    queue.publish(messages(&leads, 5..8)).await.expect("published");
    // The same consumer goes on.
    let claimed = claim(&mut claims, 8).await;
    assert_eq!(numbers(&claimed), (0..8).collect::<BTreeSet<_>>());
    for claim in claimed {
        claim.settle(Vec::new()).await.expect("settled");
    }
    queue.close().await;
    steady.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_and_consumers_lose_nothing_while_connections_are_cut() {
    const EACH: u32 = 500;
    let (vhost, checker) = open(&["events"]).await;
    let (queue, wire) = on_a_wire(&vhost).await;
    let (leads, events) = (topic("leads"), topic("events"));
    let publishing: Vec<_> = (0..4)
        .map(|p| {
            let (queue, leads) = (queue.clone(), leads.clone());
            tokio::spawn(async move {
                for n in p * EACH..(p + 1) * EACH {
                    while queue.publish(messages(&leads, [n])).await.is_err() {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    let passing = tokio::spawn({
        let (queue, leads, events) = (queue.clone(), leads.clone(), events.clone());
        async move {
            let mut claims = queue.claims(&leads).ahead(64);
            while let Ok(claimed) = claims.next(16).await {
                for claim in claimed {
                    let n = crate::queue::harness::number(&claim);
                    // A failure means that it comes again.
                    let _ = claim.settle(messages(&events, [n])).await;
                }
            }
        }
    });
    for _ in 0..4 {
        let before = stats_of(&checker, &events).await.ready;
        while stats_of(&checker, &events).await.ready < before + 200 {
            tokio::task::yield_now().await;
        }
        wire.cut();
        wire.mend();
    }
    for one in publishing {
        soon(one).await.expect("every message is stored in the end");
    }
    let mut seen = BTreeSet::new();
    let mut claims = checker.claims(&events).ahead(200);
    while seen.len() < (4 * EACH) as usize {
        for claim in soon(claims.next(100)).await.expect("the queue is open") {
            seen.insert(crate::queue::harness::number(&claim));
            claim.settle(Vec::new()).await.expect("settled");
        }
    }
    passing.abort();
    queue.close().await;
    // Copies may be left; whatever is, has been seen.
    while stats_of(&checker, &events).await.total() > 0 {
        assert!(seen.is_superset(&drain(&checker, &events, 1).await));
    }
    checker.close().await;
}
