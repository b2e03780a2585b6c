//! The audit log: who did what, when, and how it ended.

use jiff::Timestamp;

use super::db::values;
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
            let sql =
                "INSERT INTO audit (at, operator, via, act, object, outcome) VALUES (?, ?, ?, ?, ?, ?) RETURNING no";
            let Act { at, operator, via, act, object, outcome } = &act;
            let values = values![micros(*at), operator, via, act, object, outcome.as_ref()];
            db.query_opt(sql, values)?.ok_or(StoreError::Row { what: "number of an act" })?.get(0)
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
            db.execute("UPDATE audit SET outcome = ? WHERE no = ?", values![&outcome, no])?;
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
            let sql =
                "SELECT no, at, operator, via, act, object, outcome FROM audit WHERE no < ? ORDER BY no DESC LIMIT ?";
            let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
            let (mut items, mut last) = (Vec::new(), None);
            for row in db.query(sql, values![before.unwrap_or(i64::MAX), most])? {
                if items.len() == limit {
                    return Ok(Page { items, next: last });
                }
                last = Some(row.get::<i64>(0)?.to_string());
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
