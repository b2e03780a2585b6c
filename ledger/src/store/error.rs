//! Why the store cannot be opened, asked or written.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::postgres::{self, Fault};
use super::sqlite;

const NO_KEY: &str = "a payload is sealed with a key that is not configured; add it to ledger.payload_key";
const BROKEN: &str = "a sealed payload cannot be opened: it was changed, or moved to a place that is not its own";

/// Why the store could not be asked or written. Holds no value of a lead.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses: disk full, file locked, file damaged.
    #[error("the ledger's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// PostgreSQL, or the way to it.
    #[error("the ledger's PostgreSQL database: {0}")]
    Postgres(#[from] Fault),
    /// A row does not say what this version writes.
    #[error("the ledger's database holds a {what} that cannot be read")]
    Row {
        /// What kind of value.
        what: &'static str,
    },
    /// The key that a payload is sealed with is not known here.
    #[error("{NO_KEY}")]
    NoKey,
    /// What is sealed is not what was sealed there.
    #[error("{BROKEN}")]
    Broken,
    /// Sealing needs random numbers, and there are none.
    #[error("a payload cannot be sealed: the system gives no random numbers")]
    NoRandom,
    /// The work was abandoned because it panicked or the runtime ended.
    #[error("the ledger's database was not asked to the end")]
    Abandoned,
}

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
        "{path} was written by a later leadrelay (schema {found}, this one knows up to {}); upgrade leadrelay, or move the file away to begin a new history",
        sqlite::open::VERSION,
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
    /// PostgreSQL, or the way to it.
    #[error("the ledger cannot use its PostgreSQL database: {0}")]
    Postgres(Fault),
    /// A later version made the PostgreSQL database.
    #[error(
        "the ledger's PostgreSQL database was written by a later leadrelay (schema {found}, this one knows up to {}); upgrade leadrelay, or name another database in ledger.url to begin a new history",
        postgres::migrate::VERSION
    )]
    NewerDatabase {
        /// Its version.
        found: i64,
    },
    /// The PostgreSQL database has a table of ours that is not as we make it.
    #[error("the ledger's PostgreSQL database is not one that leadrelay has made; name another one in ledger.url")]
    NotOurs,
    /// Opening it panicked, or the runtime ended.
    #[error("the ledger was not opened to the end")]
    Abandoned,
}

impl StoreError {
    /// Whether all is well but for one payload that cannot be opened.
    pub(crate) fn is_unopened(&self) -> bool {
        matches!(self, Self::NoKey | Self::Broken)
    }

    /// In words that may be shown without a token.
    pub fn bland(&self) -> &'static str {
        match self {
            Self::Database(error) => bland(error),
            Self::Postgres(fault) => fault.bland(),
            Self::NoKey => NO_KEY,
            Self::Broken => BROKEN,
            Self::NoRandom => "the system gives no random numbers",
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
            Self::Postgres(fault) => fault.bland(),
            Self::NotOurs => "the database is not leadrelay's",
            Self::Abandoned => "opening it panicked",
            Self::Newer { .. } | Self::NewerDatabase { .. } => "the database was written by a later leadrelay",
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
