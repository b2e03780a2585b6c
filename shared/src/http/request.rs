//! One request, put together and sent once.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use reqwest::{Method, Url};

use super::{ANSWER_CAP, Answer, Client, failure};
use crate::error::DeliveryError;

/// A request that is being put together. Its `Debug` shows method and host: the rest may hold secrets.
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: Client,
    request: reqwest::Request,
    cap: usize,
}

impl Request {
    pub(super) fn new(client: Client, method: Method, url: Url) -> Self {
        Self { client, request: reqwest::Request::new(method, url), cap: ANSWER_CAP }
    }

    /// With a header; one of the same name is replaced.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.request.headers_mut().insert(name, value);
        self
    }

    /// With a body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Some(body.into().into());
        self
    }

    /// Keeps up to `bytes` of the answer, where the usual cap is too small.
    pub fn keeping(mut self, bytes: usize) -> Self {
        self.cap = bytes;
        self
    }

    /// Sends it. Any status is an answer.
    ///
    /// # Errors
    /// When there is no answer: the failure, classified.
    pub async fn send(self) -> Result<Answer, DeliveryError> {
        self.client.send_keeping(self.request, self.cap).await
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.request.method(), failure::shown(self.request.url()))
    }
}
