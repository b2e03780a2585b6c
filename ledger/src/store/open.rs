//! Opening the file: the lock, the settings, the schema and its version.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::StoreError;

/// The schema's version, kept in the file.
const VERSION: i64 = 3;

/// What makes a database of version 1 one of version 2.
const FROM_1: &str =
    "ALTER TABLE destination ADD COLUMN unfit_at INTEGER; ALTER TABLE destination ADD COLUMN unfit TEXT;";
/// What makes a database of version 2 one of version 3. Deliveries that are under way get their route with their next fact.
const FROM_2: &str = "ALTER TABLE delivery ADD COLUMN route TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN open_since INTEGER;
UPDATE delivery SET open_since = received_at WHERE state IN ('routed', 'deferred');
CREATE INDEX delivery_open ON delivery (destination, route, open_since) WHERE open_since IS NOT NULL;
CREATE INDEX parked_group ON parked (destination, kind, at);
CREATE TABLE alert (channel TEXT PRIMARY KEY, known TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alert_message (channel TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, message TEXT NOT NULL,
  PRIMARY KEY (channel, id)) WITHOUT ROWID;";
const SCHEMA: &str = include_str!("schema.sql");
/// Another program may look into the file, but not hold it for long; the recorder tries again anyway.
const BUSY: Duration = Duration::from_millis(250);

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be made.
    #[error("the ledger cannot use {path}: {source}; make it writable for this user", path = path.display())]
    Directory {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("another leadrelay has the ledger in {path} open; stop it, or give this one a data_dir of its own", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A later version made it.
    #[error(
        "{path} was written by a later leadrelay (schema {found}, this one knows up to {VERSION}); upgrade leadrelay, or move the file away to begin a new history",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// It is not a database, or damaged.
    #[error(
        "{path} cannot be read as the ledger's database ({source}); move it away to begin a new history (leads under way are in the queue and are not touched)",
        path = path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) path: PathBuf,
    pub(super) lock: File,
}

pub(super) fn open(dir: &Path) -> Result<Opened, OpenError> {
    let directory = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Directory { path, source }
    };
    std::fs::create_dir_all(dir).map_err(directory(dir))?;
    let lock_path = dir.join("ledger.lock");
    let lock = private_file(&lock_path).map_err(directory(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(OpenError::Locked { path: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => return Err(directory(&lock_path)(source)),
    }
    let path = dir.join("ledger.db");
    // Made here, so that nobody else on the machine can read it; the files that SQLite puts beside it follow suit.
    private_file(&path).map_err(directory(&path))?;
    let unreadable = |source| OpenError::Unreadable { path: path.clone(), source };
    let mut writer = Connection::open(&path).map_err(unreadable)?;
    settle_in(&writer).map_err(unreadable)?;
    let found = writer.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).map_err(unreadable)?;
    match found {
        0 => make(&mut writer, &[SCHEMA]).map_err(unreadable)?,
        1 => make(&mut writer, &[FROM_1, FROM_2]).map_err(unreadable)?,
        2 => make(&mut writer, &[FROM_2]).map_err(unreadable)?,
        VERSION => {}
        found => return Err(OpenError::Newer { path, found }),
    }
    Ok(Opened { writer, path, lock })
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn settle_in(writer: &Connection) -> rusqlite::Result<()> {
    writer.busy_timeout(BUSY)?;
    writer.set_prepared_statement_cache_capacity(64);
    // Takes effect on a file that is still empty, and so must come first.
    writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    writer.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
    writer.pragma_update(None, "foreign_keys", false)?;
    writer.pragma_update(None, "cache_size", -16 * 1024)?;
    writer.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))
}

/// Brings the database to this version, as a whole or not at all.
fn make(writer: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = writer.transaction()?;
    steps.iter().try_for_each(|step| transaction.execute_batch(step))?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    reader.busy_timeout(BUSY)?;
    reader.set_prepared_statement_cache_capacity(32);
    reader.pragma_update(None, "cache_size", -4 * 1024)?;
    Ok(reader)
}

impl StoreError {
    /// In words that may be shown without a token.
    pub fn bland(&self) -> &'static str {
        match self {
            Self::Database(error) => bland(error),
            _ => "the database cannot be written",
        }
    }
}

impl OpenError {
    /// In words that may be shown without a token.
    pub fn bland(&self) -> &'static str {
        match self {
            Self::Directory { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => "the disk is full",
            Self::Directory { .. } => "its directory cannot be used",
            Self::Locked { .. } => "another leadrelay has it open",
            Self::Newer { .. } => "the database was written by a later leadrelay",
            Self::Unreadable { source, .. } => bland(source),
        }
    }
}

fn bland(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "the database is locked by another program",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "the database is damaged",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "the database is not writable"
        }
        _ => "the database cannot be written",
    }
}
