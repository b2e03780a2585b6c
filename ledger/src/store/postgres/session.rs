//! A connection with its prepared statements, as the store's functions see it.
//!
//! Invariant: nothing is committed after a statement has failed. It is used by one thread at a time. That waits for the answer to
//! what it asks; changes are sent one behind the other, and their answers are looked at before the transaction ends.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use leadrelay_shared::config::Database;
use leadrelay_shared::id::LeadId;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::connect::{Connected, connect};
use super::fault::{Fault, Kind};
use super::months::{self, Months};
use super::value;
use crate::store::StoreError;
use crate::store::db::{Db, Row, Value};
use crate::store::micros;
use crate::store::retention::Step;
use crate::store::rows::{lead_id, lead_key};

/// The server ends a statement before this; a server that does not even do that is gone.
const ANSWER: Duration = Duration::from_secs(60);
/// Prepared statements kept: there are some fifty, and lists make theirs of what they are filtered by.
const STATEMENTS: usize = 200;

/// Changes and questions that are on their way at once.
const ON_THE_WAY: usize = 128;

/// The answer to a change that is on its way.
type Answer = Pin<Box<dyn Future<Output = Result<u64, tokio_postgres::Error>> + Send>>;

pub(super) struct Session {
    connected: Connected,
    handle: Handle,
    statements: RefCell<HashMap<String, Statement>>,
    changes: RefCell<VecDeque<Answer>>,
    /// The months known to have parts, shared by all sessions of a store.
    months: Months,
    /// Months that turned out to have none.
    missing: RefCell<BTreeSet<i64>>,
    /// A statement of this transaction has failed.
    failed: Cell<bool>,
    /// An answer never came, and might come as another's.
    broken: Cell<bool>,
}

impl Session {
    pub(super) fn new(database: &Database, handle: &Handle, months: &Months) -> Result<Self, Fault> {
        Ok(Self {
            connected: handle.block_on(connect(database))?,
            handle: handle.clone(),
            statements: RefCell::default(),
            changes: RefCell::default(),
            months: months.clone(),
            missing: RefCell::default(),
            failed: Cell::new(false),
            broken: Cell::new(false),
        })
    }

    /// Whether it can be used again.
    pub(super) fn lives(&self) -> bool {
        !self.broken.get() && !self.connected.client.is_closed()
    }

    pub(super) fn begin(&self, sql: &str) -> Result<(), StoreError> {
        self.failed.set(false);
        self.batch(sql)
    }

    pub(super) fn commit(&self) -> Result<(), StoreError> {
        self.changed()?;
        if self.failed.get() {
            // The server would answer COMMIT with a success and roll back.
            return Err(Fault::from(Kind::Other).into());
        }
        self.batch("COMMIT")
    }

    pub(super) fn roll_back(&self) -> Result<(), StoreError> {
        self.changes.borrow_mut().clear();
        self.batch("ROLLBACK")
    }

    /// The months that this transaction found to have no parts.
    pub(super) fn take_missing(&self) -> BTreeSet<i64> {
        self.missing.take()
    }

    /// Statements without values and without answers.
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.wait(self.connected.client.batch_execute(sql))
    }

    /// Waits for an answer. What comes after a change that failed fails for that alone, so it is the change's failure that is told.
    fn wait<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
        let answered = self.answered(answer);
        if answered.is_err() {
            self.changed()?;
        }
        answered
    }

    /// Waits until all changes are made.
    fn changed(&self) -> Result<(), StoreError> {
        let changes = self.changes.take();
        self.answered(async move {
            for change in changes {
                change.await?;
            }
            Ok(())
        })
    }

    fn answered<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
        let answered = match self.handle.block_on(async { timeout(ANSWER, answer).await }) {
            Ok(answered) => answered.map_err(|error| Fault::from(&error)),
            Err(_) => {
                self.broken.set(true);
                Err(Kind::Silent.into())
            }
        };
        answered.map_err(|fault| {
            self.failed.set(true);
            fault.into()
        })
    }

    fn statement(&self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(known) = self.statements.borrow().get(sql) {
            return Ok(known.clone());
        }
        let statement = self.wait(self.connected.client.prepare(&value::numbered(sql)))?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Rows for values that may be lists.
    fn rows(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        self.wait(self.connected.client.query(&statement, values))?.iter().map(value::row).collect()
    }
}

