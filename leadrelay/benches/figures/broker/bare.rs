//! The raw limit: loops over the client library and nothing else, on queues of the same kind, with the same bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use leadrelay_testkit::broker::Broker;

use crate::{child, stopwatch};

/// What a consumer has ahead.
const PREFETCH: u16 = 256;
/// The queues between the hops, and where the last one reports.
pub(super) const QUEUES: [&str; 3] = ["bare.1", "bare.2", "bare.3"];

/// Publishes so many leads, so many at once, and says how many were confirmed in a second.
pub(super) async fn publish(broker: &Broker, leads: u64, at_once: usize) -> f64 {
    let connection = connect(broker).await;
    let channel = channel(&connection).await;
    let began = stopwatch::start();
    publish_all(&channel, leads, at_once).await;
    leads as f64 / began.elapsed().as_secs_f64()
}

/// Passes so many leads over three hops, and says how many came out in a second.
pub(super) async fn three_hops(broker: &Broker, leads: u64, at_once: usize) -> f64 {
    let connection = connect(broker).await;
    let (first, second, third) = (channel(&connection).await, channel(&connection).await, channel(&connection).await);
    let began = stopwatch::start();
    let hop = |from, to, channel: Channel| tokio::spawn(async move { hop(&channel, from, to, leads, |_| ()).await });
    let (router, connector) = (hop(QUEUES[0], QUEUES[1], second), hop(QUEUES[1], QUEUES[2], third));
    publish_all(&first, leads, at_once).await;
    router.await.expect("no panic");
    connector.await.expect("no panic");
    leads as f64 / began.elapsed().as_secs_f64()
}

/// Passes leads over three hops at a steady rate, and says how long each took, in seconds.
pub(super) async fn latency(broker: &Broker, per_second: u64, seconds: u64) -> Vec<f64> {
    let connection = connect(broker).await;
    let (first, second, third) = (channel(&connection).await, channel(&connection).await, channel(&connection).await);
    let leads = per_second * seconds;
    let arrived: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let router = tokio::spawn(async move { hop(&second, QUEUES[0], QUEUES[1], leads, |_| ()).await });
    let connector = tokio::spawn({
        let arrived = arrived.clone();
        async move {
            hop(&third, QUEUES[1], QUEUES[2], leads, |delivery| {
                let id = delivery.properties.message_id().clone().expect("an id").to_string();
                arrived.lock().expect("the times").insert(id, stopwatch::start());
            })
            .await;
        }
    });
    let mut confirmed_at = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(per_second).expect("a rate"));
    for n in 0..leads {
        ticks.tick().await;
        confirmed(&first, QUEUES[0], child::lead(n).as_bytes(), n.to_string()).await;
        confirmed_at.push(stopwatch::start());
    }
    router.await.expect("no panic");
    connector.await.expect("no panic");
    let arrived = arrived.lock().expect("the times");
    let took = |(n, at): (usize, &Instant)| arrived[&n.to_string()].saturating_duration_since(*at).as_secs_f64();
    confirmed_at.iter().enumerate().map(took).collect()
}

async fn publish_all(channel: &Channel, leads: u64, at_once: usize) {
    let mut underway = FuturesUnordered::new();
    for n in 0..leads {
        if underway.len() == at_once {
            underway.next().await;
        }
        underway.push(async move { confirmed(channel, QUEUES[0], child::lead(n).as_bytes(), n.to_string()).await });
    }
    while underway.next().await.is_some() {}
}

/// One hop: what comes from one queue goes to the next, is confirmed there, and then acknowledged.
async fn hop(channel: &Channel, from: &str, to: &str, leads: u64, arrived: impl Fn(&Delivery)) {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = channel.basic_consume(from.into(), from.into(), options, none).await.expect("it consumes");
    let mut underway = FuturesUnordered::new();
    let (mut begun, mut done) = (0, 0);
    while done < leads {
        tokio::select! {
            Some(()) = underway.next() => done += 1,
            Some(delivery) = consumer.next(), if begun < leads => {
                let delivery = delivery.expect("a message");
                arrived(&delivery);
                begun += 1;
                underway.push(async move {
                    let id = delivery.properties.message_id().clone().expect("an id").to_string();
                    confirmed(channel, to, &delivery.data, id).await;
                    delivery.acker.ack(BasicAckOptions::default()).await.expect("acknowledged");
                });
            }
        }
    }
}

pub(super) async fn confirmed(channel: &Channel, queue: &str, body: &[u8], id: String) {
    let properties = BasicProperties::default().with_delivery_mode(2).with_message_id(id.into());
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), queue.into(), options, body, properties).await.expect("sent");
    assert_eq!(sent.await.expect("an answer"), Confirmation::Ack(None));
}

pub(super) async fn connect(broker: &Broker) -> Connection {
    let url = broker.url(&broker.vhost().await);
    Connection::connect(&url, ConnectionProperties::default()).await.expect("a connection")
}

pub(super) async fn channel(connection: &Connection) -> Channel {
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("a prefetch");
    for queue in QUEUES {
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), quorum).await.expect("declared");
    }
    channel
}
