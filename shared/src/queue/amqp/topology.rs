//! What stands on the broker: every exchange and queue with its exact arguments, in this file alone.
//!
//! Arguments of a queue cannot be changed by declaring it again, so names carry a version: a change means a new version and a
//! drain of the old one. Valid on RabbitMQ 3.10 and on 4.3.
//!
//! - Quorum queues everywhere: they have a message on disk before they confirm it.
//! - `reject-publish`: at-least-once dead-lettering needs it, and without a length it refuses nothing. A length is set by policy,
//!   and on [`leads`](crate::queue::Topic::leads) alone.
//! - A delivery limit on each, with a dead-letter exchange where something can still be done: from 4.0 on a queue without one
//!   of its own drops a message at the twentieth crash. Never -1, which 3.10 takes for "at once".
//! - No expiry on any queue: a quorum queue that expires takes its messages along.
//! - Delays: one queue for each step, with that time to live and nobody who consumes. What expires goes back to the topics'
//!   exchange under the key that it came with. Steps are shared by all topics. Where the leader of the topic's queue ends
//!   meanwhile, up to 32 messages are handed over again only after the broker's `dead_letter_worker_publisher_confirm_timeout`,
//!   three minutes unless it is set.
//! - The topics' exchange has an alternate: an unroutable message would else be tried for ever by the step that it expired in.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ExchangeKind};

use crate::queue::topic::{DEAD, UNROUTED};

/// Before every name, with the topology's version.
const PREFIX: &str = "leadrelay.v1";
/// Returns of a message from holders that ended, before the broker takes it out of its queue. The worker parks long before.
const DELIVERY_LIMIT: i32 = 100;
/// The same where there is nowhere else to go: as good as never, and a number that every version takes.
const DELIVERY_LIMIT_LAST: i32 = 100_000;

/// Where every message is published that is for now; the routing key is the topic.
pub(super) fn topics_exchange() -> String {
    format!("{PREFIX}.topics")
}

/// Where operators' decisions are published.
pub(super) fn control_exchange() -> String {
    format!("{PREFIX}.control")
}

/// The exchange of a step, and its queue.
pub(super) fn delay(step: Duration) -> String {
    format!("{PREFIX}.delay.{}", step.as_millis())
}

/// The queue of a topic.
pub(super) fn queue(topic: &str) -> String {
    match topic {
        DEAD | UNROUTED => format!("{PREFIX}.{topic}"),
        _ => format!("{PREFIX}.topic.{topic}"),
    }
}

/// Declares everything but the queues of topics.
pub(super) async fn declare_base(channel: &Channel, steps: &[Duration]) -> lapin::Result<()> {
    let unrouted = format!("{PREFIX}.{UNROUTED}");
    let alternate = table(&[("alternate-exchange", text(&unrouted))]);
    exchange(channel, &topics_exchange(), ExchangeKind::Direct, alternate).await?;
    exchange(channel, &control_exchange(), ExchangeKind::Fanout, FieldTable::default()).await?;
    for topic in [DEAD, UNROUTED] {
        let name = format!("{PREFIX}.{topic}");
        exchange(channel, &name, ExchangeKind::Fanout, FieldTable::default()).await?;
        declare_queue(channel, &name, arguments_of(topic)).await?;
        bind(channel, &name, &name, "").await?;
    }
    for step in steps {
        let name = delay(*step);
        exchange(channel, &name, ExchangeKind::Fanout, FieldTable::default()).await?;
        declare_queue(channel, &name, delay_arguments(*step)).await?;
        bind(channel, &name, &name, "").await?;
    }
    Ok(())
}

/// Declares the queue of a topic; how many messages in it can be claimed.
pub(super) async fn declare_topic(channel: &Channel, topic: &str) -> lapin::Result<u64> {
    let name = queue(topic);
    let ready = declare_queue(channel, &name, arguments_of(topic)).await?;
    if !matches!(topic, DEAD | UNROUTED) {
        bind(channel, &name, &topics_exchange(), topic).await?;
    }
    Ok(ready)
}

/// Declares a queue on which one process hears decisions, and that goes with its connection. Its name is ours, so that rights on
/// ours are enough.
pub(super) async fn declare_hearing(channel: &Channel, process: &str) -> lapin::Result<String> {
    let name = format!("{PREFIX}.control.{process}");
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    channel.queue_declare(name.as_str().into(), own, FieldTable::default()).await?;
    bind(channel, &name, &control_exchange(), "").await?;
    Ok(name)
}

/// Declares a stream and deletes it again. Dead-lettering is at-least-once only where the broker has its feature flag for
/// streams on, and else at-most-once without a word but a line in its log; AMQP does not tell flags in another way.
pub(super) async fn probe_streams(channel: &Channel, name: &str) -> lapin::Result<()> {
    let name = format!("{PREFIX}.probe.{name}");
    let arguments = table(&[("x-queue-type", text("stream"))]);
    declare_queue(channel, &name, arguments).await?;
    channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.map(drop)
}

/// How many consumers the queue of a topic has.
pub(super) async fn consumers(channel: &Channel, topic: &str) -> lapin::Result<u32> {
    let queue = channel.queue_declare(queue(topic).into(), QueueDeclareOptions::durable(), arguments_of(topic)).await?;
    Ok(queue.consumer_count())
}

/// How many messages can be claimed from a topic's queue, and how many consumers it has. Declares nothing.
pub(super) async fn look(channel: &Channel, topic: &str) -> lapin::Result<(u32, u32)> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let queue = channel.queue_declare(queue(topic).into(), passive, FieldTable::default()).await?;
    Ok((queue.message_count(), queue.consumer_count()))
}

/// How many messages wait in a step.
pub(super) async fn waiting(channel: &Channel, step: Duration) -> lapin::Result<u64> {
    declare_queue(channel, &delay(step), delay_arguments(step)).await
}

/// A topic's arguments. Those who record have nobody behind them who could take what they cannot.
fn arguments_of(topic: &str) -> FieldTable {
    let mut arguments = quorum();
    if matches!(topic, "events" | "parked" | DEAD | UNROUTED) {
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT_LAST));
    } else {
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
        arguments.insert("x-dead-letter-exchange".into(), text(&format!("{PREFIX}.{DEAD}")));
        arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    }
    arguments
}

fn delay_arguments(step: Duration) -> FieldTable {
    let mut arguments = quorum();
    let ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(ms));
    arguments.insert("x-dead-letter-exchange".into(), text(&topics_exchange()));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments
}

fn quorum() -> FieldTable {
    table(&[("x-queue-type", text("quorum")), ("x-overflow", text("reject-publish"))])
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind, arguments: FieldTable) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare(name.into(), kind, durable, arguments).await
}

async fn declare_queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<u64> {
    let queue = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await?;
    Ok(u64::from(queue.message_count()))
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let nothing = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.into(), exchange.into(), key.into(), nothing.0, nothing.1).await
}

fn table(pairs: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (key, value) in pairs {
        table.insert(ShortString::from(*key), value.clone());
    }
    table
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}
