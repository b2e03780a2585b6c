//! Opening the files: the directory, the lock, the database and its schema.
//!
//! Invariant: the database is used by one process, whoever else can read the directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{PAGE, Store};

/// The version of the schema that this code writes and reads.
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");

/// Why the engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it.
    #[error("{} is in use by another leadrelay: stop that one, or give this one a data_dir of its own", .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The files were written by a later version.
    #[error(
        "{} was written by a later leadrelay (version {found}, this one knows {SCHEMA_VERSION}): upgrade, or restore the copy made before",
        .file.display()
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// The version found.
        found: i64,
    },
    /// The file system cannot hold a write-ahead log.
    #[error("{} cannot be in WAL mode (it is in `{found}`): put data_dir on a local disk", .file.display())]
    NoWal {
        /// The database.
        file: PathBuf,
        /// The journal mode it is in instead.
        found: String,
    },
    /// The directory or a file in it cannot be used.
    #[error("cannot use {}: {error}; check that it is a directory that leadrelay may write to", .path.display())]
    Path {
        /// The directory or file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The database cannot be read.
    #[error("cannot open {}: {error}; make room if the disk is full, else restore it from a copy", .file.display())]
    Database {
        /// The database.
        file: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// No thread can be started.
    #[error("cannot start the queue's writer: {0}")]
    Thread(io::Error),
}

impl OpenError {
    /// Whether the disk is full or fails to read or write, which may pass, and not what is on it or who may use it.
    pub fn is_of_disk(&self) -> bool {
        match self {
            Self::Path { error, .. } => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                    || error.raw_os_error() == Some(libc::EIO)
            }
            Self::Database { error, .. } => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
            }
            Self::InUse { .. } | Self::Newer { .. } | Self::NoWal { .. } | Self::Thread(_) => false,
        }
    }
}

/// Makes the directory if need be and locks it for as long as the file is held.
pub(in crate::queue::embedded) fn lock(dir: &Path) -> Result<File, OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Path { path, error }
    };
    if !dir.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
        if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(parent).and_then(|d| d.sync_all()).map_err(failed(parent))?;
        }
    }
    let path = dir.join("queue.lock");
    let file = private().open(&path).map_err(failed(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(&path)(error)),
    }
}

/// Leads are personal data, so only the owner may read the files.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    options
}

impl Store {
    /// Opens the database in a locked directory and makes its tables if it is new. `max_size` bounds the log's share.
    pub(in crate::queue::embedded) fn open(dir: &Path, max_size: u64) -> Result<Self, OpenError> {
        let file = dir.join("queue.db");
        // SQLite gives its other files the permissions of this one.
        private().open(&file).map_err(|error| OpenError::Path { path: file.clone(), error })?;
        let failed = |error| OpenError::Database { file: file.clone(), error };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&file, flags).map_err(failed)?;
        conn.set_prepared_statement_cache_capacity(64);
        let found = configure(&conn, max_size).map_err(failed)?;
        if found != "wal" {
            return Err(OpenError::NoWal { file, found });
        }
        let found = conn.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
        match found {
            0 => {
                let make = format!("BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT");
                conn.execute_batch(&make).map_err(failed)?;
                File::open(dir)
                    .and_then(|d| d.sync_all())
                    .map_err(|error| OpenError::Path { path: dir.to_owned(), error })?;
            }
            SCHEMA_VERSION => {}
            found => return Err(OpenError::Newer { file, found }),
        }
        Ok(Self::new(conn))
    }
}

/// Sets what must be set on every connection, and answers the journal mode.
fn configure(conn: &Connection, max_size: u64) -> rusqlite::Result<String> {
    // A small limit must not be used up by the log alone.
    let checkpoint = (max_size / PAGE / 4).clamp(16, 4000);
    // These two take effect only before the first table.
    conn.execute_batch(&format!("PRAGMA page_size = {PAGE}; PRAGMA auto_vacuum = INCREMENTAL;"))?;
    conn.execute_batch("PRAGMA busy_timeout = 5000;")?;
    let mode = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA fullfsync = 1;
         PRAGMA checkpoint_fullfsync = 1;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA wal_autocheckpoint = {checkpoint};
         PRAGMA secure_delete = FAST;
         PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8000;"
    ))?;
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_may_pass_and_a_file_that_is_no_database_does_not() {
        let database = |code| OpenError::Database {
            file: PathBuf::from("queue.db"),
            error: rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None),
        };
        let path = |code| OpenError::Path { path: PathBuf::new(), error: io::Error::from_raw_os_error(code) };
        for passing in [database(rusqlite::ffi::SQLITE_FULL), database(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)] {
            assert!(passing.is_of_disk(), "{passing}");
        }
        assert!(path(libc::ENOSPC).is_of_disk() && path(libc::EIO).is_of_disk());
        assert!(!database(rusqlite::ffi::SQLITE_NOTADB).is_of_disk());
        assert!(!path(libc::EACCES).is_of_disk());
        assert!(!OpenError::InUse { dir: PathBuf::new() }.is_of_disk());
    }

    #[test]
    fn every_connection_waits_for_the_disk() {
        let dir = tempfile::tempdir().expect("a directory");
        for _ in 0..2 {
            let store = Store::open(dir.path(), 1 << 40).expect("it opens");
            let read = |name: &str| store.number(&format!("PRAGMA {name}"), []).expect("a number");
            assert_eq!(read("synchronous"), 2);
            assert_eq!(read("secure_delete"), 2);
            assert_eq!(read("wal_autocheckpoint"), 4000);
            assert_eq!(read("journal_size_limit"), 64 << 20);
            assert_eq!(read("cache_size"), -8000);
        }
    }

    #[test]
    fn the_log_of_a_small_queue_is_small() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), 1 << 20).expect("it opens");
        assert_eq!(store.number("PRAGMA wal_autocheckpoint", []), Ok(64));
    }
}
