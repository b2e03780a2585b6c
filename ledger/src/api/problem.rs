//! What goes wrong, told as `application/problem+json` (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use leadrelay_shared::lead::Fault;
use leadrelay_shared::queue::QueueError;
use serde_json::json;

use crate::replay::Refusal;
use crate::store::StoreError;

/// Seconds after which a request that could not be served now may be tried again.
const RETRY_SECONDS: &str = "5";

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    faults: Vec<Fault>,
    allow: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), faults: Vec::new(), allow: None }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        let detail = format!("this path takes {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    pub(crate) fn no_store() -> Self {
        let detail = "the history cannot be opened now: /readyz says why in short, and the log in full; leads flow on, and what happens to them is kept in the queue";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "send the admin token as `Authorization: Bearer ..`; it is in admin.token in the data directory, or where `admin.token` in the configuration points";
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.faults.is_empty() {
            body["faults"] = json!(self.faults);
        }
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CONTENT_TYPE, "application/problem+json")).insert_header((CACHE_CONTROL, "no-store"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"leadrelay\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                response.insert_header((RETRY_AFTER, RETRY_SECONDS));
            }
            _ => {}
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, allow));
        }
        response.body(body.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the history cannot be read or written");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("the history is not available now: {}", error.bland()))
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Unknown | Refusal::Missing(_) => Self::not_found(detail),
            Refusal::Wrong(_) => Self::bad_request(detail),
            Refusal::NotNow(_) | Refusal::Several(_) => Self::new(StatusCode::CONFLICT, detail),
            Refusal::Faulty(faults) => Self { faults, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) },
            Refusal::Queue(error) => error.into(),
            Refusal::Store(error) => error.into(),
        }
    }
}
