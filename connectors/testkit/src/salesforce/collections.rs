//! sObject Collections: up to 200 records in one request, each with an outcome of its own.

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

use super::org::State;
use super::refusal::{Refusal, saved};
use super::save::Wishes;
use crate::answers::answer;

/// The most records in one request (REST API Developer Guide, "sObject Collections").
const RECORDS_MAX: usize = 200;

impl State {
    /// Saves what is in `body`, by this external id if there is one.
    pub(super) fn save_all(
        &mut self,
        body: &Value,
        by: Option<&str>,
        wishes: &Wishes,
    ) -> Result<Response<Bytes>, Refusal> {
        let records = body.get("records").and_then(Value::as_array);
        let records = records.ok_or_else(|| Refusal::new(400, "JSON_PARSER_ERROR", "records expected"))?;
        if records.len() > RECORDS_MAX {
            let message = format!("Maximum allowed is {RECORDS_MAX} but got {}", records.len());
            return Err(Refusal::new(400, "LIMIT_EXCEEDED", message));
        }
        let records: Vec<&Map<String, Value>> = records.iter().filter_map(Value::as_object).collect();
        // What cannot be read takes the whole request with it, and nothing is saved.
        for record in &records {
            if let Err(refusal) = self.read(record)
                && refusal.code == "JSON_PARSER_ERROR"
            {
                return Err(refusal);
            }
        }
        let outcomes: Vec<Value> = records.into_iter().map(|record| self.save_one(record, by, wishes)).collect();
        Ok(answer(200, &json!(outcomes)))
    }

    fn save_one(&mut self, record: &Map<String, Value>, by: Option<&str>, wishes: &Wishes) -> Value {
        let known = record.get("attributes").and_then(|a| a.get("type")).and_then(Value::as_str);
        if !known.is_some_and(|object| object.eq_ignore_ascii_case(&self.object)) {
            return Refusal::new(400, "INVALID_TYPE", "sObject type is not supported").outcome();
        }
        let outcome = match by {
            None => self.create(record, wishes).map(|id| saved(&id)),
            Some(field) => {
                let mut record = record.clone();
                let key = record.remove(field).and_then(|key| key.as_str().map(str::to_owned)).unwrap_or_default();
                self.upsert(field, &key, &record, wishes).map(|(id, created)| {
                    let mut outcome = saved(&id);
                    outcome["created"] = created.into();
                    outcome
                })
            }
        };
        outcome.unwrap_or_else(|refusal| refusal.outcome())
    }
}
