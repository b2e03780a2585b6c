//! When the disk fails or is full: blocked, never a false yes, nothing lost, and back by itself.
//!
//! Each case runs in a process of its own, because failure points and file-size limits are the process's.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::process::Command;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::{Health, Queue, QueueError, settle_all};

use super::child::Child;
use super::harness::{
    assert_empty, assert_none_ready, claim, claim_one, drain, id, message, messages, number, soon, start, stats_of,
    topic,
};
use super::opener::settings;

fn plays(role: &str, dir: &Path) {
    let child = Child::start(role, dir, "");
    while child.line().is_some() {}
    assert_eq!(child.end(), (Some(0), None), "the child fails; its words are above");
}

#[test]
fn a_refused_commit_stores_nothing_and_settles_nothing() {
    plays("refused", tempfile::tempdir().expect("a directory").path());
}

pub(crate) async fn a_commit_is_refused(dir: &Path) {
    let clock = Clock::manual(start());
    let queue = Queue::embedded(settings(dir), clock.clone()).expect("the queue opens");
    let (leads, events) = (topic("leads"), topic("events"));
    queue.publish(messages(&leads, [1, 2])).await.expect("published");
    let mut claims = queue.claims(&leads);
    let held = claim(&mut claims, 2).await;

    fail::cfg("queue::commit_refused", "return").expect("a failure point");
    let refused = queue.publish(messages(&topic("new"), [3])).await;
    assert!(matches!(refused, Err(QueueError::Blocked(_))), "{refused:?}");
    assert!(matches!(&*queue.health().borrow(), Health::Blocked(reason) if reason.contains("make room")));
    for claim in held {
        let n = number(&claim);
        let refused = claim.settle(messages(&events, [n])).await;
        assert!(matches!(refused, Err(QueueError::Blocked(_))), "{refused:?}");
    }
    assert_none_ready_while_blocked(&queue, &clock).await;

    fail::remove("queue::commit_refused");
    recover(&queue, &clock).await;
    queue.publish(messages(&leads, [4])).await.expect("it takes messages again");
    assert_eq!(drain(&queue, &leads, 3).await, BTreeSet::from([1, 2, 4]));
    assert_none_ready(&queue, &events).await;
    assert_none_ready(&queue, &topic("new")).await;
    assert_empty(&queue).await;
    queue.close().await;
}

/// What could not be settled is not handed out while it fails, however often the writer tries.
async fn assert_none_ready_while_blocked(queue: &Queue, clock: &Clock) {
    for _ in 0..3 {
        assert_none_ready(queue, &topic("leads")).await;
        clock.advance(Duration::from_secs(1));
        stats_of(queue, &topic("leads")).await;
        assert!(matches!(*queue.health().borrow(), Health::Blocked(_)));
    }
}

/// Lets time pass until the queue takes messages again.
async fn recover(queue: &Queue, clock: &Clock) {
    clock.advance(Duration::from_secs(1));
    soon(queue.health().wait_for(|h| *h == Health::Ready)).await.expect("the queue lives");
}

#[test]
fn a_commit_of_unknown_end_is_never_taken_for_one_that_happened() {
    plays("unknown", tempfile::tempdir().expect("a directory").path());
}

pub(crate) async fn a_commit_has_an_unknown_end(dir: &Path) {
    let clock = Clock::manual(start());
    let queue = Queue::embedded(settings(dir), clock.clone()).expect("the queue opens");
    let (leads, events) = (topic("leads"), topic("events"));
    queue.publish(messages(&leads, [1])).await.expect("published");
    let held = claim_one(&mut queue.claims(&leads)).await;

    // The commit reaches the disk, and then it looks as if it had not.
    fail::cfg("queue::commit_unknown", "1*return").expect("a failure point");
    let unknown = queue.publish(messages(&leads, [2])).await;
    assert!(matches!(unknown, Err(QueueError::Unknown(_))), "{unknown:?}");
    let blocked = held.settle(messages(&events, [1])).await;
    assert!(matches!(blocked, Err(QueueError::Blocked(_))), "{blocked:?}");
    recover(&queue, &clock).await;
    // Sending again is safe, and here it was stored the first time.
    queue.publish(messages(&leads, [2])).await.expect("published");
    let mut claims = queue.claims(&leads);
    let mut seen: Vec<_> = claim(&mut claims, 3).await.iter().map(number).collect();
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 2]);

    let handles = claim(&mut claims, 3).await.into_iter().map(|c| c.into_parts().1).collect();
    fail::cfg("queue::commit_unknown", "1*return").expect("a failure point");
    let unknown = settle_all(handles, messages(&events, [7])).await;
    assert!(matches!(unknown, Err(QueueError::Unknown(_))), "{unknown:?}");
    recover(&queue, &clock).await;
    assert_none_ready(&queue, &leads).await;
    assert_eq!(drain(&queue, &events, 1).await, BTreeSet::from([7]));
    assert_empty(&queue).await;
    queue.close().await;
}

#[test]
fn a_panic_of_the_writer_hangs_nobody_and_releases_the_files() {
    plays("panic", tempfile::tempdir().expect("a directory").path());
}

