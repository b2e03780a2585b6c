//! What stands on the broker, asked of the broker itself.

use std::collections::BTreeMap;
use std::time::Duration;

use leadrelay_testkit::broker;
use serde_json::{Value, json};

use super::opener::open;
use crate::queue::harness::{message, messages, topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_queue_and_exchange_has_exactly_these_arguments() {
    let (vhost, queue) = open(&["leads", "events", "deliver.crm"]).await;
    queue.close().await;
    let queues = broker::shared().await.api("GET", &format!("/api/queues/{vhost}"), None).await;
    let ours = |q: &&Value| q["name"].as_str().is_some_and(|n| n.starts_with("leadrelay."));
    let told: BTreeMap<&str, String> = queues
        .as_array()
        .expect("queues")
        .iter()
        .filter(ours)
        .map(|q| {
            let flags = (&q["durable"], &q["auto_delete"], &q["exclusive"]);
            assert_eq!(flags, (&json!(true), &json!(false), &json!(false)), "{}", q["name"]);
            (q["name"].as_str().expect("a name"), q["arguments"].to_string())
        })
        .collect();
    insta::assert_debug_snapshot!(told, @r##"
{
    "leadrelay.v1.dead": "{\"x-delivery-limit\":100000,\"x-overflow\":\"reject-publish\",\"x-queue-type\":\"quorum\"}",
    "leadrelay.v1.delay.200": "{\"x-dead-letter-exchange\":\"leadrelay.v1.topics\",\"x-dead-letter-strategy\":\"at-least-once\",\"x-message-ttl\":200,\"x-overflow\":\"reject-publish\",\"x-queue-type\":\"quorum\"}",
    "leadrelay.v1.delay.2000": "{\"x-dead-letter-exchange\":\"leadrelay.v1.topics\",\"x-dead-letter-strategy\":\"at-least-once\",\"x-message-ttl\":2000,\"x-overflow\":\"reject-publish\",\"x-queue-type\":\"quorum\"}",
    "leadrelay.v1.delay.500": "{\"x-dead-letter-exchange\":\"leadrelay.v1.topics\",\"x-dead-letter-strategy\":\"at-least-once\",\"x-message-ttl\":500,\"x-overflow\":\"reject-publish\",\"x-queue-type\":\"quorum\"}",
    "leadrelay.v1.topic.deliver.crm": "{\"x-dead-letter-exchange\":\"leadrelay.v1.dead\",\"x-dead-letter-strategy\":\"at-least-once\",\"x-delivery-limit\":100,\"x-overflow\":\"reject-publish\",\"x-queue-type\":\"quorum\"}",
    "leadrelay.v1.topic.events": "{\"x-delivery-limit\":100000,\"x-overflow\":\"reject-publish\",\"x-queue-type\":\"quorum\"}",
    "leadrelay.v1.topic.leads": "{\"x-dead-letter-exchange\":\"leadrelay.v1.dead\",\"x-dead-letter-strategy\":\"at-least-once\",\"x-delivery-limit\":100,\"x-overflow\":\"reject-publish\",\"x-queue-type\":\"quorum\"}",
    "leadrelay.v1.unrouted": "{\"x-delivery-limit\":100000,\"x-overflow\":\"reject-publish\",\"x-queue-type\":\"quorum\"}",
}
"##);
    let exchanges = broker::shared().await.api("GET", &format!("/api/exchanges/{vhost}"), None).await;
    let told: BTreeMap<&str, String> = exchanges
        .as_array()
        .expect("exchanges")
        .iter()
        .filter(ours)
        .map(|e| (e["name"].as_str().expect("a name"), format!("{} {}", e["type"], e["arguments"])))
        .collect();
    insta::assert_debug_snapshot!(told, @r##"
{
    "leadrelay.v1.control": "\"fanout\" {}",
    "leadrelay.v1.dead": "\"fanout\" {}",
    "leadrelay.v1.delay.200": "\"fanout\" {}",
    "leadrelay.v1.delay.2000": "\"fanout\" {}",
    "leadrelay.v1.delay.500": "\"fanout\" {}",
    "leadrelay.v1.topics": "\"direct\" {\"alternate-exchange\":\"leadrelay.v1.unrouted\"}",
    "leadrelay.v1.unrouted": "\"fanout\" {}",
}
"##);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_to_a_deleted_queue_is_kept_among_the_strays() {
    let (vhost, queue) = open(&[]).await;
    let gone = topic("deliver.gone");
    queue.publish(vec![message(&gone, 1)]).await.expect("published");
    let path = format!("/api/queues/{vhost}/leadrelay.v1.topic.deliver.gone");
    broker::shared().await.api("DELETE", &path, None).await;
    queue.publish(vec![message(&gone, 2)]).await.expect("it is stored, although there is no queue for it");
    let strays = topic("unrouted");
    let stray = crate::queue::harness::claim_one(&mut queue.claims(&strays)).await;
    assert_eq!((stray.published_to(), stray.body().as_str()), ("deliver.gone", "2"));
    stray.settle(messages(&gone, [2])).await.expect("settled");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_stores_nothing() {
    let (vhost, queue) = open(&["leads"]).await;
    let shared = broker::shared().await;
    shared.policy(&vhost, "full", "^leadrelay.v1.topic.leads$", json!({"max-length": 3})).await;
    let leads = topic("leads");
    let mut stored = Vec::new();
    for n in 0..40 {
        match queue.publish(vec![message(&leads, n)]).await {
            Ok(()) => stored.push(n),
            Err(leadrelay_shared::queue::QueueError::Blocked(reason)) => assert!(reason.contains("limit"), "{reason}"),
            Err(other) => panic!("a refusal is told as one: {other}"),
        }
    }
    assert!((3..40).contains(&stored.len()), "{} of 40 were stored", stored.len());
    let found = crate::queue::harness::drain(&queue, &leads, stored.len()).await;
    assert_eq!(found, stored.into_iter().collect(), "what was confirmed, and nothing else");
    crate::queue::harness::assert_none_ready(&queue, &leads).await;
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_whose_limit_is_taken_away_takes_messages_again() {
    let (vhost, queue) = open(&["leads"]).await;
    let shared = broker::shared().await;
    shared.policy(&vhost, "full", "^leadrelay.v1.topic.leads$", json!({"max-length": 3})).await;
    let leads = topic("leads");
    let (mut stored, mut refused) = (0, 0);
    // Each of the publisher's channels is refused.
    while refused < 16 {
        match queue.publish(vec![message(&leads, stored + refused)]).await {
            Ok(()) => stored += 1,
            Err(_) => refused += 1,
        }
        assert!(stored < 40, "the limit is in force");
    }
    shared.api("DELETE", &format!("/api/policies/{vhost}/full"), None).await;
    let mut in_a_row = 0;
    let taken = async {
        while in_a_row < 16 {
            if queue.publish(vec![message(&leads, stored)]).await.is_ok() {
                (stored, in_a_row) = (stored + 1, in_a_row + 1);
            } else {
                in_a_row = 0;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), taken).await.expect("it takes messages again");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_crashes_its_holders_again_and_again_ends_among_the_dead() {
    let (vhost, queue) = open(&["deliver.crm"]).await;
    let shared = broker::shared().await;
    shared.policy(&vhost, "soon", "^leadrelay.v1.topic.deliver", json!({"delivery-limit": 2})).await;
    let crm = topic("deliver.crm");
    queue.publish(vec![message(&crm, 1)]).await.expect("published");
    queue.close().await;
    for ends in 0..3 {
        let (queue, wire) = super::opener::on_a_wire(&vhost).await;
        let claim = crate::queue::harness::claim_one(&mut queue.claims(&crm)).await;
        assert_eq!(claim.redelivered(), ends);
        wire.cut();
        drop((claim, queue));
    }
    let (queue, _wire) = super::opener::on_a_wire(&vhost).await;
    let dead = crate::queue::harness::claim_one(&mut queue.claims(&topic("dead"))).await;
    assert_eq!((dead.published_to(), dead.body().as_str()), ("deliver.crm", "1"));
    drop(dead);
    let dead = crate::queue::harness::claim_one(&mut queue.claims(&topic("dead"))).await;
    assert_eq!((dead.published_to(), dead.body().as_str()), ("deliver.crm", "1"), "it does not go among workers again");
    dead.settle(Vec::new()).await.expect("settled");
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_deleted_under_its_consumer_is_made_again() {
    let (vhost, queue) = open(&[]).await;
    let crm = topic("deliver.crm");
    let mut claims = queue.claims(&crm);
    queue.publish(vec![message(&crm, 1)]).await.expect("published");
    let before = crate::queue::harness::claim_one(&mut claims).await;
    before.settle(Vec::new()).await.expect("settled");
    broker::shared().await.api("DELETE", &format!("/api/queues/{vhost}/leadrelay.v1.topic.deliver.crm"), None).await;
    let unrouted = topic("unrouted");
    let mut strays = queue.claims(&unrouted);
    let arriving = async {
        loop {
            // What comes into a queue that is being deleted goes with it.
            queue.publish(vec![message(&crm, 2)]).await.expect("published");
            tokio::select! {
                next = claims.next(1) => break next.expect("the queue is open").remove(0),
                stray = strays.next(1) => {
                    let stray = stray.expect("the queue is open").remove(0);
                    stray.settle(vec![message(&crm, 2)]).await.expect("settled");
                }
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        }
    };
    let next = tokio::time::timeout(Duration::from_secs(60), arriving).await.expect("it arrives");
    assert_eq!(next.body(), "2");
    next.settle(Vec::new()).await.expect("settled");
    queue.close().await;
}
