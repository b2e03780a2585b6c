//! The ledger's store: one SQLite file, one writer, a few readers.
//!
//! Invariant: rows are a function of the set of facts recorded, so facts may come twice and in any order. All access is
//! through the methods of [`Store`], so that another database can stand behind the same functions.

mod accept;
mod alerts;
mod destinations;
mod filter;
mod fold;
mod leads;
mod open;
mod parked;
mod record;
mod retention;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Semaphore;

pub use alerts::{COUNTED, Habit, Open, ParkedGroup, Unsent};
pub use destinations::{DestinationRow, SourceRow};
pub use filter::{Cursor, PAGE_MAX};
pub(crate) use fold::Story;
pub use leads::{FoundLead, Kept};
pub use open::OpenError;
pub use parked::ParkedRow;
pub use retention::Step;
pub(crate) use rows::{Acceptance, Told, What, state, state_word};

/// Readers at once; further ones wait.
const READERS: usize = 4;

/// The store; clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    path: PathBuf,
    /// Held for as long as the store is open.
    lock: Mutex<Option<std::fs::File>>,
}

/// Why the store could not be asked or written. Holds no value of a lead.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses: disk full, file locked, file damaged.
    #[error("the ledger's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A row does not say what this version writes.
    #[error("the ledger's database holds a {what} that cannot be read")]
    Row {
        /// What kind of value.
        what: &'static str,
    },
    /// The work was abandoned because it panicked or the runtime ended.
    #[error("the ledger's database was not asked to the end")]
    Abandoned,
}

impl Store {
    /// Opens or makes `ledger.db` in `data_dir`, and locks it against a second ledger.
    ///
    /// # Errors
    /// When it cannot be used; the text says why and what to do.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let opened = open::open(data_dir)?;
        Ok(Self(Arc::new(Inner {
            writer: Mutex::new(opened.writer),
            readers: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(READERS)),
            path: opened.path,
            lock: Mutex::new(Some(opened.lock)),
        })))
    }

    /// Lets another ledger have the file, although clones of this store may still be around.
    pub fn close(&self) {
        if let Some(lock) = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // In words and not by closing the file alone: a child that is just being started has a copy of it for a moment.
            // Where that fails, closing does it.
            let _ = lock.unlock();
        }
    }

    /// Runs `work` in one transaction, off the async threads. It is durable when this returns `Ok`.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.0.clone();
        blocking(move || {
            // A panic in an earlier write rolled its transaction back; the connection is as good as before.
            let mut writer = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }

    /// Runs `work` on one consistent view of the store, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.0.permits.clone().acquire_owned().await.map_err(|_| StoreError::Abandoned)?;
        let inner = self.0.clone();
        blocking(move || {
            // With the work and not with its caller, who may be gone before it is done.
            let _permit = permit;
            let idle = inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => open::reader(&inner.path)?,
            };
            let view = reader.transaction()?;
            let answer = work(&view);
            drop(view);
            inner.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            answer
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Abandoned))
}

/// A time as it stands in a column.
fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A time from a column.
fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| StoreError::Row { what: "time" })
}

/// Something as JSON for a column. Plain data always serializes; were it not to, the row says so when it is read.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Something from a column of JSON.
fn read_json<T: serde::de::DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Row { what })
}
