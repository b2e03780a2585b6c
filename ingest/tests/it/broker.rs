//! The door and its spool on a real RabbitMQ that goes away in several ways: every sender is answered 202 in time, and
//! everything arrives.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{Health, Queue, Topic, settle_all};
use leadrelay_testkit::broker::{self, Broker, Wire};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::harness::{Answer, Door, LEAD, SOURCES, TOKEN, client, loaded};

const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What a sender waits at least: a confirm is waited for 5 s, and the spool's disk is quick.
const IN_TIME: Duration = Duration::from_secs(9);

/// A door whose queue is the broker at this URL.
async fn door(url: &str) -> Door {
    let dir = Arc::new(TempDir::new().expect("a directory"));
    let loaded = loaded(dir.path(), &format!("rate_limit = 100000\n{SOURCES}\n[queue]\nurl = \"{url}\"\n"));
    let queue = Queue::amqp(loaded.broker("leadrelay-ingest").expect("a broker"), Clock::real());
    Door::start(dir, Clock::real(), loaded, queue).await.expect("it starts")
}

async fn health(queue: &Queue, is: impl FnMut(&Health) -> bool) {
    let mut health = queue.health();
    tokio::time::timeout(PATIENCE, health.wait_for(is)).await.expect("its health changes").expect("it lives");
}

/// Posts leads at once, and fails unless each is answered 202 in time; their ids.
async fn post(door: &Door, range: std::ops::Range<u32>) -> BTreeSet<String> {
    let mut posting = JoinSet::new();
    for n in range {
        let request = client(None).post(door.url("addon", TOKEN)).body(LEAD.replace("Contoso Test", &n.to_string()));
        posting.spawn(async move {
            let sent = tokio::time::timeout(IN_TIME, request.send()).await.expect("in time");
            Answer::of(sent.expect("an answer")).await.id("accepted")
        });
    }
    posting.join_all().await.into_iter().collect()
}

async fn waiting(door: &Door) -> u64 {
    door.ctx.status.spool().await.expect("a spool").waiting
}

/// Waits until the spool is empty, and takes what is on the broker: every one of these leads is there.
async fn arrived(door: Door, wanted: &BTreeSet<String>) {
    let mut found = BTreeSet::new();
    let mut carrier = door.queue.carrier(Topic::leads().name());
    let all = async {
        while !found.is_superset(wanted) || waiting(&door).await > 0 {
            // The last may be here before the spool knows that the broker has it.
            let batch = tokio::time::timeout(LOOK_AGAIN, carrier.next(100)).await.unwrap_or_else(|_| Ok(Vec::new()));
            for carried in batch.expect("an open queue") {
                found.insert(carried.message.id().to_string());
                // Lost with a connection, it comes again.
                let _ = settle_all(vec![carried.handle], Vec::new()).await;
            }
        }
    };
    let all = tokio::time::timeout(PATIENCE, all).await;
    assert!(all.is_ok(), "{} of {} arrived", found.len(), wanted.len());
    assert_eq!(found.len(), wanted.len(), "and no other");
    door.stop.drain();
    door.ended().await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_started_again() {
    let broker = Broker::start().await;
    let door = door(&broker.url("/")).await;
    health(&door.queue, |health| *health == Health::Ready).await;
    let mut ids = post(&door, 0..20).await;
    assert_eq!(waiting(&door).await, 0, "the broker has them");
    broker.kill();
    ids.extend(post(&door, 20..120).await);
    assert_eq!(waiting(&door).await, 100);
    broker.start_again().await;
    // While the spool is forwarded.
    ids.extend(post(&door, 120..140).await);
    arrived(door, &ids).await;
    assert_eq!(ids.len(), 140);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_on_which_nothing_moves_any_more() {
    let broker = broker::shared().await;
    let wire = Wire::to(SocketAddr::from(([127, 0, 0, 1], broker.port()))).await;
    let url = format!("amqp://guest:guest@{}/{}", wire.address(), broker.vhost().await);
    let door = door(&url).await;
    health(&door.queue, |health| *health == Health::Ready).await;
    let mut ids = post(&door, 0..10).await;
    wire.freeze();
    // The broker says nothing, so the first of them wait for it, and are kept all the same.
    ids.extend(post(&door, 10..30).await);
    let started = door.clock.monotonic();
    ids.extend(post(&door, 30..60).await);
    assert!(door.clock.monotonic() - started < Duration::from_secs(3), "those that follow do not wait");
    assert_eq!(waiting(&door).await, 50);
    wire.mend();
    arrived(door, &ids).await;
    assert_eq!(ids.len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_held_back() {
    let broker = broker::shared().await;
    let wire = Wire::to(SocketAddr::from(([127, 0, 0, 1], broker.port()))).await;
    let url = format!("amqp://guest:guest@{}/{}", wire.address(), broker.vhost().await);
    let door = door(&url).await;
    health(&door.queue, |health| *health == Health::Ready).await;
    wire.hold_answers();
    // The broker has them and its confirms do not come: they go into the spool too, under the same ids.
    let ids = post(&door, 0..20).await;
    assert_eq!(waiting(&door).await, 20);
    wire.mend();
    arrived(door, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_full_by_policy() {
    let broker = broker::shared().await;
    let vhost = broker.vhost().await;
    let door = door(&broker.url(&vhost)).await;
    health(&door.queue, |health| *health == Health::Ready).await;
    let mut ids = post(&door, 0..5).await;
    broker.policy(&vhost, "full", "leads$", json!({"max-length": 3})).await;
    let full = async {
        for n in 100.. {
            ids.extend(post(&door, n..n + 1).await);
            if waiting(&door).await > 0 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, full).await.expect("the broker refuses one");
    assert_eq!(*door.queue.health().borrow(), Health::Ready, "the connection is sound");
    ids.extend(post(&door, 5..30).await);
    // Not deleted: the broker then goes on refusing on the channels that it has refused on.
    broker.policy(&vhost, "full", "leads$", json!({"max-length": 10_000})).await;
    arrived(door, &ids).await;
}
