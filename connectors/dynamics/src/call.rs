//! One call of the Web API, with a token; where Dataverse says that the token counts no more, with a new one, once.

use std::sync::Arc;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use leadrelay_shared::http::{ANSWER_CAP, Answer, Client, Method, Url};
use leadrelay_shared::oauth::{Token, Tokens};
use serde::de::DeserializeOwned;

use crate::error::parse_error;
use crate::login::Login;

/// What every call says (learn.microsoft.com, "Compose HTTP requests and handle errors", "HTTP headers").
const USUAL: [(HeaderName, HeaderValue); 3] = [
    (ACCEPT, HeaderValue::from_static("application/json")),
    (HeaderName::from_static("odata-maxversion"), HeaderValue::from_static("4.0")),
    (HeaderName::from_static("odata-version"), HeaderValue::from_static("4.0")),
];

/// An environment that can be called. Whatever calls shares one, and so its token.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) http: Client,
    pub(crate) clock: Clock,
    /// Scheme, host and port.
    pub(crate) url: Url,
    pub(crate) login: Login,
    pub(crate) tokens: Tokens,
    /// `v9.2`
    pub(crate) version: String,
}

/// What is asked of the API.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// The segments of the path below `/api/data/v9.2`, not encoded.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// JSON, unless empty.
    pub(crate) body: Vec<u8>,
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    /// Bytes of the answer that are kept.
    pub(crate) keep: usize,
}

impl<'a> Ask<'a> {
    /// A question without a body.
    pub(crate) fn get(path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Self {
        Self { method: Method::GET, path, query, body: Vec::new(), headers: &[], keep: ANSWER_CAP }
    }

    /// A change of what is at `path`.
    pub(crate) fn patch(path: &'a [&'a str], body: Vec<u8>, headers: &'a [(HeaderName, HeaderValue)]) -> Self {
        Self { method: Method::PATCH, path, query: &[], body, headers, keep: ANSWER_CAP }
    }

    /// With so many bytes of the answer kept.
    pub(crate) fn keeping(self, keep: usize) -> Self {
        Self { keep, ..self }
    }
}

impl Environment {
    /// Asks, with a token. A status is an answer, 401 included: it has then been said to a token that was given a moment ago.
    ///
    /// # Errors
    /// When there is no token or no answer: the failure, classified.
    pub(crate) async fn call(&self, ask: &Ask<'_>) -> Result<Answer, DeliveryError> {
        let token = self.token().await?;
        let answer = self.send(&token, ask).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        // The call had no effect, so making it with a new token is the same attempt.
        self.tokens.refused(&token);
        let token = self.token().await?;
        let answer = self.send(&token, ask).await?;
        if answer.status == 401 {
            self.tokens.refused(&token);
        }
        Ok(answer)
    }

    /// Asks for JSON of a known shape.
    ///
    /// # Errors
    /// The failure, classified.
    pub(crate) async fn read<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, DeliveryError> {
        let answer = self.call(ask).await?;
        if let Some(refusal) = parse_error(&answer, None, self.clock.now()) {
            return Err(refusal.into_error());
        }
        serde_json::from_slice(answer.whole()?).map_err(|_| {
            let message = "the answer is not one of Dataverse; does `url` lead to an environment?";
            DeliveryError::new(ErrorKind::Uncertain, message).status(answer.status)
        })
    }

    async fn token(&self) -> Result<Arc<Token>, DeliveryError> {
        self.tokens.get(|| self.login.ask(&self.http, self.clock.now())).await
    }

    async fn send(&self, token: &Token, ask: &Ask<'_>) -> Result<Answer, DeliveryError> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(["api", "data", &self.version]).extend(ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.secret));
        let mut bearer = bearer.map_err(|_| DeliveryError::new(ErrorKind::Unexpected, "a token is no header"))?;
        bearer.set_sensitive(true);
        let mut request = self.http.request(ask.method.clone(), url).header(AUTHORIZATION, bearer).keeping(ask.keep);
        for (name, value) in USUAL.iter().chain(ask.headers) {
            request = request.header(name.clone(), value.clone());
        }
        if !ask.body.is_empty() {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            request = request.header(CONTENT_TYPE, json).body(ask.body.clone());
        }
        request.send().await
    }
}
