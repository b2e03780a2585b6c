//! Which leads were erased: workers are told of them, so that no copy in a queue is delivered.

use std::collections::BTreeSet;

use jiff::Timestamp;
use leadrelay_shared::id::LeadId;
use rusqlite::{Connection, params};

use super::{Store, StoreError, micros, rows};

/// Takes down that a lead was erased; of several times, the first.
pub(super) fn note(db: &Connection, lead: LeadId, at: Timestamp) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO erased (lead, at) VALUES (?, ?) ON CONFLICT (lead) DO UPDATE SET at = min(at, excluded.at)",
    )?
    .execute(params![rows::lead_key(lead), micros(at)])?;
    Ok(())
}

impl Store {
    /// Leads that were erased since then, at most `limit`, the latest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn erased_since(&self, since: Timestamp, limit: usize) -> Result<BTreeSet<LeadId>, StoreError> {
        self.read(move |db| {
            let mut statement = db.prepare_cached("SELECT lead FROM erased WHERE at >= ? ORDER BY at DESC LIMIT ?")?;
            let mut rows = statement.query(params![micros(since), i64::try_from(limit).unwrap_or(i64::MAX)])?;
            let mut all = BTreeSet::new();
            while let Some(row) = rows.next()? {
                all.insert(rows::lead_id(row, 0)?);
            }
            Ok(all)
        })
        .await
    }
}
