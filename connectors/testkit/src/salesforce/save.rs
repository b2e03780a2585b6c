//! Saving one record: create, and upsert by an external id.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::org::{SalesforceRecord, State};
use super::refusal::Refusal;

/// What the headers of a request say about saving.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    /// `Sforce-Duplicate-Rule-Header: allowSave=true`.
    pub(super) may_save: bool,
    /// `Sforce-Auto-Assign`.
    pub(super) auto_assign: Option<String>,
    pub(super) now: Timestamp,
}

impl State {
    /// Creates a record and gives its id.
    pub(super) fn create(&mut self, given: &Map<String, Value>, wishes: &Wishes) -> Result<String, Refusal> {
        let values = self.read(given)?;
        self.judge(&values, wishes.may_save)?;
        self.is_lockable()?;
        self.is_unique(&values)?;
        let id = self.next_id();
        self.records.push(SalesforceRecord {
            id: id.clone(),
            values,
            created_at: wishes.now,
            auto_assign: wishes.auto_assign.clone(),
            updates: 0,
        });
        Ok(id)
    }

    /// Creates or updates the record whose `field` is `key`, and gives its id and whether it is new.
    pub(super) fn upsert(
        &mut self,
        field: &str,
        key: &str,
        given: &Map<String, Value>,
        wishes: &Wishes,
    ) -> Result<(String, bool), Refusal> {
        let known = self.field(field).filter(|known| known.external_id).cloned();
        let field = known.ok_or_else(|| Refusal::new(404, "NOT_FOUND", "Provided external ID field does not exist"))?;
        let is_it = |record: &SalesforceRecord| record.values.get(&field.name).is_some_and(|value| value == key);
        let found: Vec<usize> = (0..self.records.len()).filter(|at| is_it(&self.records[*at])).collect();
        let mut given = given.clone();
        match found.as_slice() {
            [] => {
                given.insert(field.name, key.into());
                self.create(&given, wishes).map(|id| (id, true))
            }
            [at] => {
                let values = self.read(&given)?;
                self.is_lockable()?;
                let record = &mut self.records[*at];
                record.values.extend(values);
                record.updates += 1;
                Ok((record.id.clone(), false))
            }
            _ => Err(Refusal::new(300, "MULTIPLE", "several records have this external id")),
        }
    }

    fn is_lockable(&mut self) -> Result<(), Refusal> {
        if self.locks == 0 {
            return Ok(());
        }
        self.locks -= 1;
        let message = "unable to obtain exclusive access to this record or 1 records: 0015g00000AbCdE";
        Err(Refusal::new(400, "UNABLE_TO_LOCK_ROW", message))
    }
}
