//! What Dataverse says when it does not do what it is asked to.

use bytes::Bytes;
use http::Response;
use http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use crate::answers::{answer, empty};

/// A refusal. Its message repeats the value that it is about, as those of Dataverse do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    retry_after_s: Option<i64>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_s: None }
    }

    /// A payload that does not fit the model.
    pub(super) fn payload(set: &str, why: &str) -> Self {
        let message = format!(
            "Error identified in Payload provided by the user for Entity :'{set}', For more information on this error please \
             follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : \
             Microsoft.OData.ODataException: {why}"
        );
        Self::new(400, "0x80048d19", message)
    }

    pub(super) fn no_such_segment(segment: &str) -> Self {
        Self::new(404, "0x8006088a", format!("Resource not found for the segment '{segment}'."))
    }

    pub(super) fn no_such_row(table: &str, id: &str) -> Self {
        Self::new(404, "0x80040217", format!("Entity '{table}' With Id = {id} Does Not Exist"))
    }

    pub(super) fn throttled(wait_s: i64) -> Self {
        let message = "Number of requests exceeded the limit of 6000 over the time window of 300 seconds.";
        Self { retry_after_s: Some(wait_s), ..Self::new(429, "0x80072322", message) }
    }

    /// As the answer to a request.
    pub(super) fn answer(&self) -> Response<Bytes> {
        if self.status == 401 {
            let mut answer = empty(401);
            let how = "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize";
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(how));
            return answer;
        }
        let mut answer = answer(self.status, &json!({"error": {"code": self.code, "message": self.message}}));
        if let Some(seconds) = self.retry_after_s {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
