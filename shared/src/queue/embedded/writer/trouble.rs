//! When the disk fails: what became of the transaction, and how the writer finds its way back.
//!
//! Invariant: after an error that may have left a transaction half known, the connection is opened anew and the whole log is
//! written into the database before anything is taken again. A page that failed to reach the disk may be clean in the
//! system's memory; writing it again is the only way to be sure of it.

use std::time::Duration;

use rusqlite::{Error, ffi};

use super::{LOOK_AGAIN, Writer};
use crate::queue::QueueError;
use crate::queue::embedded::store::Store;

/// Why nothing is taken now.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) reason: String,
    /// When to try again, on the monotonic reading.
    pub(super) probe_at: Duration,
}

/// What went wrong, and what that means.
#[derive(Debug)]
pub(super) struct Fault {
    reason: String,
    stored: Stored,
    ends_connection: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Nothing,
    Unknown,
}

impl Fault {
    /// Reading failed.
    pub(super) fn reading(error: &Error) -> Self {
        Self::of(error, Stored::Nothing)
    }

    /// Writing failed before the commit: without its last frame, the log holds nothing of it.
    pub(super) fn writing(error: &Error) -> Self {
        Self::of(error, Stored::Nothing)
    }

    /// The commit failed. When not all of it could be written, nothing is stored; after any other error the last frame may be
    /// in the log, and the next start would find it there.
    pub(super) fn committing(error: &Error) -> Self {
        let stored = if is_plain(error) { Stored::Nothing } else { Stored::Unknown };
        Self::of(error, stored)
    }

    /// There is no connection.
    pub(super) fn away(reason: Option<String>) -> Self {
        let reason = reason.unwrap_or_else(|| "the database is being opened anew".to_owned());
        Self { reason, stored: Stored::Nothing, ends_connection: true }
    }

    fn of(error: &Error, stored: Stored) -> Self {
        let remedy = match error.sqlite_error_code() {
            Some(ffi::ErrorCode::DiskFull) => "make room on its disk",
            Some(ffi::ErrorCode::SystemIoFailure) => "make room on its disk, or check the disk and the file-size limit",
            Some(ffi::ErrorCode::DatabaseBusy | ffi::ErrorCode::DatabaseLocked) => "end the program that has it open",
            Some(ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase) => "stop and restore it from a copy",
            _ => "check the disk",
        };
        let reason = format!("the queue's database cannot be used ({error}): {remedy}");
        Self { reason, stored, ends_connection: !is_plain(error) }
    }

    /// Whether less, or the same with more room, may succeed on the same connection.
    pub(super) fn wants_room(&self) -> bool {
        self.stored == Stored::Nothing && !self.ends_connection
    }

    pub(super) fn ends_connection(&self) -> bool {
        self.ends_connection
    }

    pub(super) fn answer(&self) -> QueueError {
        match self.stored {
            Stored::Nothing => QueueError::Blocked(self.reason.clone()),
            Stored::Unknown => QueueError::Unknown(self.reason.clone()),
        }
    }
}

/// Whether it only says that there is no room or that another has the lock; the connection survives that, and nothing of the
/// transaction is in the log.
fn is_plain(error: &Error) -> bool {
    let Some(error) = error.sqlite_error() else { return false };
    matches!(error.code, ffi::ErrorCode::DiskFull | ffi::ErrorCode::DatabaseBusy)
        || error.extended_code == ffi::SQLITE_IOERR_WRITE
}

impl Writer {
    /// Takes no more until a probe has written.
    pub(super) fn meet(&mut self, fault: &Fault) {
        if fault.ends_connection {
            self.store = None;
        }
        // Further failures must not put the probe off.
        let probe_at = self.trouble.as_ref().map_or(self.time.reading() + LOOK_AGAIN, |t| t.probe_at);
        self.trouble = Some(Trouble { reason: fault.reason.clone(), probe_at });
    }

    /// Tries, when it is time, whether the disk takes writes again.
    pub(super) fn probe(&mut self) {
        let now = self.time.reading();
        if self.trouble.as_ref().is_none_or(|t| now < t.probe_at) {
            return;
        }
        match self.write_again() {
            Ok(()) => self.trouble = None,
            Err(reason) => self.trouble = Some(Trouble { reason, probe_at: now + LOOK_AGAIN }),
        }
    }

    fn write_again(&mut self) -> Result<(), String> {
        if let Some(store) = &self.store {
            let probed = store.checkpoint().and_then(|()| store.probe());
            // It cannot fail in a way that matters: the next transaction would find the same.
            let _ = store.rollback();
            return probed.map_err(|error| {
                let fault = Fault::committing(&error);
                if fault.ends_connection {
                    self.store = None;
                }
                fault.reason
            });
        }
        let store = Store::open(&self.settings.dir, self.settings.max_size).map_err(|e| e.to_string())?;
        let taken_up =
            store.empty_log().and_then(|()| store.probe()).and_then(|()| self.books.load(&store, &self.time));
        taken_up.map_err(|error| Fault::committing(&error).reason)?;
        self.store = Some(store);
        Ok(())
    }
}