impl Db for Session {
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, StoreError> {
        let statement = self.statement(sql)?;
        let changed = self.wait(self.connected.client.execute_raw(&statement, values))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn change(&self, sql: &str, values: &[Value]) -> Result<(), StoreError> {
        if self.changes.borrow().len() >= ON_THE_WAY {
            self.changed()?;
        }
        let (statement, client, values) = (self.statement(sql)?, self.connected.client.clone(), values.to_vec());
        let mut answer: Answer = Box::pin(async move { client.execute_raw(&statement, &values).await });
        // Asked once it is on its way, behind all that was sent before it; its answer is waited for later.
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => self.wait(std::future::ready(answer)).map(drop),
            Poll::Pending => {
                self.changes.borrow_mut().push_back(answer);
                Ok(())
            }
        }
    }

    fn query_each(&self, sql: &str, sets: &[Vec<Value>]) -> Result<Vec<Vec<Row>>, StoreError> {
        let statement = self.statement(sql)?;
        let mut all = Vec::with_capacity(sets.len());
        for some in sets.chunks(ON_THE_WAY) {
            let asked = some.iter().map(|values| async {
                let values: Vec<&(dyn ToSql + Sync)> =
                    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
                self.connected.client.query(&statement, &values).await
            });
            for rows in self.wait(try_join_all(asked))? {
                all.push(rows.iter().map(value::row).collect::<Result<_, _>>()?);
            }
        }
        Ok(all)
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        self.rows(sql, &values)
    }

    /// In the order of their ids, so that of two who want the same leads one waits for the other, and never each for the other.
    fn claim(&self, leads: &BTreeMap<LeadId, Timestamp>) -> Result<BTreeMap<LeadId, i64>, StoreError> {
        if leads.is_empty() {
            return Ok(BTreeMap::new());
        }
        let missing = self.months.missing(leads.values().copied());
        if !missing.is_empty() {
            self.missing.replace(missing);
            return Err(Fault::from(Kind::NoMonth).into());
        }
        let ids: Vec<Vec<u8>> = leads.keys().map(|id| lead_key(*id).to_vec()).collect();
        let firsts: Vec<i64> = leads.values().map(|at| months::first(months::month(*at))).collect();
        self.rows(
            "INSERT INTO lead_no (id, no)
             SELECT id, first + nextval('lead_count') FROM unnest(?::bytea[], ?::bigint[]) AS new (id, first)
             WHERE NOT EXISTS (SELECT FROM lead_no AS known WHERE known.id = new.id)
             ORDER BY id ON CONFLICT (id) DO NOTHING",
            &[&ids, &firsts],
        )?;
        let held =
            self.rows("SELECT id, no FROM lead_no WHERE id = ANY(?::bytea[]) ORDER BY id FOR UPDATE", &[&ids])?;
        let numbers: BTreeMap<LeadId, i64> =
            held.iter().map(|row| Ok((lead_id(row, 0)?, row.get(1)?))).collect::<Result<_, StoreError>>()?;
        if numbers.len() < leads.len() {
            // One was forgotten since; the next try makes it anew.
            return Err(Fault::from(Kind::Again).into());
        }
        let nos: Vec<i64> = leads.keys().filter_map(|id| numbers.get(id)).copied().collect();
        let ats: Vec<i64> = leads.values().map(|at| micros(*at)).collect();
        self.rows(
            "INSERT INTO lead (no, id, received_at) SELECT * FROM unnest(?::bigint[], ?::bytea[], ?::bigint[])
             ON CONFLICT (no) DO UPDATE SET received_at = excluded.received_at
             WHERE lead.accepted IS NULL AND lead.received_at > excluded.received_at",
            &[&nos, &ids, &ats],
        )?;
        Ok(numbers)
    }

    fn hold(&self, leads: Vec<i64>) -> Result<Vec<i64>, StoreError> {
        let held = self.rows("SELECT no FROM lead_no WHERE no = ANY(?::bigint[]) ORDER BY id FOR UPDATE", &[&leads])?;
        held.iter().map(|row| row.get(0)).collect()
    }

    fn forget(&self, leads: &[i64]) -> Result<(), StoreError> {
        for table in ["payload WHERE lead", "delivery WHERE lead", "event WHERE lead", "parked WHERE lead"] {
            self.rows(&format!("DELETE FROM {table} = ANY(?::bigint[])"), &[&leads])?;
        }
        self.rows("DELETE FROM lead WHERE no = ANY(?::bigint[])", &[&leads])?;
        self.rows("DELETE FROM lead_no WHERE no = ANY(?::bigint[])", &[&leads])?;
        Ok(())
    }

    fn forget_at_once(&self, before: Timestamp) -> Result<Option<Step>, StoreError> {
        let forgotten = months::forget(self, before)?;
        if let Some((month, _)) = forgotten {
            self.months.forgotten(month);
        }
        Ok(forgotten.map(|(_, leads)| Step { leads, more: true }))
    }

    /// The server does that by itself.
    fn give_back_room(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
}
