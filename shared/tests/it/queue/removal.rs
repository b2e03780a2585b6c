//! Everything taken out of the embedded queue, what is not due too.

use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{Health, Queue, QueueError, settle_all};

use super::harness::{assert_none_ready, claim, id, message, messages, numbers, soon, start, stats_of, topic};
use super::opener::settings;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn what_waits_is_told_with_its_time_and_keeps_it_until_it_is_settled() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(start());
    let (now, later) = (topic("now"), topic("later"));
    let queue = Queue::embedded(settings(dir.path()), clock.clone()).expect("a queue");
    queue.publish(messages(&now, 0..3)).await.expect("stored");
    for n in 3..6 {
        queue.publish(vec![message(&later, n).not_before(clock.now() + HOUR * n)]).await.expect("stored");
    }
    clock.advance(HOUR);

    let removal = queue.removal().await.expect("it begins");
    assert_eq!(removal.left().await.expect("an answer"), [("now".to_owned(), 3), ("later".to_owned(), 3)]);
    let refused = queue.publish(messages(&now, [9])).await;
    assert!(matches!(refused, Err(QueueError::Blocked(_))), "{refused:?}");
    assert!(matches!(&*queue.health().borrow(), Health::Blocked(reason) if reason.contains("moved")));
    for carried in soon(removal.carrier("now").next(10)).await.expect("claimed") {
        assert_eq!(carried.message.due(), None);
        settle_all(vec![carried.handle], Vec::new()).await.expect("settled");
    }
    let mut carrier = removal.carrier("later");
    let mut waiting = soon(carrier.next(10)).await.expect("claimed");
    let told: Vec<_> = waiting.iter().map(|c| (c.message.id(), c.message.due().expect("a time"))).collect();
    assert_eq!(told, [3, 4, 5].map(|n| (id(n), start() + HOUR * n)));
    settle_all(vec![waiting.remove(0).handle], Vec::new()).await.expect("settled");
    // One goes back, and comes again with its time; the last is held when this ends.
    drop(waiting.remove(0));
    let again = soon(carrier.next(10)).await.expect("claimed");
    assert_eq!((again[0].message.id(), again[0].message.due()), (id(4), Some(start() + HOUR * 4)));
    assert_eq!(removal.left().await.expect("an answer"), [("later".to_owned(), 2)]);
    queue.close().await;

    let queue = Queue::embedded(settings(dir.path()), clock.clone()).expect("a queue");
    assert_eq!(*queue.health().borrow(), Health::Ready);
    assert_eq!(stats_of(&queue, &later).await.delayed, 2, "they keep their time");
    assert_none_ready(&queue, &later).await;
    clock.advance(HOUR * 4);
    let claimed = claim(&mut queue.claims(&later), 2).await;
    assert_eq!(numbers(&claimed), [4, 5].into());
    for claim in claimed {
        claim.settle(Vec::new()).await.expect("settled");
    }
    queue.close().await;
}
