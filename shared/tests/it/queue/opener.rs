//! How a test gets a queue, whatever its engine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::Queue;
use leadrelay_shared::queue::embedded::Settings;

use super::harness::start;

/// Opens queues of one engine, and says what it promises beyond the contract.
pub(crate) trait Opener {
    /// Whether what ends abruptly is a copy, and the queue itself lives on.
    const COPIES: bool;

    /// Whether its figures tell how long messages wait, and for which topic.
    const TELLS_ALL: bool;

    /// What stands for a minute: a delay that is worth waiting for in a test.
    const MINUTE: Duration;

    /// Opens the queue that is kept in `dir`, and waits until it works.
    async fn open(&self, dir: &Path, clock: Clock) -> Queue;

    /// Ends a queue as a crash would, with all its claims, and answers where what it leaves can be opened.
    async fn end_abruptly(&self, queue: Queue, dir: &Path) -> PathBuf;

    /// A clock that delays are measured by.
    fn clock(&self) -> Clock;

    /// Lets time pass on it.
    async fn pass(&self, clock: &Clock, time: Duration);
}

/// The embedded engine.
pub(crate) struct Embedded;

impl Opener for Embedded {
    const COPIES: bool = true;
    const TELLS_ALL: bool = true;
    const MINUTE: Duration = Duration::from_mins(1);

    fn clock(&self) -> Clock {
        Clock::manual(start())
    }

    async fn pass(&self, clock: &Clock, time: Duration) {
        clock.advance(time);
    }

    async fn open(&self, dir: &Path, clock: Clock) -> Queue {
        Queue::embedded(settings(dir), clock).expect("the queue opens")
    }

    /// A process cannot crash in part, so a copy is taken while nothing is being written: it is what a crash would leave.
    async fn end_abruptly(&self, queue: Queue, dir: &Path) -> PathBuf {
        // Everything handed in before this is on disk when it is answered.
        queue.stats().await.expect("the queue is open");
        let copy = dir.join("after-the-crash");
        copy_files(dir, &copy);
        copy
    }
}

/// Settings without limits.
pub(crate) fn settings(dir: &Path) -> Settings {
    Settings { dir: dir.to_owned(), max_size: 1 << 40, min_free: 0 }
}

/// Copies a queue's files. By `cp`: a file that this process opens and closes itself would lose SQLite's locks on it.
pub(crate) fn copy_files(dir: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a directory for the copy");
    for name in ["queue.db", "queue.db-wal"] {
        let from = dir.join(name);
        if from.exists() {
            let copied = Command::new("cp").arg(&from).arg(to.join(name)).status().expect("cp runs");
            assert!(copied.success(), "{name} is copied");
        }
    }
}
