//! The token endpoint of Microsoft Entra: client credentials with a secret or a certificate.
//!
//! Invariant: a token is given only for a secret or a signature that is right, and no refusal repeats it.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::environment::Environment;
use crate::answers::{answer, dated, fields_of};
use crate::assertion::Assertion;

/// How long a token counts.
const LIFE: Duration = Duration::from_secs(3599);

/// The certificate that the application has, and its private key as its owner keeps it. They open this simulation and nothing
/// else.
const CERTIFICATE: &str = include_str!("app-cert.pem");
const APP_KEY: &str = include_str!("app-key.pem");

/// Who may log in, and who has.
#[derive(Debug, Default)]
pub(super) struct Logins {
    pub(super) tokens: Vec<Token>,
    /// Tokens that were ever given, so that none comes twice.
    given: u64,
    /// Every login is refused with this number.
    pub(super) refused_with: Option<u64>,
    pub(super) one_at_a_time: bool,
}

#[derive(Debug)]
pub(super) struct Token {
    text: String,
    end: Timestamp,
    used: bool,
}

impl Logins {
    /// Whether `token` counts; it is used by that.
    pub(super) fn counts(&mut self, token: &str, now: Timestamp) -> bool {
        let token = self.tokens.iter_mut().find(|known| known.text == token && now < known.end);
        token.is_some_and(|token| {
            token.used = true;
            true
        })
    }
}

impl Environment {
    /// The directory of the application.
    pub const TENANT_ID: &str = "3f0c1b7e-5550-4c00-8000-0000c0470501";
    /// The application.
    pub const CLIENT_ID: &str = "7a1d2c9e-5550-4c00-8000-0000c0470502";
    /// Its secret.
    pub const CLIENT_SECRET: &str = "Q8Q~contoso-client-secret";
    /// What every token begins with.
    pub const TOKEN: &str = "eyJ0eXAi.contoso-access-t0ken";

    /// The certificate of the application, PEM.
    pub fn certificate() -> &'static str {
        CERTIFICATE
    }

    /// Its private key, PEM.
    pub fn app_key() -> &'static str {
        APP_KEY
    }

    pub(super) fn log_in(&self, tenant: &str, form: &[u8], url: &str) -> Response<Bytes> {
        let now = self.clock().now();
        let outcome = self.judge_login(tenant, &fields_of(form), url, now);
        let mut state = self.state();
        state.calls.tokens += 1;
        let outcome = outcome.and_then(|()| match state.logins.tokens.last() {
            // Not Entra's way, but a connector that asks twice at once is found out by it.
            Some(last) if state.logins.one_at_a_time && !last.used => Err(90_033),
            _ => Ok(()),
        });
        if let Err(number) = outcome {
            state.calls.refused_tokens += 1;
            return dated(refused(number, now), now);
        }
        state.logins.given += 1;
        let text = format!("{}-{}", Self::TOKEN, state.logins.given);
        state.logins.tokens.push(Token { text: text.clone(), end: now + LIFE, used: false });
        let life_s = LIFE.as_secs();
        let body =
            json!({"token_type": "Bearer", "expires_in": life_s, "ext_expires_in": life_s, "access_token": text});
        dated(answer(200, &body), now)
    }

    fn judge_login(&self, tenant: &str, form: &HashMap<String, String>, url: &str, now: Timestamp) -> Result<(), u64> {
        let get = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if let Some(number) = self.state().logins.refused_with {
            return Err(number);
        }
        if tenant != Self::TENANT_ID {
            return Err(90_002);
        }
        if get("grant_type") != "client_credentials" {
            return Err(70_003);
        }
        if get("client_id") != Self::CLIENT_ID {
            return Err(700_016);
        }
        if get("scope") != format!("{}/.default", self.address()) {
            return Err(500_011);
        }
        match (get("client_secret"), get("client_assertion")) {
            (Self::CLIENT_SECRET, "") => Ok(()),
            ("", "") => Err(7_000_216),
            (_, "") => Err(7_000_215),
            ("", assertion) if get("client_assertion_type").ends_with(":jwt-bearer") => {
                judge_assertion(assertion, url, now)
            }
            _ => Err(50_027),
        }
    }
}

fn judge_assertion(assertion: &str, url: &str, now: Timestamp) -> Result<(), u64> {
    let assertion = Assertion::read(assertion).ok_or(50_027_u64)?;
    if assertion.header["x5t#S256"] != thumbprint() || !assertion.is_signed("PS256", APP_KEY) {
        return Err(700_027);
    }
    let claims = &assertion.claims;
    if claims["aud"] != url || claims["iss"] != Environment::CLIENT_ID || claims["sub"] != Environment::CLIENT_ID {
        return Err(700_023);
    }
    if claims["jti"].as_str().is_none_or(str::is_empty) {
        return Err(50_027);
    }
    let (from, to) = claims["nbf"].as_i64().zip(claims["exp"].as_i64()).ok_or(50_027_u64)?;
    if (from..to).contains(&now.as_second()) { Ok(()) } else { Err(700_024) }
}

fn thumbprint() -> String {
    let der: String = CERTIFICATE.lines().filter(|line| !line.starts_with('-')).collect();
    URL_SAFE_NO_PAD.encode(Sha256::digest(STANDARD.decode(der).unwrap_or_default()))
}

/// As Entra refuses (learn.microsoft.com, "Microsoft identity platform and the OAuth 2.0 client credentials flow").
fn refused(number: u64, now: Timestamp) -> Response<Bytes> {
    let (status, error) = match number {
        7_000_215 | 7_000_222 | 700_027 | 700_024 | 700_023 | 7_000_216 => (401, "invalid_client"),
        700_016 | 7_000_229 => (400, "unauthorized_client"),
        500_011 => (400, "invalid_resource"),
        90_033 => (503, "temporarily_unavailable"),
        _ => (400, "invalid_request"),
    };
    let body = json!({
        "error": error, "error_description": format!("AADSTS{number}: what went wrong. Trace ID: 0 Correlation ID: 0"),
        "error_codes": [number], "timestamp": now.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        "trace_id": "0", "correlation_id": "0",
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}")
    });
    answer(status, &body)
}
