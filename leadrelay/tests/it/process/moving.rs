//! `leadrelay queue move` against a real RabbitMQ, ended in the middle in each direction.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{Carried, Health, Message, Queue, Topic, embedded};
use leadrelay_testkit::broker;

use crate::support::world;

const COUNT: u32 = 4000;
/// What a move has on its way at most, and so what comes twice at most when it is ended.
const BATCH: usize = 256;
const TOPICS: [&str; 4] = ["leads", "events", "parked", "deliver.partner"];
/// Lets some batches pass, and ends the process between the one queue and the other.
const KILL: &[(&str, &str)] = &[("FAILPOINTS", "move::between=5*off->return")];

/// A directory with a configuration, whose broker is a virtual host of its own.
async fn directory() -> tempfile::TempDir {
    let broker = broker::shared().await;
    let url = broker.url(&broker.vhost().await);
    world::directory("http://127.0.0.1:9", &format!("[queue]\nurl = \"{url}\"\n"))
}

fn leadrelay(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadrelay"));
    command.args(args).args(["--config", "leadrelay.toml"]).current_dir(dir).envs(variables.iter().copied());
    command.output().expect("it runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn queue(dir: &Path) -> Queue {
    let settings = embedded::Settings { dir: dir.join("data/queue"), max_size: 1 << 40, min_free: 0 };
    Queue::embedded(settings, Clock::real()).expect("a queue")
}

/// Messages over all topics, a third of which wait for a time between one minute and a day.
fn messages() -> Vec<Message> {
    let now = Clock::real().now();
    let message = |n: u32| {
        let id = format!("{n:032x}").parse().expect("an id");
        let message = Topic::<u32>::named(TOPICS[n as usize % TOPICS.len()]).message(id, &n);
        if n.is_multiple_of(3) {
            message.not_before(now + Duration::from_secs(60 + u64::from(n) * 21))
        } else {
            message
        }
    };
    (0..COUNT).map(message).collect()
}

/// Everything in the queue, by id: where, when, and how often.
async fn taken(queue: &Queue) -> BTreeMap<String, (String, Option<Timestamp>, usize)> {
    let removal = queue.removal().await.expect("it begins");
    // Held until the end, so that nothing comes again.
    let mut all: Vec<Carried> = Vec::new();
    for (place, count) in removal.left().await.expect("an answer") {
        let (mut carrier, before) = (removal.carrier(&place), all.len());
        while all.len() < before + usize::try_from(count).expect("few") {
            all.extend(carrier.next(BATCH).await.expect("claimed"));
        }
    }
    let mut by_id = BTreeMap::new();
    for message in all.into_iter().map(|carried| carried.message) {
        let new = (message.topic().to_owned(), message.due(), 0);
        by_id.entry(message.id().to_string()).or_insert(new).2 += 1;
    }
    by_id
}

/// Moves in one direction: ended once in the middle, and then to the end.
fn moved(dir: &Path, direction: &[&str]) {
    let args = [&["queue", "move"], direction].concat();
    let killed = leadrelay(dir, &args, KILL);
    assert_eq!(killed.status.signal(), Some(libc::SIGABRT), "{}", text(&killed));
    let rest = leadrelay(dir, &[&args[..], &["--json"]].concat(), &[]);
    assert!(rest.status.success(), "{}", text(&rest));
    let told: serde_json::Value = serde_json::from_slice(&rest.stdout).expect("JSON");
    let (messages, delayed) = (told["messages"].as_u64().expect("a number"), told["delayed"].as_u64());
    assert!((1..u64::from(COUNT)).contains(&messages), "some were moved before: {told}");
    assert!(delayed.is_some_and(|delayed| delayed > 0 && delayed < messages), "{told}");
    let again = leadrelay(dir, &args, &[]);
    assert!(again.status.success() && text(&again).contains("0 messages moved"), "{}", text(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_with_an_end_in_the_middle_nothing_is_lost() {
    let dir = directory().await;
    let sent = messages();
    let embedded = queue(dir.path());
    embedded.publish(sent.clone()).await.expect("stored");
    let args = ["queue", "move", "--from", "embedded"];
    let refused = leadrelay(dir.path(), &args, &[]);
    assert!(refused.status.code() == Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("in use by another leadrelay: stop that one"), "{}", text(&refused));
    embedded.close().await;

    moved(dir.path(), &["--from", "embedded"]);
    moved(dir.path(), &["--to", "embedded"]);

    let embedded = queue(dir.path());
    let found = taken(&embedded).await;
    embedded.close().await;
    assert_eq!(found.len(), sent.len(), "nothing is lost, and the ids are the same");
    let copies: usize = found.values().map(|(_, _, times)| times - 1).sum();
    assert!(copies <= 2 * BATCH, "{copies} copies");
    for message in sent {
        let (topic, due, _) = &found[&message.id().to_string()];
        assert_eq!(topic, message.topic());
        match (message.due(), due) {
            (None, None) => {}
            (Some(wanted), Some(due)) => {
                let late = due.duration_since(wanted).as_millis();
                assert!((-1000..5000).contains(&late), "{late} ms late");
            }
            other => panic!("{}: {other:?}", message.id()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_destination_that_is_gone_is_moved_when_it_is_named() {
    let dir = directory().await;
    let embedded = queue(dir.path());
    let id = format!("{:032x}", 1).parse().expect("an id");
    let gone = Topic::<u32>::named("deliver.gone").message(id, &1);
    embedded.publish(vec![gone]).await.expect("stored");
    embedded.close().await;
    let there = leadrelay(dir.path(), &["queue", "move", "--from", "embedded"], &[]);
    assert!(there.status.success() && text(&there).contains("1 message moved"), "{}", text(&there));
    let unnamed = leadrelay(dir.path(), &["queue", "move", "--to", "embedded"], &[]);
    assert!(unnamed.status.success() && text(&unnamed).contains("0 messages moved"), "{}", text(&unnamed));
    assert!(text(&unnamed).contains("rabbitmqctl list_queues"), "{}", text(&unnamed));
    let named = leadrelay(dir.path(), &["queue", "move", "--to", "embedded", "--destination", "gone"], &[]);
    assert!(named.status.success() && text(&named).contains("1 message moved"), "{}", text(&named));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_is_told() {
    let embedded = world::directory("http://127.0.0.1:9", "");
    let told = leadrelay(embedded.path(), &["queue", "move", "--from", "embedded"], &[]);
    assert!(told.status.code() == Some(2) && text(&told).contains("queue.url"), "{}", text(&told));

    let dir = directory().await;
    let none = leadrelay(dir.path(), &["queue", "move"], &[]);
    assert_eq!(none.status.code(), Some(2), "{}", text(&none));

    let settings = world::load(dir.path()).broker("a service").expect("a broker");
    let service = Queue::amqp(settings, Clock::real());
    service.health().wait_for(|health| *health == Health::Ready).await.expect("it connects");
    let mut claims = service.claims(&Topic::leads());
    tokio::spawn(async move { claims.next(1).await });
    world::eventually("a service that runs is told", async || {
        let told = leadrelay(dir.path(), &["queue", "move", "--to", "embedded"], &[]);
        told.status.code() == Some(1) && text(&told).contains("still take from `leads`; stop all of them first")
    })
    .await;
    service.close().await;
}
