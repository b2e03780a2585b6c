//! The store in one SQLite file: one writer, a few readers.

pub(super) mod open;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use leadrelay_shared::id::LeadId;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, TransactionBehavior, params_from_iter};
use tokio::sync::Semaphore;

use super::db::{Db, Row, Value, values};
use super::retention::Step;
use super::rows::lead_key;
use super::{OpenError, StoreError, blocking, micros};

/// Readers at once; further ones wait.
const READERS: usize = 4;
/// Pages given back to the disk in one step.
const PAGES: i64 = 256;

#[derive(Debug)]
pub(super) struct Sqlite {
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    path: PathBuf,
    /// Held for as long as the store is open.
    lock: Mutex<Option<std::fs::File>>,
}

impl Sqlite {
    pub(super) fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let opened = open::open(data_dir)?;
        Ok(Self {
            writer: Mutex::new(opened.writer),
            readers: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(READERS)),
            path: opened.path,
            lock: Mutex::new(Some(opened.lock)),
        })
    }

    pub(super) fn close(&self) {
        if let Some(lock) = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // In words and not by closing the file alone: a child that is just being started has a copy of it for a moment.
            // Where that fails, closing does it.
            let _ = lock.unlock();
        }
    }

    pub(super) async fn write<T: Send + 'static>(
        self: Arc<Self>,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        blocking(move || {
            // A panic in an earlier write rolled its transaction back; the connection is as good as before.
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&*transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }

    pub(super) async fn read<T: Send + 'static>(
        self: Arc<Self>,
        work: impl Fn(&dyn Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| StoreError::Abandoned)?;
        blocking(move || {
            // With the work and not with its caller, who may be gone before it is done.
            let _permit = permit;
            let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => open::reader(&self.path)?,
            };
            let view = reader.transaction()?;
            let answer = work(&*view);
            drop(view);
            self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            answer
        })
        .await
    }
}

impl Db for Connection {
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, StoreError> {
        Ok(self.prepare_cached(sql)?.execute(params_from_iter(values))?)
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(Row((0..columns).map(|n| row.get_ref(n).map(owned)).collect::<Result<_, _>>()?));
        }
        Ok(all)
    }

    fn claim(&self, leads: &BTreeMap<LeadId, Timestamp>) -> Result<BTreeMap<LeadId, i64>, StoreError> {
        let one = |(lead, at): (&LeadId, &Timestamp)| -> Result<(LeadId, i64), StoreError> {
            let known = self.query_opt("SELECT no FROM lead WHERE id = ?", values![lead_key(*lead)])?;
            let Some(known) = known else {
                Db::execute(
                    self,
                    "INSERT INTO lead (id, received_at) VALUES (?, ?)",
                    values![lead_key(*lead), micros(*at)],
                )?;
                return Ok((*lead, self.last_insert_rowid()));
            };
            let no: i64 = known.get(0)?;
            Db::execute(
                self,
                "UPDATE lead SET received_at = ?2 WHERE no = ?1 AND accepted IS NULL AND received_at > ?2",
                values![no, micros(*at)],
            )?;
            Ok((*lead, no))
        };
        leads.iter().map(one).collect()
    }

    /// There is one writer, and this is it.
    fn hold(&self, leads: Vec<i64>) -> Result<Vec<i64>, StoreError> {
        Ok(leads)
    }

    fn forget(&self, leads: &[i64]) -> Result<(), StoreError> {
        for no in leads {
            for sql in [
                "DELETE FROM payload WHERE lead = ?",
                "DELETE FROM delivery WHERE lead = ?",
                "DELETE FROM event WHERE lead = ?",
                "DELETE FROM parked WHERE lead = ?",
                "DELETE FROM lead WHERE no = ?",
            ] {
                Db::execute(self, sql, values![*no])?;
            }
        }
        Ok(())
    }

    fn forget_at_once(&self, _: Timestamp) -> Result<Option<Step>, StoreError> {
        Ok(None)
    }

    fn give_back_room(&self) -> Result<bool, StoreError> {
        let free: i64 = self.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if free > 0 {
            let mut statement = self.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
            let mut rows = statement.query([])?;
            // Each row is a page given back; the pragma does nothing that is not stepped through.
            while rows.next()?.is_some() {}
        }
        Ok(free > PAGES)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Bool(value) => ValueRef::Integer((*value).into()),
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// What stands in a column. Nothing here is a number with a fraction, and no text is other than Unicode.
fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}
