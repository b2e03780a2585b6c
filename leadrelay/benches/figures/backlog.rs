//! A million deliveries waiting: the accept rate, the memory and the start beside an empty queue.

use std::path::Path;

use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::delivery::Delivery;
use leadrelay_shared::queue::{Queue, Topic, embedded};

use crate::accept::rate;
use crate::flow::{memory, write_config};
use crate::process::Server;
use crate::{Figure, Wanted, say, stopwatch};

const WAITING: u64 = 1_000_000;
const LEADS: u64 = 15_000;
const ROUNDS: u64 = 5;

pub(crate) async fn with_a_million_waiting() -> Vec<Figure> {
    let full = tempfile::tempdir().expect("a directory");
    fill(&full.path().join("data/queue")).await;
    // Nobody listens there: the backlog stays.
    write_config(full.path(), "http://127.0.0.1:9/");

    let mut starts = Vec::new();
    for _ in 0..5 {
        let empty = tempfile::tempdir().expect("a directory");
        write_config(empty.path(), "http://127.0.0.1:9/");
        let relay = Server::start("relay", empty.path()).await;
        starts.push(relay.started_in);
        relay.stop().await;
    }
    let relay = Server::start("relay", full.path()).await;
    let start_full = relay.started_in;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let resident = relay.resident_mib();
    relay.stop().await;
    say(&format!(
        "backlog: start {:.3} s empty, {start_full:.3} s full; {resident:.0} MiB",
        stopwatch::median(starts.clone())
    ));

    vec![
        accepting(full.path()).await,
        memory("resident memory, a million waiting", resident, 150.0),
        seconds("start on an empty directory", stopwatch::median(starts), 0.3),
        seconds("start with a million waiting", start_full, 2.0),
    ]
}

async fn accepting(full: &Path) -> Figure {
    let empty = tempfile::tempdir().expect("a directory");
    let beside_nothing = Server::start("accept", empty.path()).await;
    let beside_a_million = Server::start("accept", full).await;
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let x = rate(&beside_nothing.door, round * LEADS, LEADS).await;
        let y = rate(&beside_a_million.door, round * LEADS, LEADS).await;
        say(&format!("backlog: round {round}: {x:.0}/s beside nothing, {y:.0}/s beside a million"));
        a.push(x);
        b.push(y);
        ratios.push(y / x);
    }
    beside_nothing.stop().await;
    beside_a_million.stop().await;
    Figure {
        what: "accept rate with a million waiting, against an empty queue",
        value: stopwatch::median(ratios),
        unit: "",
        wanted: Wanted::AtLeast(0.8),
        detail: format!("{:.0}/s against {:.0}/s, median of {ROUNDS}", stopwatch::median(b), stopwatch::median(a)),
    }
}

fn seconds(what: &'static str, value: f64, bound: f64) -> Figure {
    Figure { what, value, unit: " s", wanted: Wanted::AtMost(bound), detail: String::new() }
}

async fn fill(dir: &Path) {
    say("backlog: storing a million deliveries");
    let settings = embedded::Settings { dir: dir.to_owned(), max_size: 1 << 40, min_free: 0 };
    let queue = Queue::embedded(settings, Clock::real()).expect("a queue");
    let topic = Topic::deliver("partner");
    for batch in 0..WAITING / 500 {
        let messages = (0..500).map(|n| {
            let delivery = delivery(batch * 500 + n);
            topic.message(delivery.id.uuid(), &delivery)
        });
        queue.publish(messages.collect()).await.expect("stored");
    }
    queue.close().await;
}

fn delivery(n: u64) -> Delivery {
    let mut delivery = leadrelay_testkit::samples::delivery(n);
    delivery.destination = "partner".to_owned();
    delivery.accepted_at = Timestamp::UNIX_EPOCH;
    delivery
}
