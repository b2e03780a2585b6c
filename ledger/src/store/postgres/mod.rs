//! The store on PostgreSQL, for any number of ledgers at once.
//!
//! Who records locks the leads first ([`session`]), so that what is known of a lead is read, told anew and written by one at a time.
//! A transaction that met another is done again; a connection that broke is replaced.

mod connect;
mod fault;
pub(super) mod migrate;
mod months;
mod session;
mod value;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use leadrelay_shared::config::Database;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub use fault::Fault;
use fault::Kind;
use months::Months;
use session::Session;

use super::db::{Db, values};
use super::{OpenError, StoreError, blocking};

/// Connections at once; further work waits.
const CONNECTIONS: usize = 6;
/// What the one holds whose turn it is: `turn` in ASCII.
const TURN: i64 = 0x7475_726e;
/// What the one holds who watches for what is wrong: `watch` in ASCII.
const WATCH: i64 = 0x77_6174_6368;
/// How often a transaction is tried that others get in the way of.
const TRIES: u32 = 10;

const WRITE: &str = "BEGIN";
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(super) struct Postgres {
    database: Database,
    handle: Handle,
    idle: Mutex<Vec<Session>>,
    permits: Arc<Semaphore>,
    months: Months,
}

/// Ends when it is dropped: the server lets the next one have it when the connection closes.
#[derive(Default)]
pub(crate) struct Turn {
    session: Option<Mutex<Session>>,
}

impl Turn {
    /// Whether it is still this one's: a connection that broke has let another one have it.
    pub(crate) async fn holds(self: Arc<Self>) -> bool {
        let asked = move || match &self.session {
            None => Ok(true),
            Some(session) => session.lock().unwrap_or_else(PoisonError::into_inner).batch("SELECT 1").map(|()| true),
        };
        blocking(asked).await.unwrap_or(false)
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postgres")
    }
}

impl Postgres {
    /// Connects, and brings the database up to date. Not on an async thread.
    pub(super) fn open(database: Database, handle: Handle) -> Result<Self, OpenError> {
        let months = Months::default();
        let session = Session::new(&database, &handle, &months).map_err(OpenError::Postgres)?;
        migrate::migrate(&session)?;
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        Ok(Self { database, handle, idle: Mutex::new(vec![session]), permits, months })
    }

    /// Lets go of the connections that nobody uses.
    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits for the turn on a connection of its own, which it holds.
    pub(super) async fn turn(self: Arc<Self>) -> Result<Turn, StoreError> {
        blocking(move || {
            let session = Session::new(&self.database, &self.handle, &self.months)?;
            session.batch(&format!("SELECT pg_advisory_lock({TURN})"))?;
            Ok(Turn { session: Some(Mutex::new(session)) })
        })
        .await
    }

    /// The watch on a connection of its own, unless another ledger has it.
    pub(super) async fn watch(self: Arc<Self>) -> Result<Option<Turn>, StoreError> {
        blocking(move || {
            let session = Session::new(&self.database, &self.handle, &self.months)?;
            let free = session.query_opt("SELECT pg_try_advisory_lock(?)", values![WATCH])?;
            let free = free.is_some_and(|row| row.get(0).unwrap_or(false));
            Ok(free.then(|| Turn { session: Some(Mutex::new(session)) }))
        })
        .await
    }

    pub(super) async fn write<T: Send + 'static>(
        self: Arc<Self>,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(WRITE, work).await
    }

    pub(super) async fn read<T: Send + 'static>(
        self: Arc<Self>,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(READ, work).await
    }

    async fn transact<T: Send + 'static>(
        self: Arc<Self>,
        begin: &'static str,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| StoreError::Abandoned)?;
        blocking(move || {
            // With the work and not with its caller, who may be gone before it is done.
            let _permit = permit;
            let mut tries = 0;
            loop {
                tries += 1;
                match self.once(begin, &work) {
                    Err(error) if tries < TRIES && goes_through_again(&error) => {}
                    outcome => return outcome,
                }
            }
        })
        .await
    }

    fn once<T>(&self, begin: &str, work: &impl Fn(&dyn Db) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let session = self.begun(begin)?;
        let outcome = work(&session).and_then(|answer| session.commit().map(|()| answer));
        let Err(error) = &outcome else {
            self.keep(session);
            return outcome;
        };
        // Where this fails the connection is dropped, and the server rolls back.
        if session.roll_back().is_ok() {
            if matches!(error, StoreError::Postgres(fault) if fault.kind() == Kind::NoMonth) {
                self.make_months(&session)?;
            }
            self.keep(session);
        }
        outcome
    }

    fn make_months(&self, session: &Session) -> Result<(), StoreError> {
        let missing = session.take_missing();
        if missing.is_empty() {
            // It was the server that missed one: another process has dropped what was known here.
            self.months.doubt();
            return Ok(());
        }
        months::make(session, &missing)?;
        self.months.made(&missing);
        Ok(())
    }

    /// A connection in a transaction: one that was used before, as long as there is one that lives.
    fn begun(&self, begin: &str) -> Result<Session, StoreError> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(session) = idle else { break };
            if session.lives() && session.begin(begin).is_ok() {
                return Ok(session);
            }
        }
        let session = Session::new(&self.database, &self.handle, &self.months)?;
        session.begin(begin)?;
        Ok(session)
    }

    fn keep(&self, session: Session) {
        if session.lives() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }
}

/// Whether another transaction was in the way, or a month had no parts, which have been made since.
fn goes_through_again(error: &StoreError) -> bool {
    matches!(error, StoreError::Postgres(fault) if matches!(fault.kind(), Kind::Again | Kind::NoMonth))
}
