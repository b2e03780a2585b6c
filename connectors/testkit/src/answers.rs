//! What simulated CRMs have in common: reading requests, and answering them.

use std::collections::HashMap;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use leadrelay_shared::http::Url;
use serde_json::Value;

/// An answer of JSON.
pub(crate) fn answer(status: u16, body: &Value) -> Response<Bytes> {
    let mut answer = empty(status);
    *answer.body_mut() = Bytes::from(body.to_string());
    let json = http::HeaderValue::from_static("application/json;charset=UTF-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
    answer
}

/// An answer of nothing.
pub(crate) fn empty(status: u16) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    answer
}

/// An answer that says what time it is there.
pub(crate) fn dated(mut answer: Response<Bytes>, now: Timestamp) -> Response<Bytes> {
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = date.parse() {
        answer.headers_mut().insert(http::header::DATE, date);
    }
    answer
}

/// The fields of a form, or of a query.
pub(crate) fn fields_of(form: &[u8]) -> HashMap<String, String> {
    let url = Url::parse(&format!("http://form/?{}", String::from_utf8_lossy(form)));
    url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}

/// A segment of a path without its percent signs.
pub(crate) fn decoded(segment: &str) -> String {
    let url = Url::parse(&format!("http://path/?s={}", segment.replace('+', "%2B"))).ok();
    url.and_then(|url| url.query_pairs().next().map(|(_, value)| value.into_owned())).unwrap_or_default()
}

/// The token that a request is made with.
pub(crate) fn bearer<B>(request: &http::Request<B>) -> &str {
    let token = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}
