//! The row that a lead duplicates: found, and written over, where the settings want that.
//!
//! Dataverse does not say which row its rules have found, so it is asked with the same record (learn.microsoft.com, "Run
//! duplicate detection").

use leadrelay_shared::connector::Outcome;
use leadrelay_shared::delivery::Record;
use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::http::header::{HeaderValue, IF_MATCH};
use serde::Deserialize;
use serde_json::Value;

use crate::call::Ask;
use crate::connector::DynamicsConnector;
use crate::error::parse_error;

/// The bytes of an answer that are kept: it holds each row that was found with all its columns.
const KEEP: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Found {
    value: Vec<Record>,
}

impl DynamicsConnector {
    /// Writes over the one row that `record` duplicates. `objection` is what was said of it.
    pub(crate) async fn update(&self, record: &Record, objection: DeliveryError) -> Outcome {
        let rows = self.duplicates_of(record).await?;
        let id = match rows.as_slice() {
            [row] => row.get(&self.table.key()).and_then(Value::as_str),
            _ => None,
        };
        let Some(id) = id else {
            // None: of another table, or one that the user may not see. Several: nobody knows which.
            let message =
                format!("{}; {} rows to update were found where one is wanted", objection.message, rows.len());
            return Err(DeliveryError { message, ..objection });
        };
        // Never creates: a row that was deleted a moment ago must not come back with another's id.
        let headers = [(IF_MATCH, HeaderValue::from_static("*"))];
        let answer =
            self.environment.call(&Ask::patch(&[&self.table.row(id)], self.table.body(record), &headers)).await?;
        match parse_error(&answer, Some(record), self.environment.clock.now()) {
            Some(refusal) => Err(refusal.into_error()),
            None => Ok(self.table.receipt(&self.environment.url, id.to_owned(), true, answer.status)),
        }
    }

    async fn duplicates_of(&self, record: &Record) -> Result<Vec<Record>, DeliveryError> {
        let mut entity = Record::new();
        entity.insert("@odata.type".to_owned(), format!("Microsoft.Dynamics.CRM.{}", self.table.name).into());
        let columns = record.iter().filter(|(name, value)| !name.contains('@') && !value.is_null());
        entity.extend(columns.map(|(name, value)| (name.clone(), value.clone())));
        let (entity, table) = (Value::Object(entity).to_string(), format!("'{}'", self.table.name));
        let query = [("@p1", entity.as_str()), ("@p2", table.as_str()), ("@p3", r#"{"PageNumber":1,"Count":2}"#)];
        let path = ["RetrieveDuplicates(BusinessEntity=@p1,MatchingEntityName=@p2,PagingInfo=@p3)"];
        let ask = Ask::get(&path, &query).keeping(KEEP);
        Ok(self.environment.read::<Found>(&ask).await?.value)
    }
}
