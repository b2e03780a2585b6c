//! Forgetting: payloads of delivered leads, and old history, in steps so small that recording is never held up.

use jiff::Timestamp;

use super::db::{Db, values};
use super::{Store, StoreError, micros};

/// Leads in one step.
const LEADS: i64 = 200;

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
            let old = old(db, "SELECT no FROM lead WHERE settled_at < ? ORDER BY settled_at LIMIT ?", before)?;
            for no in &old {
                db.execute("DELETE FROM payload WHERE lead = ?", values![*no])?;
                db.execute("UPDATE lead SET settled_at = NULL WHERE no = ?", values![*no])?;
            }
            Ok(Step::of(old.len()))
        })
        .await
    }

    /// Forgets leads that came in before `before`, whatever became of them, and all that is known of them.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_history(&self, before: Timestamp) -> Result<Step, StoreError> {
        self.write(move |db| {
            for sql in ["DELETE FROM audit WHERE at < ?", "DELETE FROM erased WHERE at < ?"] {
                db.execute(sql, values![micros(before)])?;
            }
            if let Some(step) = db.forget_at_once(before)? {
                return Ok(step);
            }
            let old = old(db, "SELECT no FROM lead WHERE received_at < ? ORDER BY received_at LIMIT ?", before)?;
            db.forget(&old)?;
            Ok(Step::of(old.len()))
        })
        .await
    }

    /// Gives some of the room that is no longer needed back to the disk, and says whether there may be more.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn give_back_room(&self) -> Result<bool, StoreError> {
        self.write(|db| db.give_back_room()).await
    }
}

/// Some leads that `sql` finds older than `before`. Where others write too, it is asked again once nobody else can change them.
fn old(db: &dyn Db, sql: &str, before: Timestamp) -> Result<Vec<i64>, StoreError> {
    let ask = || -> Result<Vec<i64>, StoreError> {
        db.query(sql, values![micros(before), LEADS])?.iter().map(|row| row.get(0)).collect()
    };
    let held = db.hold(ask()?)?;
    let still = ask()?;
    Ok(held.into_iter().filter(|no| still.contains(no)).collect())
}
