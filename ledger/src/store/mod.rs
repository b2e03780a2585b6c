//! The ledger's store.
//!
//! Invariant: rows are a function of the set of facts recorded, so facts may come twice and in any order. All access is
//! through the methods of [`Store`], which are written once, in SQL for any database ([`db`]).

mod accept;
mod audit;
mod db;
mod destinations;
mod erased;
mod filter;
mod fold;
mod leads;
mod overview;
mod parked;
mod person;
mod record;
mod retention;
mod rows;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

pub use audit::Act;
pub use destinations::{DestinationRow, SourceRow};
pub use filter::{Cursor, PAGE_MAX};
pub(crate) use fold::Story;
pub use leads::{FoundLead, Kept};
pub use overview::{Day, Overview, ParkedGroup};
pub use parked::ParkedRow;
pub use person::Person;
pub use retention::Step;
pub(crate) use rows::{Acceptance, Told, What, state, state_word};
pub use sqlite::open::OpenError;

use db::Db;
use sqlite::Sqlite;

/// The store; clones share it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Sqlite>);

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
        Ok(Self(Arc::new(Sqlite::open(data_dir)?)))
    }

    /// Lets another ledger have the file, although clones of this store may still be around.
    pub fn close(&self) {
        self.0.close();
    }

    /// Runs `work` in one transaction, off the async threads. It is durable when this returns `Ok`.
    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.clone().write(work).await
    }

    /// Runs `work` on one consistent view of the store, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.clone().read(work).await
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
