//! What HubSpot says when it does not do what it is asked to.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use crate::answers::answer;

/// A refusal. Its message repeats the value that it is about, as those of HubSpot do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    status: u16,
    body: Value,
}

impl Refusal {
    pub(super) fn new(status: u16, category: &str, message: impl Into<String>) -> Self {
        let id = "8f4b2f5e-0000-4000-8000-000000000555";
        let body = json!({"status": "error", "message": message.into(), "correlationId": id, "category": category});
        Self { status, body }
    }

    /// A value that is not taken: the list of them is a text within the message.
    pub(super) fn property(code: &str, name: &str, value: &str) -> Self {
        let list = json!([{"isValid": false, "message": format!("{value} is not valid"), "error": code, "name": name}]);
        Self::new(400, "VALIDATION_ERROR", format!("Property values were not valid: {list}"))
    }

    pub(super) fn contact_exists(id: &str) -> Self {
        Self::new(409, "CONFLICT", format!("Contact already exists. Existing ID: {id}"))
    }

    pub(super) fn no_such_object(what: &str) -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", format!("Object not found.  objectId are usually numeric. {what}"))
    }

    pub(super) fn missing_scope(scope: &str) -> Self {
        let mut refusal = Self::new(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes.");
        refusal.body["errors"] =
            json!([{"message": "One or more scopes are required.", "context": {"requiredGranularScopes": [scope]}}]);
        refusal
    }

    pub(super) fn throttled(policy: &str) -> Self {
        let mut refusal = Self::new(429, "RATE_LIMITS", "You have reached your limit.");
        refusal.body["policyName"] = policy.into();
        refusal
    }

    /// As the answer to a request.
    pub(super) fn answer(&self) -> Response<Bytes> {
        answer(self.status, &self.body)
    }
}
