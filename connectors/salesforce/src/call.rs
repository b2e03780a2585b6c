//! One call of the REST API, in a session; where Salesforce says that the session has ended, in a new one, once.

use std::sync::Arc;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use leadrelay_shared::http::{Answer, Client, Method, Url};
use leadrelay_shared::oauth::Tokens;

use crate::login::{Granted, Login, Session};

/// An org that can be called. Whatever calls shares one, and so its session.
#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) http: Client,
    pub(crate) clock: Clock,
    pub(crate) login: Login,
    pub(crate) sessions: Tokens<Granted>,
    pub(crate) version: String,
}

/// What is asked of the API.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// The segments of the path below `/services/data/v62.0`, not encoded.
    pub(crate) path: &'a [&'a str],
    /// A query that is asked: the parameter `q`.
    pub(crate) soql: Option<&'a str>,
    /// JSON, unless empty.
    pub(crate) body: Vec<u8>,
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    /// Bytes of the answer that are kept.
    pub(crate) keep: usize,
}

/// An answer, and who gave it to whom.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    /// The address of the org.
    pub(crate) instance: Url,
    /// The user that it was given to.
    pub(crate) user: Option<String>,
}

impl<'a> Ask<'a> {
    /// A question without a body.
    pub(crate) fn get(path: &'a [&'a str], keep: usize) -> Self {
        Self { method: Method::GET, path, soql: None, body: Vec::new(), headers: &[], keep }
    }
}

impl Reply {
    fn of(answer: Answer, session: &Session) -> Self {
        Self { answer, instance: session.granted.instance.clone(), user: session.granted.user.clone() }
    }
}

impl Org {
    /// Asks, and logs in where that is needed. A status is an answer, 401 included: it has then been said to a session that
    /// was begun a moment ago.
    ///
    /// # Errors
    /// When there is no session or no answer: the failure, classified.
    pub(crate) async fn call(&self, ask: &Ask<'_>) -> Result<Reply, DeliveryError> {
        let session = self.session().await?;
        let answer = self.send(&session, ask).await?;
        if answer.status != 401 {
            return Ok(Reply::of(answer, &session));
        }
        // INVALID_SESSION_ID. The call had no effect, so making it in a new session is the same attempt.
        self.sessions.refused(&session);
        let session = self.session().await?;
        let answer = self.send(&session, ask).await?;
        if answer.status == 401 {
            self.sessions.refused(&session);
        }
        Ok(Reply::of(answer, &session))
    }

    async fn session(&self) -> Result<Arc<Session>, DeliveryError> {
        self.sessions.get(|| self.login.log_in(&self.http, self.clock.now())).await
    }

    async fn send(&self, session: &Session, ask: &Ask<'_>) -> Result<Answer, DeliveryError> {
        let mut url = session.granted.instance.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(["services", "data", &self.version]).extend(ask.path);
        }
        if let Some(soql) = ask.soql {
            url.query_pairs_mut().append_pair("q", soql);
        }
        let bearer = HeaderValue::from_str(&format!("Bearer {}", session.secret));
        let mut bearer = bearer.map_err(|_| DeliveryError::new(ErrorKind::Unexpected, "a token is no header"))?;
        bearer.set_sensitive(true);
        let mut request = self.http.request(ask.method.clone(), url).header(AUTHORIZATION, bearer).keeping(ask.keep);
        for (name, value) in ask.headers {
            request = request.header(name.clone(), value.clone());
        }
        if !ask.body.is_empty() {
            let json = HeaderValue::from_static("application/json");
            request = request.header(CONTENT_TYPE, json).body(ask.body.clone());
        }
        request.send().await
    }
}
