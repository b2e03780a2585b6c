//! The token endpoint: client credentials, and a signed assertion (JWT bearer).
//!
//! Its answers name no lifetime; a session ends when the org says so. Invariant: a token is given only for a secret or a
//! signature that is right, and no refusal repeats it.

use std::collections::HashMap;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::json;

use super::org::Org;
use crate::answers::{answer, dated, fields_of};
use crate::assertion::Assertion;

/// How far ahead an assertion may end, in seconds: Salesforce says that it should be no more than minutes.
const ASSERTION_MAX_S: i64 = 300;

/// The application's private key, as its owner keeps it. It opens this simulation and nothing else.
const APP_KEY: &str = include_str!("app-key.pem");

/// Who may log in, and who has.
#[derive(Debug, Default)]
pub(super) struct Logins {
    pub(super) sessions: Vec<Session>,
    /// Sessions that ever began, so that no token comes twice.
    begun: u64,
    pub(super) revoked: bool,
    pub(super) one_at_a_time: bool,
}

#[derive(Debug)]
pub(super) struct Session {
    token: String,
    used: bool,
}

impl Logins {
    /// Whether `token` is a session's; it is used by that.
    pub(super) fn is_open(&mut self, token: &str) -> bool {
        let session = self.sessions.iter_mut().find(|session| session.token == token);
        session.is_some_and(|session| {
            session.used = true;
            true
        })
    }
}

impl Org {
    /// The consumer key of the application that may log in.
    pub const CLIENT_ID: &str = "3MVG9.contoso-consumer-key";
    /// Its consumer secret.
    pub const CLIENT_SECRET: &str = "5F0E-contoso-consumer-secret";
    /// The user of its assertions.
    pub const USERNAME: &str = "integration@contoso.com";
    /// What its assertions are for.
    pub const AUDIENCE: &str = "https://login.salesforce.com";
    /// What every session's token begins with.
    pub const TOKEN: &str = "00D5g0000004contoso!AQ-session-t0ken";
    /// The user that it runs as, 18 characters.
    pub const USER_ID: &str = "0055g00000Contoso1";

    /// The private key of the application, PEM.
    pub fn app_key() -> &'static str {
        APP_KEY
    }

    pub(super) fn log_in(&self, form: &[u8]) -> Response<Bytes> {
        let now = self.clock().now();
        let outcome = self.judge_login(&fields_of(form), now);
        let mut state = self.state();
        state.calls.tokens += 1;
        let outcome = outcome.and_then(|()| match state.logins.sessions.last() {
            Some(last) if state.logins.one_at_a_time && !last.used => Err(("unknown_error", "retry your request")),
            _ => Ok(()),
        });
        if let Err((error, description)) = outcome {
            state.calls.refused_tokens += 1;
            return dated(answer(400, &json!({"error": error, "error_description": description})), now);
        }
        state.logins.begun += 1;
        let token = format!("{}-{}", Self::TOKEN, state.logins.begun);
        state.logins.sessions.push(Session { token: token.clone(), used: false });
        let instance = state.elsewhere.clone().unwrap_or_else(|| self.instance().to_owned());
        let body = json!({
            "access_token": token, "signature": "c2lnbmF0dXJl", "token_format": "opaque", "instance_url": instance,
            "id": format!("https://login.salesforce.com/id/00D5g0000004Contoso/{}", Self::USER_ID),
            "token_type": "Bearer", "issued_at": now.as_millisecond().to_string(), "scope": "api"
        });
        dated(answer(200, &body), now)
    }

    fn judge_login(&self, form: &HashMap<String, String>, now: Timestamp) -> Result<(), (&'static str, &'static str)> {
        let get = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if self.state().logins.revoked {
            return Err(("invalid_client_id", "client identifier invalid"));
        }
        match get("grant_type") {
            "client_credentials" => match (get("client_id"), get("client_secret")) {
                (Self::CLIENT_ID, Self::CLIENT_SECRET) => Ok(()),
                (Self::CLIENT_ID, _) => Err(("invalid_client", "invalid client credentials")),
                _ => Err(("invalid_client_id", "client identifier invalid")),
            },
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
                judge_assertion(get("assertion"), now).map_err(|description| ("invalid_grant", description))
            }
            _ => Err(("unsupported_grant_type", "grant type not supported")),
        }
    }
}

fn judge_assertion(assertion: &str, now: Timestamp) -> Result<(), &'static str> {
    let assertion = Assertion::read(assertion).filter(|assertion| assertion.is_signed("RS256", APP_KEY));
    let Assertion { claims, .. } = assertion.ok_or("invalid assertion")?;
    if claims["iss"] != Org::CLIENT_ID {
        return Err("client identifier invalid");
    }
    if claims["aud"] != Org::AUDIENCE {
        return Err("audience is invalid");
    }
    if claims["sub"] != Org::USERNAME {
        return Err("user hasn't approved this consumer");
    }
    let exp = claims["exp"].as_i64().ok_or("invalid assertion")?;
    let left_s = exp - now.as_second();
    if (1..=ASSERTION_MAX_S).contains(&left_s) { Ok(()) } else { Err("expired authorization code") }
}
