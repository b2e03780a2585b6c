//! What the embedded engine promises beyond the contract.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use jiff::SignedDuration;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::embedded::{OpenError, Settings};
use leadrelay_shared::queue::{Health, Queue, QueueError};

use super::harness::{
    assert_empty, assert_none_ready, claim, claim_one, drain, id, message, messages, number, on_queue, soon, start,
    stats_of, topic,
};
use super::opener::{Embedded, settings};

fn open(dir: &Path, clock: &Clock) -> Queue {
    Queue::embedded(settings(dir), clock.clone()).expect("the queue opens")
}

#[tokio::test]
async fn a_directory_has_one_user() {
    on_queue(&Embedded, async |_, clock, dir| {
        let refused = Queue::embedded(settings(dir), clock.clone()).expect_err("it is in use");
        assert!(matches!(&refused, OpenError::InUse { .. }), "{refused}");
        assert!(refused.to_string().contains("stop that one"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn files_of_a_later_version_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(start());
    open(dir.path(), &clock).close().await;
    let conn = rusqlite::Connection::open(dir.path().join("queue.db")).expect("it opens");
    conn.execute_batch("PRAGMA user_version = 99").expect("written");
    drop(conn);
    let refused = Queue::embedded(settings(dir.path()), clock).expect_err("it is of a later version");
    assert!(matches!(&refused, OpenError::Newer { found: 99, .. }), "{refused}");
    assert!(refused.to_string().contains("upgrade"), "{refused}");
}

#[test]
fn a_place_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").expect("written");
    let refused = Queue::embedded(settings(&file.join("queue")), Clock::real()).expect_err("it is a file");
    assert!(refused.to_string().contains("file/queue"), "{refused}");
    std::fs::write(dir.path().join("queue.db"), "x".repeat(9000)).expect("written");
    let refused = Queue::embedded(settings(dir.path()), Clock::real()).expect_err("it is not a database");
    assert!(matches!(&refused, OpenError::Database { .. }), "{refused}");
}

#[tokio::test]
async fn only_the_owner_reads_the_files() {
    on_queue(&Embedded, async |queue, _, dir| {
        queue.publish(messages(&topic("leads"), [1])).await.expect("published");
        for file in ["queue.db", "queue.db-wal", "queue.lock"] {
            let mode = std::fs::metadata(dir.join(file)).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file}");
        }
        drain(queue, &topic("leads"), 1).await;
    })
    .await;
}

#[tokio::test]
async fn the_settings_that_make_it_durable_are_in_force() {
    let dir = tempfile::tempdir().expect("a directory");
    open(dir.path(), &Clock::manual(start())).close().await;
    let conn = rusqlite::Connection::open(dir.path().join("queue.db")).expect("it opens");
    let read = |name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, rusqlite::types::Value>(0));
    assert_eq!(read("journal_mode"), Ok(rusqlite::types::Value::Text("wal".to_owned())));
    assert_eq!(read("auto_vacuum"), Ok(rusqlite::types::Value::Integer(2)));
    assert_eq!(read("page_size"), Ok(rusqlite::types::Value::Integer(4096)));
}

#[tokio::test]
async fn closing_leaves_one_complete_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(start());
    let queue = open(dir.path(), &clock);
    queue.publish(messages(&topic("leads"), 0..10)).await.expect("published");
    queue.close().await;
    let log = dir.path().join("queue.db-wal");
    assert!(std::fs::metadata(log).map_or(0, |m| m.len()) == 0, "the log is empty or gone");
    let queue = open(dir.path(), &clock);
    drain(&queue, &topic("leads"), 10).await;
    queue.close().await;
}

