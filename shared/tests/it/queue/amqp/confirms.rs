//! What lapin says of each message on a confirm channel, against what the broker has stored.
//!
//! lapin 4.12.3 numbers a message under one lock and hands it to the socket under another. Two threads on one channel may do the
//! two in opposite orders, and then each is told the other's confirm: a message that was refused is said to be stored. The engine
//! lets one task publish on a channel, and that is held to here; what happens without is printed.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use leadrelay_testkit::broker;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::queue::harness::soon;

/// Every second message goes to a queue that has room, and the others to one that is full.
const QUEUES: [&str; 2] = ["roomy", "full"];
/// Messages of one publisher on their way at once.
const BURST: u64 = 64;

/// What was said of messages by their numbers.
#[derive(Debug, Default)]
struct Said {
    stored: BTreeSet<u64>,
    refused: BTreeSet<u64>,
}

/// What was said wrongly.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    /// Said to be stored, and nowhere.
    lost: usize,
    /// Said to be refused, and stored.
    doubted: usize,
    of: usize,
}

/// Publishes numbers from `next` on.
async fn publish(channel: Channel, mut next: u64, until: Instant) -> Said {
    let mut said = Said::default();
    while Instant::now() < until {
        let mut confirms = Vec::new();
        for n in next..next + BURST {
            let queue = QUEUES[usize::try_from(n % 2).expect("0 or 1")];
            // Lengths differ, as leads' do.
            let mut body = n.to_be_bytes().to_vec();
            body.resize(8 + usize::try_from(n % 5).expect("small") * 1024, 0);
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            let sent = channel.basic_publish(ShortString::default(), queue.into(), options, &body, properties).await;
            confirms.push((n, sent.expect("the channel is open")));
        }
        for (n, confirm) in confirms {
            match confirm.await.expect("the channel is open") {
                Confirmation::Ack(None) => said.stored.insert(n),
                Confirmation::Nack(_) => said.refused.insert(n),
                other => panic!("{other:?}"),
            };
        }
        next += BURST;
    }
    said
}

/// Declares the queues; the one that is full takes few messages.
async fn declare(channel: &Channel) {
    for queue in QUEUES {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        if queue == "full" {
            arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
        }
        channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await.expect("declared");
    }
}

/// The numbers that the broker has.
async fn stored(channel: &Channel) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for queue in QUEUES {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let declared = channel.queue_declare(queue.into(), passive, FieldTable::default()).await.expect("it is there");
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consuming = channel.basic_consume(queue.into(), queue.into(), options, FieldTable::default());
        let mut messages = consuming.await.expect("subscribed").take(declared.message_count() as usize);
        while let Some(message) = soon(messages.next()).await {
            let body = message.expect("the channel is open").data;
            found.insert(u64::from_be_bytes(body[..8].try_into().expect("a number")));
        }
    }
    found
}

/// Lets so many threads publish on one confirm channel, and compares.
async fn compared(threads: u64, time: Duration) -> Wrong {
    let shared = broker::shared().await;
    let url = shared.url(&shared.vhost().await);
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.expect("connected");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    declare(&channel).await;
    let until = Instant::now() + time;
    let publishers: Vec<_> = (0..threads)
        .map(|thread| {
            let (runtime, publishing) = (Handle::current(), publish(channel.clone(), thread << 40, until));
            std::thread::spawn(move || runtime.block_on(publishing))
        })
        .collect();
    let mut said = Said::default();
    for publisher in publishers {
        let joined = tokio::task::spawn_blocking(move || publisher.join().expect("it does not panic"));
        let Said { mut stored, mut refused } = joined.await.expect("joined");
        said.stored.append(&mut stored);
        said.refused.append(&mut refused);
    }
    let stored = stored(&connection.create_channel().await.expect("a channel")).await;
    connection.close(200, "done".into()).await.expect("closed");
    assert!(!said.stored.is_empty() && !said.refused.is_empty(), "some of each, or nothing could be swapped");
    Wrong {
        lost: said.stored.difference(&stored).count(),
        doubted: said.refused.intersection(&stored).count(),
        of: said.stored.len() + said.refused.len(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "what is seen without the rule is told, and nothing relies on it")]
async fn one_task_on_a_confirm_channel_is_told_the_truth() {
    let seconds = std::env::var("CONFIRMS_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
    let time = Duration::from_secs(seconds);
    let two = compared(2, time).await;
    let one = compared(1, time).await;
    println!("confirms: one thread on a channel: {one:?}; two threads: {two:?}");
    assert_eq!((one.lost, one.doubted), (0, 0), "{one:?}");
}
