//! Our own limits: how large the database may get, and how much of the disk is left to others.
//!
//! Only publishing is held back by them. Settling goes on, since it is what makes room.

use std::path::{Path, PathBuf};

use super::Settings;
use super::store::{PAGE, Store};

/// Publish at most this much between two looks.
const LOOK_EVERY_BYTES: u64 = 1 << 20;
/// Commit at most this often between two looks.
const LOOK_EVERY_COMMITS: u32 = 32;

/// Watches the limits.
#[derive(Debug)]
pub(super) struct Space {
    dir: PathBuf,
    log: PathBuf,
    max_size: u64,
    min_free: u64,
    bytes: u64,
    commits: u32,
    full: Option<String>,
}

impl Space {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            dir: settings.dir.clone(),
            log: settings.dir.join("queue.db-wal"),
            max_size: settings.max_size,
            min_free: settings.min_free,
            bytes: LOOK_EVERY_BYTES,
            commits: 0,
            full: None,
        }
    }

    /// Why nothing may be published now.
    pub(super) fn full(&self) -> Option<&str> {
        self.full.as_deref()
    }

    /// Counts what is about to be published, and looks when it has been long enough. While it is full, looking is left to
    /// the writer's alarm, so that a flood of refused messages costs nothing.
    pub(super) fn expect(&mut self, bytes: u64, store: &Store) -> rusqlite::Result<()> {
        self.bytes += bytes;
        self.commits += 1;
        let long_enough = self.bytes >= LOOK_EVERY_BYTES || self.commits >= LOOK_EVERY_COMMITS;
        if long_enough && self.full.is_none() { self.look(store) } else { Ok(()) }
    }

    /// Looks how much there is. What was full must have a twentieth to spare before it no longer is.
    pub(super) fn look(&mut self, store: &Store) -> rusqlite::Result<()> {
        (self.bytes, self.commits) = (0, 0);
        let (slack, need) = match self.full {
            Some(_) => (self.max_size / 20, self.min_free / 20),
            None => (0, 0),
        };
        let max = self.max_size - slack;
        if used(store)? + self.log_size() > max && self.log_size() > 0 {
            store.empty_log()?;
        }
        let used = used(store)? + self.log_size();
        let free = free_bytes(&self.dir);
        self.full = if used > max {
            Some(format!(
                "the queue in {} holds {used} of {} bytes; let its backlog drain, or raise its max_size",
                self.dir.display(),
                self.max_size
            ))
        } else if free.is_some_and(|free| free < self.min_free.saturating_add(need)) {
            Some(format!("less than {} bytes are free on the disk of {}; make room", self.min_free, self.dir.display()))
        } else {
            None
        };
        Ok(())
    }

    /// Bytes of the log's file.
    pub(super) fn log_size(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |m| m.len())
    }
}

/// Bytes of the database that are in use: free pages are filled again before the file grows.
fn used(store: &Store) -> rusqlite::Result<u64> {
    let (pages, free) = store.pages()?;
    Ok(pages.saturating_sub(free) * PAGE)
}

/// What the file system has left for us; `None` where it does not say.
#[expect(unsafe_code, reason = "the standard library cannot ask a file system how full it is")]
pub fn free_bytes(dir: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(dir.as_os_str().as_bytes()).ok()?;
    // SAFETY: all-zero bytes are a valid `statvfs`, which is plain numbers.
    let mut answer: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with NUL and `answer` is ours to write; neither is kept after the call.
    let done = unsafe { libc::statvfs(path.as_ptr(), &raw mut answer) };
    (done == 0).then(|| answer.f_bavail * answer.f_frsize)
}

/// Lets a write beyond the process's file-size limit fail with an error, as on a full disk, where it would else end the
/// process.
#[expect(unsafe_code, reason = "the standard library cannot set how a signal is taken")]
pub(super) fn survive_file_size_limit() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
