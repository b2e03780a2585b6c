//! The audit log: who did what, when, and how it ended.

use jiff::Timestamp;
use rusqlite::params;

use super::{Store, StoreError, micros, time};
use crate::api::types::{AuditEntry, Page};

/// One act, as it is begun.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is what `AuditEntry` says")]
pub struct Act {
    pub at: Timestamp,
    pub operator: String,
    pub via: String,
    pub act: String,
    pub object: String,
    pub outcome: Option<String>,
}

impl Store {
    /// Takes down an act that is about to be done; the answer is its number.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn audit(&self, act: Act) -> Result<i64, StoreError> {
        self.write(move |db| {
            db.prepare_cached("INSERT INTO audit (at, operator, via, act, object, outcome) VALUES (?, ?, ?, ?, ?, ?)")?
                .execute(params![micros(act.at), act.operator, act.via, act.act, act.object, act.outcome])?;
            Ok(db.last_insert_rowid())
        })
        .await
    }

    /// Takes down how an act ended.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn audited(&self, no: i64, outcome: &str) -> Result<(), StoreError> {
        let outcome = outcome.to_owned();
        self.write(move |db| {
            db.prepare_cached("UPDATE audit SET outcome = ? WHERE no = ?")?.execute(params![outcome, no])?;
            Ok(())
        })
        .await
    }

    /// A page of the audit log, the latest first; `before` is the number of the last entry of the page before.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn acts(&self, limit: usize, before: Option<i64>) -> Result<Page<AuditEntry>, StoreError> {
        self.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT no, at, operator, via, act, object, outcome FROM audit WHERE no < ? ORDER BY no DESC LIMIT ?",
            )?;
            let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
            let mut rows = statement.query(params![before.unwrap_or(i64::MAX), most])?;
            let (mut items, mut last) = (Vec::new(), None);
            while let Some(row) = rows.next()? {
                if items.len() == limit {
                    return Ok(Page { items, next: last });
                }
                last = Some(row.get::<_, i64>(0)?.to_string());
                items.push(AuditEntry {
                    at: time(row.get(1)?)?,
                    operator: row.get(2)?,
                    via: row.get(3)?,
                    act: row.get(4)?,
                    object: row.get(5)?,
                    outcome: row.get(6)?,
                });
            }
            Ok(Page { items, next: None })
        })
        .await
    }
}
