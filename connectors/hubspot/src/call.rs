//! One call of the API, with the token.

use leadrelay_shared::clock::Clock;
use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use leadrelay_shared::http::{ANSWER_CAP, Answer, Client, Method, Url};
use serde_json::Value;

/// An account that can be called.
#[derive(Debug)]
pub(crate) struct Portal {
    pub(crate) http: Client,
    pub(crate) clock: Clock,
    /// Scheme, host and port.
    pub(crate) url: Url,
    pub(crate) bearer: HeaderValue,
}

/// What is asked of the API.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    method: Method,
    /// The segments of the path below `/crm/v3`, not encoded.
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    body: Option<Value>,
    keep: usize,
}

impl<'a> Ask<'a> {
    /// A question without a body.
    pub(crate) fn get(path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Self {
        Self { method: Method::GET, path, query, body: None, keep: ANSWER_CAP }
    }

    /// A new object.
    pub(crate) fn post(path: &'a [&'a str], body: Value) -> Self {
        Self { method: Method::POST, path, query: &[], body: Some(body), keep: ANSWER_CAP }
    }

    /// A change of an object.
    pub(crate) fn patch(path: &'a [&'a str], body: Value) -> Self {
        Self { method: Method::PATCH, ..Self::post(path, body) }
    }

    /// With so many bytes of the answer kept.
    pub(crate) fn keeping(self, keep: usize) -> Self {
        Self { keep, ..self }
    }
}

impl Portal {
    /// Asks. A status is an answer.
    ///
    /// # Errors
    /// When there is no answer: the failure, classified.
    pub(crate) async fn call(&self, ask: Ask<'_>) -> Result<Answer, DeliveryError> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(["crm", "v3"]).extend(ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        let json = HeaderValue::from_static("application/json");
        let request = self.http.request(ask.method, url).keeping(ask.keep);
        let request = request.header(AUTHORIZATION, self.bearer.clone()).header(ACCEPT, json.clone());
        match ask.body {
            Some(body) => request.header(CONTENT_TYPE, json).body(body.to_string()).send().await,
            None => request.send().await,
        }
    }
}