#[tokio::test]
async fn a_queue_that_is_dropped_closes_by_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(start());
    let queue = open(dir.path(), &clock);
    queue.publish(messages(&topic("leads"), [1])).await.expect("published");
    let mut health = queue.health();
    drop(queue);
    // The writer holds the other end of it until the files are released.
    while health.changed().await.is_ok() {}
    let queue = loop {
        match Queue::embedded(settings(dir.path()), clock.clone()) {
            Ok(queue) => break queue,
            Err(OpenError::InUse { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    drain(&queue, &topic("leads"), 1).await;
    queue.close().await;
}

#[tokio::test]
async fn consumers_that_wait_share_what_there_is() {
    on_queue(&Embedded, async |queue, _, _| {
        let leads = topic("leads");
        let (mut one, mut two) = (queue.claims(&leads), queue.claims(&leads));
        let (mut first, mut second) = (pin!(one.next(100)), pin!(two.next(100)));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        queue.publish(messages(&leads, 0..10)).await.expect("published");
        let (first, second) = (soon(first).await.expect("claimed"), soon(second).await.expect("claimed"));
        assert_eq!((first.len(), second.len()), (5, 5));
        drop((first, second));
        drain(queue, &leads, 10).await;
    })
    .await;
}

#[tokio::test]
async fn messages_come_in_order_while_nothing_goes_wrong() {
    on_queue(&Embedded, async |queue, _, _| {
        let leads = topic("leads");
        queue.publish(messages(&leads, 0..600)).await.expect("published");
        let claimed = claim(&mut queue.claims(&leads), 600).await;
        assert!(claimed.iter().map(number).eq(0..600));
        drop(claimed);
        drain(queue, &leads, 600).await;
    })
    .await;
}

#[tokio::test]
async fn neither_new_messages_nor_late_ones_starve_the_others() {
    on_queue(&Embedded, async |queue, clock, _| {
        let leads = topic("leads");
        let at = clock.now() + SignedDuration::from_secs(1);
        let late: Vec<_> = messages(&leads, 0..10).into_iter().map(|m| m.not_before(at)).collect();
        queue.publish(late).await.expect("published");
        queue.publish(messages(&leads, 100..110)).await.expect("published");
        clock.advance(Duration::from_secs(1));
        let mut claims = queue.claims(&leads);
        let mut seen = Vec::new();
        for _ in 0..4 {
            let claim = claim_one(&mut claims).await;
            seen.push(number(&claim) < 10);
            claim.settle(Vec::new()).await.expect("settled");
        }
        assert_eq!(seen.iter().filter(|late| **late).count(), 2, "they take turns: {seen:?}");
        drain(queue, &leads, 16).await;
    })
    .await;
}

fn small(dir: &Path, max_size: u64, min_free: u64) -> Settings {
    Settings { dir: dir.to_owned(), max_size, min_free }
}

#[tokio::test]
async fn a_full_queue_takes_no_more_and_settles_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(start());
    let queue = Queue::embedded(small(dir.path(), 2 << 20, 0), clock.clone()).expect("the queue opens");
    let (leads, events) = (topic("leads"), topic("events"));
    let text = "x".repeat(8 << 10);
    let mut count = 0;
    let blocked = loop {
        match queue.publish(vec![leads.message(id(count), &text)]).await {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&blocked, QueueError::Blocked(reason) if reason.contains("max_size")), "{blocked}");
    assert!((100..300).contains(&count), "{count} messages of 8 KiB make 2 MiB");
    assert!(matches!(&*queue.health().borrow(), Health::Blocked(reason) if reason.contains("max_size")));
    for claim in claim(&mut queue.claims(&leads), count as usize).await {
        claim.settle(messages(&events, [1])).await.expect("settling makes room");
    }
    clock.advance(Duration::from_secs(1));
    soon(queue.health().wait_for(|h| *h == Health::Ready)).await.expect("it recovers by itself");
    queue.publish(messages(&leads, [1])).await.expect("it takes messages again");
    drain(&queue, &leads, 1).await;
    for _ in 0..count {
        claim_one(&mut queue.claims(&events)).await.settle(Vec::new()).await.expect("settled");
    }
    assert_empty(&queue).await;
    queue.close().await;
}

#[tokio::test]
async fn a_disk_with_too_little_room_takes_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(start());
    let queue = open(dir.path(), &clock);
    queue.publish(messages(&topic("leads"), [1])).await.expect("published");
    queue.close().await;
    let queue = Queue::embedded(small(dir.path(), 1 << 40, 1 << 60), clock).expect("the queue opens");
    assert!(matches!(&*queue.health().borrow(), Health::Blocked(reason) if reason.contains("make room")));
    let blocked = queue.publish(messages(&topic("leads"), [2])).await;
    assert!(matches!(&blocked, Err(QueueError::Blocked(_))), "{blocked:?}");
    let claim = claim_one(&mut queue.claims(&topic("leads"))).await;
    claim.settle(messages(&topic("events"), [1])).await.expect("settling goes on");
    drain(&queue, &topic("events"), 1).await;
    assert_empty(&queue).await;
    queue.close().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_fails_alone() {
    on_queue(&Embedded, async |queue, _, _| {
        let leads = topic("leads");
        let large = queue.publish(vec![leads.message(id(1), &"x".repeat(65 << 20))]);
        let (large, small) = tokio::join!(large, queue.publish(messages(&leads, [2])));
        assert!(
            matches!(&large, Err(QueueError::Blocked(reason)) if reason.contains("the most it takes")),
            "{large:?}"
        );
        assert_eq!(small, Ok(()));
        assert_eq!(drain(queue, &leads, 1).await, BTreeSet::from([2]));
    })
    .await;
}

#[tokio::test]
async fn its_time_goes_on_over_a_restart_whatever_the_wall_says() {
    for hours in [-1, 0] {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock::manual(start());
        let leads = topic("leads");
        let queue = open(dir.path(), &clock);
        let at = clock.now() + SignedDuration::from_mins(10);
        queue.publish(vec![message(&leads, 1).not_before(at)]).await.expect("published");
        clock.advance(Duration::from_mins(4));
        queue.close().await;
        clock.jump(SignedDuration::from_hours(hours));
        let queue = open(dir.path(), &clock);
        clock.advance(Duration::from_mins(6) - Duration::from_millis(1));
        assert_none_ready(&queue, &leads).await;
        clock.advance(Duration::from_millis(1));
        drain(&queue, &leads, 1).await;
        queue.close().await;
    }
}

#[tokio::test]
async fn what_came_due_while_it_was_closed_is_ready_at_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(start());
    let leads = topic("leads");
    let queue = open(dir.path(), &clock);
    let at = clock.now() + SignedDuration::from_mins(10);
    queue.publish(vec![message(&leads, 1).not_before(at)]).await.expect("published");
    queue.close().await;
    clock.advance(Duration::from_mins(11));
    let queue = open(dir.path(), &clock);
    assert_eq!(stats_of(&queue, &leads).await.ready, 1);
    drain(&queue, &leads, 1).await;
    queue.close().await;
}

#[tokio::test]
async fn a_due_time_out_of_all_reason_is_pulled_in() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(start());
    let leads = topic("leads");
    let queue = open(dir.path(), &clock);
    let at = clock.now() + SignedDuration::from_hours(1);
    queue.publish(vec![message(&leads, 1).not_before(at)]).await.expect("published");
    queue.close().await;
    let conn = rusqlite::Connection::open(dir.path().join("queue.db")).expect("it opens");
    conn.execute("UPDATE msg SET due = due + 100000000000000", []).expect("written");
    drop(conn);
    let queue = open(dir.path(), &clock);
    clock.advance(Duration::from_hours(30 * 24 - 1));
    assert_none_ready(&queue, &leads).await;
    clock.advance(Duration::from_hours(1));
    drain(&queue, &leads, 1).await;
    queue.close().await;
}

#[tokio::test]
async fn the_file_shrinks_after_a_backlog_has_passed() {
    on_queue(&Embedded, async |queue, clock, dir| {
        let leads = topic("leads");
        let text = "x".repeat(32 << 10);
        for batch in 0..8 {
            let batch = (0..100).map(|n| leads.message(id(batch * 100 + n), &text)).collect();
            queue.publish(batch).await.expect("published");
        }
        let claimed = claim(&mut queue.claims(&leads), 800).await;
        let handles = claimed.into_iter().map(|c| c.into_parts().1).collect();
        leadrelay_shared::queue::settle_all(handles, Vec::new()).await.expect("settled");
        let size = || std::fs::metadata(dir.join("queue.db")).expect("it is there").len();
        // Once it has answered this, it knows when it was last busy.
        assert_empty(queue).await;
        assert!(size() > 12 << 20, "{}", size());
        clock.advance(Duration::from_secs(1));
        // The writer takes a step each time it looks; there are not many.
        for _ in 0..100 {
            assert_empty(queue).await;
        }
        assert!(size() < 6 << 20, "{}", size());
    })
    .await;
}
