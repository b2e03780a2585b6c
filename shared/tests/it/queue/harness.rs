//! What the queue's tests share. A test that ends with a message left in its queue fails.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{Claim, Claims, Message, Queue, Topic, TopicStats};
use uuid::Uuid;

use super::opener::Opener;

/// Where the tests' clocks start.
pub(crate) const START: &str = "2026-03-01T12:00:00Z";

pub(crate) fn start() -> Timestamp {
    START.parse().expect("a time")
}

/// Runs `test` on a new queue with a clock that it moves itself, and fails it when it leaves a message behind.
pub(crate) async fn on_queue<O: Opener>(opener: &O, test: impl AsyncFnOnce(&Queue, &Clock, &Path)) {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = opener.clock();
    let queue = opener.open(dir.path(), clock.clone()).await;
    test(&queue, &clock, dir.path()).await;
    if O::COPIES {
        assert_empty(&queue).await;
        return queue.close().await;
    }
    // The test may have ended it; whatever it still held is back by now.
    queue.close().await;
    let after = opener.open(dir.path(), clock).await;
    assert_empty(&after).await;
    after.close().await;
}

/// Fails when anything is left in the queue.
pub(crate) async fn assert_empty(queue: &Queue) {
    let left: Vec<TopicStats> = stats(queue).await.into_iter().filter(|t| t.total() > 0).collect();
    assert!(left.is_empty(), "messages are left in the queue: {left:#?}");
}

pub(crate) async fn stats(queue: &Queue) -> Vec<TopicStats> {
    queue.stats().await.expect("the queue is open")
}

/// The figures of one topic; zero when it is not listed.
pub(crate) async fn stats_of(queue: &Queue, topic: &Topic<String>) -> TopicStats {
    let name: &str = topic.name();
    stats(queue).await.into_iter().find(|t| t.topic == name).unwrap_or_default()
}

pub(crate) fn topic(name: &str) -> Topic<String> {
    Topic::named(name)
}

/// A message whose id and text follow from a number.
pub(crate) fn message(topic: &Topic<String>, n: u32) -> Message {
    topic.message(id(n), &n.to_string())
}

pub(crate) fn messages(topic: &Topic<String>, numbers: impl IntoIterator<Item = u32>) -> Vec<Message> {
    numbers.into_iter().map(|n| message(topic, n)).collect()
}

pub(crate) fn id(n: u32) -> Uuid {
    Uuid::from_u128(u128::from(n))
}

/// The number of a claimed message; its text must agree with its id.
pub(crate) fn number(claim: &Claim<String>) -> u32 {
    let n = claim.body().parse().expect("a number");
    assert_eq!(claim.envelope().id, id(n), "the text belongs to the id");
    n
}

pub(crate) fn numbers(claims: &[Claim<String>]) -> BTreeSet<u32> {
    let numbers: BTreeSet<_> = claims.iter().map(number).collect();
    assert_eq!(numbers.len(), claims.len(), "no message comes twice at a time");
    numbers
}

/// Claims one message that must be there or on its way.
pub(crate) async fn claim_one(claims: &mut Claims<String>) -> Claim<String> {
    let mut claimed = soon(claims.next(1)).await.expect("the queue is open");
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

/// Claims until there are `count`.
pub(crate) async fn claim(claims: &mut Claims<String>, count: usize) -> Vec<Claim<String>> {
    let mut claimed = Vec::new();
    while claimed.len() < count {
        claimed.extend(soon(claims.next(count - claimed.len())).await.expect("the queue is open"));
    }
    claimed
}

/// Settles what there is with nothing.
pub(crate) async fn drain(queue: &Queue, topic: &Topic<String>, count: usize) -> BTreeSet<u32> {
    let claimed = claim(&mut queue.claims(topic), count).await;
    let seen = numbers(&claimed);
    for claim in claimed {
        claim.settle(Vec::new()).await.expect("it is settled");
    }
    seen
}

/// Fails unless nothing of the topic can be claimed now.
pub(crate) async fn assert_none_ready(queue: &Queue, topic: &Topic<String>) {
    let mut claims = queue.claims(topic);
    let mut next = pin!(claims.next(10));
    assert!(futures_util::poll!(next.as_mut()).is_pending(), "nothing is ready");
    // The request is with the engine; once it has answered this, it has looked at that.
    stats(queue).await;
    assert!(futures_util::poll!(next.as_mut()).is_pending(), "nothing is ready");
}

/// What should happen, or the test fails instead of hanging.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it happens")
}
