//! What goes wrong, as a page.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use minijinja::context;

use super::page;
use crate::api::Problem;
use crate::replay::Refusal;
use crate::store::StoreError;

/// Why a page cannot be shown or a change not made.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    status: StatusCode,
    detail: String,
    /// Seconds after which it may be tried again.
    again: Option<i64>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), again: None }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn wait(seconds: i64) -> Self {
        let detail = format!("too many wrong tokens were tried from this address; try again in {seconds} seconds");
        Self { status: StatusCode::TOO_MANY_REQUESTS, detail, again: Some(seconds) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.detail)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let title = self.status.canonical_reason().unwrap_or("It does not work");
        let page = page::text("failure.html", context! { title, detail => self.detail.as_str() });
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.again {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        match page {
            Ok(page) => response.insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(page),
            Err(_) => response.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body(self.detail.clone()),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::new(problem.status(), problem.detail())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Problem::from(refusal).into()
    }
}
