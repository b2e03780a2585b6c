//! A process that ends at the worst moment loses nothing that it acknowledged, and does nothing twice.

use std::collections::BTreeSet;
use std::path::Path;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::Queue;

use super::child::Child;
use super::harness::{assert_empty, claim, number, stats_of, topic};
use super::opener::settings;

const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;

/// What a process under load acknowledged.
#[derive(Clone, Default)]
pub(crate) struct Acknowledged {
    published: BTreeSet<u32>,
    moved: BTreeSet<u32>,
}

impl Acknowledged {
    pub(crate) fn hear(&mut self, line: &str) {
        let number = |text: &str| text.parse().expect("a number");
        if let Some(n) = line.strip_prefix("in ") {
            self.published.insert(number(n));
        } else if let Some(n) = line.strip_prefix("out ") {
            self.moved.insert(number(n));
        }
    }

    /// Hears `count` acknowledgements, or all until the process ends.
    pub(crate) fn listen(&mut self, child: &Child, count: usize) {
        let until = self.count() + count;
        while self.count() < until {
            let Some(line) = child.line() else { return };
            self.hear(&line);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.published.len() + self.moved.len()
    }

    /// Checks them against the queue left in `dir`; answers how many of the messages in `in` had lost a holder.
    pub(crate) async fn check(&self, dir: &Path) -> usize {
        assert_sound(&dir.join("queue.db"));
        let queue = Queue::embedded(settings(dir), Clock::real()).expect("the queue opens");
        let (left, redelivered) = take_all(&queue, "in").await;
        let (moved, _) = take_all(&queue, "out").await;
        assert_empty(&queue).await;
        queue.close().await;
        assert!(left.is_disjoint(&moved), "a message is moved or it is not");
        let missing: Vec<_> = self.published.iter().filter(|n| !left.contains(n) && !moved.contains(n)).collect();
        assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
        let undone: Vec<_> = self.moved.difference(&moved).collect();
        assert!(undone.is_empty(), "acknowledged as settled, and yet not: {undone:?}");
        redelivered
    }
}

/// Takes everything out of a topic. No message may be there twice, since none was sent twice.
async fn take_all(queue: &Queue, name: &str) -> (BTreeSet<u32>, usize) {
    let topic = topic(name);
    let total = stats_of(queue, &topic).await.total();
    let (mut seen, mut redelivered) = (BTreeSet::new(), 0);
    let claimed = claim(&mut queue.claims(&topic), usize::try_from(total).expect("few enough")).await;
    let mut handles = Vec::new();
    for claim in claimed {
        assert!(seen.insert(number(&claim)), "a message is there twice");
        redelivered += usize::from(claim.redelivered() > 0);
        handles.push(claim.into_parts().1);
    }
    leadrelay_shared::queue::settle_all(handles, Vec::new()).await.expect("settled");
    (seen, redelivered)
}

/// Fails when SQLite finds fault with a database.
pub(crate) fn assert_sound(file: &Path) {
    let conn = rusqlite::Connection::open(file).expect("it opens");
    let verdict: String = conn.query_row("PRAGMA integrity_check", [], |r| r.get(0)).expect("it is checked");
    assert_eq!(verdict, "ok");
}

#[tokio::test]
async fn nothing_is_lost_when_it_is_killed() {
    for count in [1, 50, 400, 1500] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut acknowledged = Acknowledged::default();
        let mut child = Child::start("load", dir.path(), "");
        acknowledged.listen(&child, count);
        child.kill();
        acknowledged.listen(&child, usize::MAX / 2);
        assert_eq!(child.end().1, Some(SIGKILL));
        acknowledged.check(dir.path()).await;
    }
}

/// Ends a process under load at the named place, and answers how many messages had lost their holder.
async fn ends_at(point: &str) -> usize {
    let dir = tempfile::tempdir().expect("a directory");
    let mut acknowledged = Acknowledged::default();
    let child = Child::start("load", dir.path(), &format!("{point}=40*off->return"));
    acknowledged.listen(&child, usize::MAX / 2);
    assert_eq!(child.end().1, Some(SIGABRT));
    assert!(acknowledged.count() > 0, "it got somewhere before it ended");
    acknowledged.check(dir.path()).await
}

#[tokio::test]
async fn nothing_is_lost_before_the_commit() {
    ends_at("queue::before_commit").await;
}

#[tokio::test]
async fn nothing_is_lost_after_the_commit_and_before_the_answer() {
    ends_at("queue::after_commit").await;
}

#[tokio::test]
async fn a_message_whose_holder_ended_is_counted() {
    assert!(ends_at("queue::after_claim").await > 0);
}

#[tokio::test]
async fn a_process_that_ends_at_every_start_still_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let queue = Queue::embedded(settings(dir.path()), Clock::real()).expect("the queue opens");
    let mark = super::harness::messages(&topic("kept"), 0..10);
    queue.publish(mark).await.expect("published");
    queue.close().await;
    for point in ["queue::before_commit", "queue::after_commit", "queue::after_claim"] {
        let child = Child::start("load", dir.path(), &format!("{point}=2*off->return"));
        while child.line().is_some() {}
        assert_eq!(child.end().1, Some(SIGABRT));
        assert_sound(&dir.path().join("queue.db"));
    }
    let queue = Queue::embedded(settings(dir.path()), Clock::real()).expect("the queue opens");
    assert_eq!(take_all(&queue, "kept").await.0, (0..10).collect());
    queue.close().await;
}
