//! What Salesforce says when it does not do what it is asked to.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::record_id;
use crate::answers::answer;

/// A refusal. Its message repeats the value that it is about, as those of Salesforce do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) fields: Vec<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: Vec::new() }
    }

    /// About one field.
    pub(super) fn of_field(code: &'static str, message: impl Into<String>, field: &str) -> Self {
        Self { fields: vec![field.to_owned()], ..Self::new(400, code, message) }
    }

    pub(super) fn no_such_column(field: &str, object: &str) -> Self {
        Self::new(400, "INVALID_FIELD", format!("No such column '{field}' on sobject of type {object}"))
    }

    /// The value of a unique field is on the record with this id of 15 characters already.
    pub(super) fn duplicate(field: &str, id: &str) -> Self {
        let message = format!("duplicate value found: {field} duplicates value on record with id: {id}");
        Self::new(400, "DUPLICATE_VALUE", message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "The requested resource does not exist")
    }

    /// As the answer to a request: an array with one member.
    pub(super) fn answer(&self) -> Response<Bytes> {
        let Self { status, code, message, fields } = self;
        let mut error = json!({"message": message, "errorCode": code});
        if !fields.is_empty() || *status == 400 {
            error["fields"] = json!(fields);
        }
        answer(*status, &json!([error]))
    }

    /// As the outcome of one record in a collection.
    pub(super) fn outcome(&self) -> Value {
        let Self { code, message, fields, .. } = self;
        json!({"success": false, "errors": [{"statusCode": code, "message": message, "fields": fields}]})
    }
}

/// The outcome of a record that was saved.
pub(super) fn saved(id: &str) -> Value {
    json!({"id": record_id::long(id), "success": true, "errors": []})
}
