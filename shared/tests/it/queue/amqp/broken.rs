//! A broker that takes no messages, and one on which something else stands under our names. Each test has a broker of its own.

use leadrelay_shared::queue::{Health, QueueError};
use leadrelay_testkit::broker::Broker;
use serde_json::json;

use super::opener::{connected_to, works};
use crate::queue::harness::{claim_one, drain, messages, soon, topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_an_alarm_publishing_is_refused_and_what_was_done_is_settled_when_it_ends() {
    let broker = Broker::start().await;
    let queue = connected_to(&broker, "/").await;
    let (leads, events) = (topic("leads"), topic("events"));
    queue.publish(messages(&leads, 0..2)).await.expect("published");
    let done = claim_one(&mut queue.claims(&leads)).await;
    broker.memory_alarm(true).await;
    // The broker says so once something is published.
    let first = soon(queue.publish(messages(&leads, [2]))).await;
    assert!(first.is_err(), "{first:?}");
    let mut health = queue.health();
    soon(health.wait_for(|h| *h != Health::Ready)).await.expect("it is told");
    let refused = queue.publish(messages(&leads, [3])).await;
    assert!(matches!(refused, Err(QueueError::Blocked(_))), "{refused:?}");
    let settling = tokio::spawn(done.settle(messages(&events, [10])));
    let claimed = claim_one(&mut queue.claims(&leads)).await;
    claimed.settle(Vec::new()).await.expect("acknowledging goes on");
    assert!(!settling.is_finished(), "it waits, because to fail would be to do it again");
    broker.memory_alarm(false).await;
    soon(settling).await.expect("no panic").expect("settled");
    works(&queue).await;
    drain(&queue, &events, 1).await;
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_ours_with_other_arguments_is_told_and_waited_for() {
    let broker = Broker::start().await;
    let path = "/api/queues/%2f/leadrelay.v1.topic.leads";
    broker.api("PUT", path, Some(json!({"durable": true, "arguments": {}}))).await;
    let queue = leadrelay_shared::queue::Queue::amqp(
        super::opener::settings_for(&broker, "/", &["leads"]),
        leadrelay_shared::clock::Clock::real(),
    );
    let mut health = queue.health();
    let told = |h: &Health| matches!(h, Health::Blocked(why) if why.contains("leadrelay.v1.topic.leads") && why.contains("delete it"));
    soon(health.wait_for(told)).await.expect("it names the queue and the remedy");
    broker.api("DELETE", path, None).await;
    works(&queue).await;
    queue.publish(messages(&topic("leads"), [1])).await.expect("published");
    drain(&queue, &topic("leads"), 1).await;
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_and_comes_back_has_everything_that_was_confirmed() {
    let broker = Broker::start().await;
    let queue = connected_to(&broker, "/").await;
    let leads = topic("leads");
    queue.publish(messages(&leads, 0..1)).await.expect("published");
    let mut health = queue.health();
    // RabbitMQ before 4 writes down some seconds late which queues it has: only what has outlived a stop is sure to be there.
    broker.stop();
    soon(health.wait_for(|h| *h != Health::Ready)).await.expect("it is noticed");
    broker.start_again().await;
    works(&queue).await;
    queue.publish(messages(&leads, 1..100)).await.expect("published");
    broker.kill();
    soon(health.wait_for(|h| *h != Health::Ready)).await.expect("it is noticed");
    broker.start_again().await;
    works(&queue).await;
    assert_eq!(drain(&queue, &leads, 100).await, (0..100).collect());
    queue.close().await;
}
