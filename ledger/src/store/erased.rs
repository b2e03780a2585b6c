//! Which leads were erased: workers are told of them, so that no copy in a queue is delivered.

use std::collections::BTreeSet;

use jiff::Timestamp;
use leadrelay_shared::id::LeadId;

use super::db::{Db, values};
use super::{Store, StoreError, micros, rows};

/// Takes down that a lead was erased; of several times, the first.
pub(super) fn note(db: &dyn Db, lead: LeadId, at: Timestamp) -> Result<(), StoreError> {
    db.change(
        "INSERT INTO erased (lead, at) VALUES (?, ?)
         ON CONFLICT (lead) DO UPDATE SET at = excluded.at WHERE excluded.at < erased.at",
        values![rows::lead_key(lead), micros(at)],
    )?;
    Ok(())
}

impl Store {
    /// Leads that were erased since then, at most `limit`, the latest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn erased_since(&self, since: Timestamp, limit: usize) -> Result<BTreeSet<LeadId>, StoreError> {
        self.read(move |db| {
            let most = i64::try_from(limit).unwrap_or(i64::MAX);
            let sql = "SELECT lead FROM erased WHERE at >= ? ORDER BY at DESC LIMIT ?";
            db.query(sql, values![micros(since), most])?.iter().map(|row| rows::lead_id(row, 0)).collect()
        })
        .await
    }
}
