//! The ledger's store.
//!
//! Invariant: rows are a function of the set of facts recorded, so facts may come twice and in any order. All access is
//! through the methods of [`Store`], which are written once, in SQL for any database ([`db`]).

mod accept;
mod alerts;
mod audit;
mod db;
mod destinations;
mod erased;
mod error;
mod filter;
mod fold;
mod leads;
mod overview;
mod parked;
mod person;
mod postgres;
mod record;
mod reseal;
mod retention;
mod rows;
mod seal;
mod sqlite;
mod transfer;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use leadrelay_shared::config::{Database, Loaded};
use tokio::runtime::Handle;

pub use alerts::{COUNTED, Habit, Open, Unsent};
pub use audit::Act;
pub use destinations::{DestinationRow, SourceRow};
pub use error::{OpenError, StoreError};
pub use filter::{Cursor, PAGE_MAX};
pub(crate) use fold::Story;
pub use leads::{FoundLead, Kept};
pub use overview::{Day, Overview, ParkedGroup};
pub use parked::ParkedRow;
pub use person::Person;
pub use postgres::Fault;
pub(crate) use postgres::Turn;
pub use reseal::Resealing;
pub use retention::Step;
pub(crate) use rows::{Acceptance, Told, What, state, state_word};
pub use transfer::{MoveError, Moved};

use db::Db;
use postgres::Postgres;
use seal::Sealer;
use sqlite::Sqlite;

/// The store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    sealer: Sealer,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Store {
    /// Opens or makes `ledger.db` in `data_dir`, and locks it against a second ledger.
    ///
    /// # Errors
    /// When it cannot be used; the text says why and what to do.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        Ok(Self::on(Engine::Sqlite(Arc::new(Sqlite::open(data_dir)?))))
    }

    /// Connects to a PostgreSQL database, and brings it up to date. Any number of ledgers may have it.
    ///
    /// # Errors
    /// When it cannot be used; the text says why and what to do.
    pub async fn connect(database: Database) -> Result<Self, OpenError> {
        let handle = Handle::current();
        opening(move || Ok(Self::on(Engine::Postgres(Arc::new(Postgres::open(database, handle)?))))).await
    }

    /// Opens what the configuration says.
    ///
    /// # Errors
    /// When it cannot be used; the text says why and what to do.
    pub async fn of(loaded: &Loaded) -> Result<Self, OpenError> {
        let store = match loaded.ledger_database() {
            Some(database) => Self::connect(database).await?,
            None => {
                let data_dir = loaded.data_dir();
                opening(move || Self::open(&data_dir)).await?
            }
        };
        Ok(store.sealing(&loaded.config.ledger.payload_keys()))
    }

    fn on(engine: Engine) -> Self {
        Self { engine, sealer: Sealer::default() }
    }

    /// The same store, which seals payloads with the first of these keys and opens those that are sealed with any of them. Without
    /// keys payloads are kept as they are.
    #[must_use]
    pub fn sealing(self, keys: &[[u8; 32]]) -> Self {
        Self { sealer: Sealer::new(keys), ..self }
    }

    /// Lets another ledger have it, although clones of this store may still be around.
    pub fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close(),
            Engine::Postgres(postgres) => postgres.close(),
        }
    }

    /// Waits until it is this one's turn among all ledgers on this store, for as long as what is answered lives.
    pub(crate) async fn turn(&self) -> Result<Turn, StoreError> {
        match &self.engine {
            // There is no other.
            Engine::Sqlite(_) => Ok(Turn::default()),
            Engine::Postgres(postgres) => postgres.clone().turn().await,
        }
    }

    /// The watch over what is wrong, for as long as what is answered lives, unless another ledger on this store has it.
    pub(crate) async fn watch(&self) -> Result<Option<Turn>, StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(Some(Turn::default())),
            Engine::Postgres(postgres) => postgres.clone().watch().await,
        }
    }

    /// Runs `work` in one transaction, off the async threads; again where others were in its way. It is durable when this
    /// returns `Ok`.
    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.clone().write(work).await,
            Engine::Postgres(postgres) => postgres.clone().write(work).await,
        }
    }

    /// Runs `work` on one consistent view of the store, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.clone().read(work).await,
            Engine::Postgres(postgres) => postgres.clone().read(work).await,
        }
    }
}

async fn opening(open: impl FnOnce() -> Result<Store, OpenError> + Send + 'static) -> Result<Store, OpenError> {
    tokio::task::spawn_blocking(open).await.unwrap_or(Err(OpenError::Abandoned))
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
