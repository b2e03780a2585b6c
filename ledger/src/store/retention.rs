//! Forgetting: payloads of delivered leads, and old history, in steps so small that recording is never held up.

use jiff::Timestamp;
use rusqlite::params;

use super::{Store, StoreError, micros};

/// Leads in one step.
const LEADS: i64 = 200;
/// Pages given back to the disk in one step.
const PAGES: i64 = 256;

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many leads it forgot something of.
    pub leads: usize,
    /// Whether there may be more.
    pub more: bool,
}

impl Step {
    fn of(leads: usize) -> Self {
        Self { leads, more: i64::try_from(leads).is_ok_and(|n| n == LEADS) }
    }
}

impl Store {
    /// Forgets the payloads of leads of which the last delivery was made before `before`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_payloads(&self, before: Timestamp) -> Result<Step, StoreError> {
        self.write(move |db| {
            let mut statement =
                db.prepare_cached("SELECT no FROM lead WHERE settled_at < ? ORDER BY settled_at LIMIT ?")?;
            let leads: Vec<i64> =
                statement.query_map(params![micros(before), LEADS], |row| row.get(0))?.collect::<Result<_, _>>()?;
            for no in &leads {
                db.prepare_cached("DELETE FROM payload WHERE lead = ?")?.execute([no])?;
                db.prepare_cached("UPDATE lead SET settled_at = NULL WHERE no = ?")?.execute([no])?;
            }
            Ok(Step::of(leads.len()))
        })
        .await
    }

    /// Forgets leads that came in before `before`, whatever became of them, and all that is known of them.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_history(&self, before: Timestamp) -> Result<Step, StoreError> {
        self.write(move |db| {
            let mut statement =
                db.prepare_cached("SELECT no FROM lead WHERE received_at < ? ORDER BY received_at LIMIT ?")?;
            let leads: Vec<i64> =
                statement.query_map(params![micros(before), LEADS], |row| row.get(0))?.collect::<Result<_, _>>()?;
            for no in &leads {
                for sql in [
                    "DELETE FROM payload WHERE lead = ?",
                    "DELETE FROM delivery WHERE lead = ?",
                    "DELETE FROM event WHERE lead = ?",
                    "DELETE FROM parked WHERE lead = ?",
                    "DELETE FROM lead WHERE no = ?",
                ] {
                    db.prepare_cached(sql)?.execute([no])?;
                }
            }
            db.prepare_cached("DELETE FROM audit WHERE at < ?")?.execute([micros(before)])?;
            db.prepare_cached("DELETE FROM erased WHERE at < ?")?.execute([micros(before)])?;
            Ok(Step::of(leads.len()))
        })
        .await
    }

    /// Gives some of the room that is no longer needed back to the disk, and says whether there may be more.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn give_back_room(&self) -> Result<bool, StoreError> {
        self.write(|db| {
            let free: i64 = db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
            if free > 0 {
                let mut statement = db.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
                let mut rows = statement.query([])?;
                // Each row is a page given back; the pragma does nothing that is not stepped through.
                while rows.next()?.is_some() {}
            }
            Ok(free > PAGES)
        })
        .await
    }
}
