//! The spool, with a queue that takes nothing in the place of a broker that is away.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, test};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::event::Fact;
use leadrelay_shared::queue::embedded::Settings;
use leadrelay_shared::queue::{Health, Queue, QueueError, Topic};
use leadrelay_shared::service::{RunError, SpoolStatus, health};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Answer, Door, LEAD, SOURCES, loaded, manual, waiting};

/// What makes the door take its queue for a broker.
const BROKER: &str = "amqp://guest@localhost";
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a queue that stands for the broker.
fn broker(dir: &Path) -> Queue {
    let settings = Settings { dir: dir.join("broker"), max_size: 1 << 20, min_free: 0 };
    Queue::embedded(settings, Clock::real()).expect("a queue")
}

/// Fills it until it takes nothing.
async fn goes_away(queue: &Queue) {
    let filler = Topic::named("filler");
    for n in 0.. {
        match queue.publish(vec![filler.message(id(n), &"x".repeat(100_000))]).await {
            Ok(()) => assert!(n < 100, "1 MiB does not hold 10 MB"),
            Err(QueueError::Blocked(_)) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Empties it of that again, and waits until it takes messages.
async fn comes_back(queue: &Queue) {
    let mut carrier = queue.carrier("filler");
    while waiting(queue, "filler").await > 0 {
        for carried in carrier.next(100).await.expect("claims") {
            leadrelay_shared::queue::settle_all(vec![carried.handle], Vec::new()).await.expect("settled");
        }
    }
    queue.health().wait_for(|health| *health == Health::Ready).await.expect("an open queue");
}

fn id(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}

/// A door whose queue is configured to be a broker, and on real time.
async fn door(dir: &Arc<TempDir>, queue: Queue, text: &str) -> Result<Door, RunError> {
    let mut loaded = loaded(dir.path(), &format!("rate_limit = 100000\n{text}"));
    loaded.config.queue.url = BROKER.into();
    Door::start(dir.clone(), Clock::real(), loaded, queue).await
}

fn directory() -> Arc<TempDir> {
    Arc::new(TempDir::new().expect("a directory"))
}

async fn post(door: &Door, n: usize) -> Answer {
    door.post(LEAD.replace("Contoso Test", &format!("{n}"))).await
}

async fn spool(door: &Door) -> SpoolStatus {
    door.ctx.status.spool().await.expect("a spool")
}

/// Waits until the spool is empty.
async fn forwarded(door: &Door) {
    let emptied = async {
        while spool(door).await.waiting > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, emptied).await.expect("the spool is forwarded");
}

/// What the health port answers.
async fn asked(door: &Door, path: &str) -> (u16, String) {
    let app = test::init_service(App::new().configure(health::configure(door.ctx.clone()))).await;
    let answer = test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
    let status = answer.status().as_u16();
    (status, String::from_utf8(test::read_body(answer).await.to_vec()).expect("text"))
}

#[tokio::test]
async fn while_the_queue_is_away_leads_are_taken_and_then_forwarded_in_order() {
    let dir = directory();
    let queue = broker(dir.path());
    let door = door(&dir, queue.clone(), SOURCES).await.expect("it starts");
    post(&door, 0).await.id("accepted");
    assert_eq!(spool(&door).await, SpoolStatus { waiting: 0, blocked: None }, "the queue has it");
    goes_away(&queue).await;
    let mut told = Vec::new();
    for n in 1..=50 {
        told.push(post(&door, n).await.id("accepted"));
    }
    assert_eq!(post(&door, 7).await.id("duplicate"), told[6]);
    assert_eq!(waiting(&queue, "leads").await, 1);

    let (status, ready) = asked(&door, "/readyz").await;
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!((status, &ready["ready"]), (200, &true.into()), "{ready}");
    assert_eq!(ready["queue"]["state"], "blocked");
    assert_eq!(ready["spool"], serde_json::json!({"waiting": 51}));
    let (_, metrics) = asked(&door, "/metrics").await;
    assert!(metrics.contains("leadrelay_spool_messages 51\n"), "{metrics}");

    comes_back(&queue).await;
    forwarded(&door).await;
    let (_, metrics) = asked(&door, "/metrics").await;
    assert!(metrics.contains("leadrelay_spool_messages 0\n"), "{metrics}");
    for name in ["leadrelay_spool_stored_total", "leadrelay_spool_forwarded_total"] {
        let count = metrics.lines().find_map(|line| line.strip_prefix(name)).expect("a counter");
        assert!(count.trim().parse::<u64>().expect("a number") >= 51, "{name} {count}");
    }
    post(&door, 51).await.id("accepted");
    assert_eq!(spool(&door).await.waiting, 0, "the queue has it");
    let (leads, events) = door.finish().await;
    let ids: Vec<String> = leads.iter().map(|lead| lead.id.to_string()).collect();
    assert_eq!(ids.len(), 52);
    assert_eq!(ids[1..51], told, "in the order in which they came");
    assert!(matches!(events[..], [leadrelay_shared::event::Event { fact: Fact::Duplicate { .. }, .. }]), "{events:?}");
}

#[tokio::test]
async fn a_full_spool_is_503_and_not_ready_and_nothing_that_was_taken_is_lost() {
    let dir = directory();
    let queue = broker(dir.path());
    goes_away(&queue).await;
    let door =
        door(&dir, queue.clone(), &format!("{SOURCES}\n[queue]\nmax_size = \"600KiB\"")).await.expect("it starts");
    let large = async |n: usize| door.post(format!(r#"{{"Description":"{n}{}"}}"#, "x".repeat(50_000))).await;
    let mut taken = 0;
    let refused = loop {
        let answer = large(taken).await;
        if answer.status != reqwest::StatusCode::ACCEPTED {
            break answer;
        }
        taken += 1;
        assert!(taken < 100, "600 KiB do not hold 5 MB");
    };
    refused.problem(503);
    assert!(refused.headers["retry-after"].to_str().expect("text").parse::<u64>().expect("seconds") >= 1);
    assert!(taken > 2, "{taken}");
    let full = spool(&door).await;
    assert!(full.waiting == taken as u64 && full.blocked.expect("a reason").contains("max_size"));
    assert_eq!(asked(&door, "/readyz").await.0, 503);
    comes_back(&queue).await;
    forwarded(&door).await;
    large(taken).await.id("accepted");
    assert_eq!(asked(&door, "/readyz").await.0, 200);
    assert_eq!(door.finish().await.0.len(), taken + 1);
}

#[tokio::test]
async fn what_is_left_is_forwarded_at_the_next_start_whatever_the_queue_is_then() {
    let dir = directory();
    let queue = broker(dir.path());
    goes_away(&queue).await;
    for run in 0..2 {
        let door = door(&dir, queue.clone(), SOURCES).await.expect("it starts");
        assert_eq!(spool(&door).await.waiting, run * 10);
        for n in run * 10..run * 10 + 10 {
            post(&door, n as usize).await.id("accepted");
        }
        door.stop.drain();
        door.ended().await;
    }
    comes_back(&queue).await;
    // The user has gone back to the embedded queue meanwhile.
    let door = Door::start(dir.clone(), Clock::real(), loaded(dir.path(), SOURCES), queue.clone()).await;
    let door = door.expect("it starts");
    assert_eq!(door.ctx.status.spool().await, None, "it takes nothing");
    let all = async {
        while waiting(&queue, "leads").await < 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("they are forwarded");
    assert_eq!(door.finish().await.0.len(), 20);
}

#[tokio::test]
async fn without_a_spool_it_is_503() {
    let dir = directory();
    let queue = broker(dir.path());
    goes_away(&queue).await;
    let none = door(&dir, queue.clone(), &format!("spool = false\n{SOURCES}")).await.expect("it starts");
    post(&none, 1).await.problem(503);
    assert_eq!(none.ctx.status.spool().await, None);
    assert_eq!(asked(&none, "/readyz").await.0, 503);
    none.stop.drain();
    none.ended().await;

    std::fs::write(dir.path().join("data"), "a file where a directory is needed").expect("written");
    let broken = door(&dir, queue.clone(), SOURCES).await.expect("it starts");
    post(&broken, 1).await.problem(503);
    let reason = spool(&broken).await.blocked.expect("a reason");
    assert!(reason.contains("cannot use") && reason.contains("spool"), "{reason}");
    let (status, ready) = asked(&broken, "/readyz").await;
    assert!(status == 503 && ready.contains("cannot use"), "{ready}");
    comes_back(&queue).await;
    post(&broken, 1).await.id("accepted");
    assert_eq!(asked(&broken, "/readyz").await.0, 200, "the queue alone is enough");
    assert_eq!(broken.finish().await.0.len(), 1);
}

#[tokio::test]
async fn a_spool_that_cannot_be_opened_is_tried_again() {
    let dir = directory();
    let queue = broker(dir.path());
    goes_away(&queue).await;
    let data = dir.path().join("data");
    std::fs::write(&data, "a file where a directory is needed").expect("written");
    let clock = manual();
    let mut loaded = loaded(dir.path(), SOURCES);
    loaded.config.queue.url = BROKER.into();
    let door = Door::start(dir.clone(), clock.clone(), loaded, queue).await.expect("it starts");
    post(&door, 1).await.problem(503);
    std::fs::remove_file(&data).expect("removed");
    clock.advance(Duration::from_secs(30));
    let opened = async {
        while spool(&door).await.blocked.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.expect("it is opened");
    post(&door, 1).await.id("accepted");
    assert_eq!(spool(&door).await.waiting, 1);
    door.closed().await;
}

#[tokio::test]
async fn two_doors_on_one_directory_are_refused() {
    let dir = directory();
    let first = door(&dir, broker(dir.path()), SOURCES).await.expect("it starts");
    let other = TempDir::new().expect("a directory");
    let Err(error) = door(&dir, broker(other.path()), SOURCES).await else { panic!("it started") };
    let error = error.to_string();
    assert!(error.contains("in use by another leadrelay") && error.contains("data_dir"), "{error}");
    first.finish().await;
}
