//! How a test gets a queue, whatever its engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::Queue;
use leadrelay_shared::queue::embedded::Settings;

/// Opens queues of one engine.
pub(crate) trait Opener {
    /// Opens the queue that is kept in `dir`.
    async fn open(&self, dir: &Path, clock: Clock) -> Queue;

    /// Ends a queue as a crash would, with all its claims, and answers where what it leaves can be opened.
    async fn end_abruptly(&self, queue: Queue, dir: &Path) -> PathBuf;
}

/// The embedded engine.
pub(crate) struct Embedded;

impl Opener for Embedded {
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