pub(crate) async fn the_writer_panics(dir: &Path) {
    let queue = Queue::embedded(settings(dir), Clock::real()).expect("the queue opens");
    let leads = topic("leads");
    queue.publish(messages(&leads, [1])).await.expect("published");
    let held = claim_one(&mut queue.claims(&leads)).await;
    let mut waiting = queue.claims(&topic("other"));
    let mut next = pin!(waiting.next(1));
    assert!(futures_util::poll!(next.as_mut()).is_pending());
    fail::cfg("queue::before_commit", "1*panic").expect("a failure point");
    let unknown = soon(queue.publish(messages(&leads, [2]))).await;
    assert!(matches!(unknown, Err(QueueError::Unknown(_))), "{unknown:?}");
    assert_eq!(soon(next).await.err(), Some(QueueError::Closed));
    soon(queue.close()).await;
    assert!(matches!(*queue.health().borrow(), Health::Blocked(_)));
    assert_eq!(held.settle(Vec::new()).await, Err(QueueError::Closed));
    assert_eq!(queue.publish(messages(&leads, [3])).await, Err(QueueError::Closed));
    let again = Queue::embedded(settings(dir), Clock::real()).expect("the files are released");
    assert_eq!(drain(&again, &leads, 1).await, BTreeSet::from([1]));
    assert_empty(&again).await;
    again.close().await;
}

#[test]
fn a_file_size_limit_blocks_and_is_recovered_from() {
    plays("full", tempfile::tempdir().expect("a directory").path());
}

#[test]
fn a_full_file_system_blocks_and_is_recovered_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "none"]).arg(dir.path()).status();
    if mount.is_ok_and(|m| m.success()) {
        let mounted = Mounted(dir.path());
        std::fs::write(dir.path().join(BALLAST), vec![0; 3 << 20]).expect("it fits");
        plays("full", dir.path());
        drop(mounted);
    } else {
        // Where nothing may be mounted, the file-size limit stands in for it.
        plays("full", dir.path());
    }
}

const BALLAST: &str = "ballast";

struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Lazily, because a test that failed may still have files open.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Takes away the room that is left, on a small file system or from this process's files.
struct Room<'a>(&'a Path);

impl Room<'_> {
    fn is_small(&self) -> bool {
        self.0.join(BALLAST).exists()
    }

    fn take(&self) {
        if !self.is_small() {
            limit("3145728:unlimited");
        }
    }

    fn give(&self) {
        if self.is_small() {
            std::fs::remove_file(self.0.join(BALLAST)).expect("removed");
        } else {
            limit("unlimited:unlimited");
        }
    }
}

fn limit(size: &str) {
    let args = [format!("--pid={}", std::process::id()), format!("--fsize={size}")];
    assert!(Command::new("prlimit").args(args).status().expect("prlimit runs").success());
}

pub(crate) async fn the_disk_is_full(dir: &Path) {
    let clock = Clock::manual(start());
    let queue = Queue::embedded(settings(dir), clock.clone()).expect("the queue opens");
    let (leads, events) = (topic("leads"), topic("events"));
    let room = Room(dir);
    queue.publish(messages(&leads, 0..40)).await.expect("published");
    let mut claims = queue.claims(&leads);
    let held = claim(&mut claims, 40).await;
    room.take();

    let (mut sure, mut possible) = (BTreeSet::from_iter(0..40), BTreeSet::new());
    for n in 1000.. {
        let large = leads.message(id(n), &format!("{n:>4000}"));
        match queue.publish(vec![large]).await {
            Ok(()) => drop(sure.insert(n)),
            Err(error) => {
                assert!(matches!(error, QueueError::Blocked(_) | QueueError::Unknown(_)), "{error:?}");
                possible.insert(n);
                break;
            }
        }
    }
    assert!(sure.len() > 140, "there was some room: {}", sure.len());
    assert!(matches!(*queue.health().borrow(), Health::Blocked(_)));
    let again = queue.publish(messages(&leads, [1])).await;
    assert!(matches!(again, Err(QueueError::Blocked(_))), "{again:?}");

    let mut settled = BTreeSet::new();
    for claim in held {
        let n = number(&claim);
        match claim.settle(vec![message(&events, n)]).await {
            Ok(()) => drop(settled.insert(n)),
            Err(QueueError::Blocked(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    clock.advance(Duration::from_secs(1));
    assert_none_ready(&queue, &leads).await;

    room.give();
    recover(&queue, &clock).await;
    queue.publish(messages(&leads, [9_000])).await.expect("it takes messages again");
    sure.insert(9_000);
    sure.retain(|n| !settled.contains(n));
    let left = stats_of(&queue, &leads).await.total();
    let seen = take(&queue, &leads, left).await;
    assert!(sure.is_subset(&seen), "lost: {:?}", sure.difference(&seen));
    assert!(seen.is_subset(&(&sure | &possible)), "from nowhere: {:?}", seen.difference(&sure));
    assert_eq!(drain(&queue, &events, settled.len()).await, settled);
    assert_empty(&queue).await;
    queue.close().await;
    super::crash::assert_sound(&dir.join("queue.db"));
}

/// Settles everything; the texts of the large ones are padded.
async fn take(queue: &Queue, topic: &leadrelay_shared::queue::Topic<String>, count: u64) -> BTreeSet<u32> {
    let claimed = claim(&mut queue.claims(topic), usize::try_from(count).expect("few enough")).await;
    let mut seen = BTreeSet::new();
    for claim in claimed {
        assert!(seen.insert(claim.body().trim_start().parse().expect("a number")), "no message comes twice at a time");
        claim.settle(Vec::new()).await.expect("settled");
    }
    seen
}
