//! Tokens of Microsoft Entra: client credentials, with a secret or a certificate; what a refusal means in plain words.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use leadrelay_shared::config::Secret;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::header::{CONTENT_TYPE, HeaderValue};
use leadrelay_shared::http::{Answer, Client, Method, Url, kind_of_status};
use leadrelay_shared::oauth::{Algorithm, Signer, Token, clock_in_words, der_in};
use leadrelay_shared::secrets::new_token;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::settings::{Credential, Settings};

/// How long an assertion counts, in seconds: "5-10 minutes after nbf at most" (learn.microsoft.com, "Certificate
/// credentials").
const LIFETIME_S: i64 = 300;

/// Who asks for tokens, where, and for what.
#[derive(Debug)]
pub(crate) struct Login {
    url: Url,
    client_id: String,
    scope: String,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    Secret(Secret),
    Certificate { signer: Box<Signer>, thumbprint: String },
}

impl Login {
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let proof = match settings.credential()? {
            Credential::Secret(secret) => Proof::Secret(secret),
            Credential::Certificate { certificate, key } => Proof::Certificate {
                signer: Box::new(Signer::new(&key, Algorithm::Ps256)?),
                thumbprint: thumbprint(&certificate)?,
            },
        };
        let mut url = settings.login()?;
        url.set_path(&format!("/{}/oauth2/v2.0/token", settings.tenant()?));
        // The environment's address, without a slash at its end.
        let scope = format!("{}/.default", settings.environment()?.origin().ascii_serialization());
        Ok(Self { url, client_id: settings.client_id.trim().to_owned(), scope, proof })
    }

    /// What names the account that it opens: the same for those who may share a token, and for nobody else.
    pub(crate) fn account(&self) -> String {
        let proof = match &self.proof {
            Proof::Secret(secret) => secret.expose(),
            // A wrong key does not open what a right one has opened.
            Proof::Certificate { signer, .. } => signer.public(),
        };
        [self.url.as_str(), &self.client_id, &self.scope, proof].join("\n")
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// The failure, classified; a refused credential is `Unauthorized`.
    pub(crate) async fn ask(&self, http: &Client, now: Timestamp) -> Result<Token, DeliveryError> {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = http.request(Method::POST, self.url.clone()).header(CONTENT_TYPE, form).body(self.form(now)?);
        let answer = request.send().await?;
        if !(200..300).contains(&answer.status) {
            return Err(refusal(&answer, now));
        }
        let granted: Option<Value> = serde_json::from_slice(answer.whole()?).ok();
        let member = |name: &str| granted.as_ref().and_then(|granted| granted.get(name));
        let Some(token) = member("access_token").and_then(Value::as_str) else {
            let message = "the answer to the login holds no token; does `login_url` lead to Microsoft Entra?";
            return Err(DeliveryError::new(ErrorKind::Uncertain, message).status(answer.status));
        };
        // A number; older endpoints give it as a text.
        let seconds = member("expires_in").and_then(|life| life.as_u64().or_else(|| life.as_str()?.parse().ok()));
        Ok(Token::new(token.to_owned(), (), now, seconds.map(Duration::from_secs)))
    }

    fn form(&self, now: Timestamp) -> Result<String, DeliveryError> {
        let mut fields = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", self.client_id.clone()),
            ("scope", self.scope.clone()),
        ];
        match &self.proof {
            Proof::Secret(secret) => fields.push(("client_secret", secret.expose().to_owned())),
            Proof::Certificate { signer, thumbprint } => {
                // A name for this one, so that none is taken twice.
                let jti = new_token().map_err(|_| {
                    DeliveryError::new(ErrorKind::Unavailable, "this machine has no random numbers to log in with")
                })?;
                let (id, now) = (&self.client_id, now.as_second());
                let claims = json!({
                    "aud": self.url.as_str(), "iss": id, "sub": id, "jti": jti, "iat": now, "nbf": now,
                    "exp": now + LIFETIME_S
                });
                let assertion = signer.sign(&json!({"x5t#S256": thumbprint}), &claims)?;
                fields.push((
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
                ));
                fields.push(("client_assertion", assertion));
            }
        }
        // A URL's query and a form are written alike.
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(fields);
        Ok(url.query().unwrap_or_default().to_owned())
    }
}

/// By which Entra knows the certificate: SHA-256 of its DER.
fn thumbprint(certificate: &Secret) -> Result<String, String> {
    let text = certificate.expose();
    let der = text.contains("BEGIN CERTIFICATE").then(|| der_in(text)).flatten();
    let der =
        der.ok_or("`certificate` is no PEM file with a certificate; it begins with -----BEGIN CERTIFICATE-----")?;
    Ok(URL_SAFE_NO_PAD.encode(Sha256::digest(der)))
}

/// Why there is no token. What Entra says is looked at and never shown.
fn refusal(answer: &Answer, now: Timestamp) -> DeliveryError {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let description = said.get("error_description").and_then(Value::as_str).unwrap_or_default();
    let code = said.pointer("/error_codes/0").and_then(Value::as_u64).or_else(|| code_in(description));
    let (kind, message) = match code {
        Some(code) => in_words(code, &clock_in_words(answer, now)),
        None => of_status(answer.status),
    };
    DeliveryError::new(kind, message).status(answer.status).retry_at(answer.retry_at(now))
}

/// The number in `AADSTS7000215: ..`.
fn code_in(description: &str) -> Option<u64> {
    let digits = description.strip_prefix("AADSTS")?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// No lead was sent yet, so nothing is about a lead.
fn of_status(status: u16) -> (ErrorKind, String) {
    let (kind, message) = match kind_of_status(status) {
        Some(ErrorKind::Rejected | ErrorKind::Unauthorized) | None => {
            (ErrorKind::Unauthorized, "Microsoft Entra refuses the login and does not say why")
        }
        Some(kind @ ErrorKind::Misconfigured) => (
            kind,
            "there is no login at `login_url`; it is https://login.microsoftonline.com, or that of another cloud",
        ),
        Some(kind) => (kind, "Microsoft Entra gives no token now"),
    };
    (kind, message.to_owned())
}

/// The errors of the token endpoint (learn.microsoft.com, "Microsoft Entra authentication and authorization error codes").
/// None of them is mended by asking again, save those that say so.
fn in_words(code: u64, clock: &str) -> (ErrorKind, String) {
    let message = match code {
        90_002 | 900_023 => "Microsoft Entra knows no such tenant; correct `tenant_id`, or the cloud by `login_url`",
        700_016 => "the tenant knows no application with this id; correct `client_id`, or `tenant_id`",
        7_000_229 => {
            "the application has no service principal in the tenant; have an administrator consent to it there"
        }
        7_000_112 => "the application is disabled in Microsoft Entra; enable it there",
        7_000_215 => {
            "Microsoft Entra refuses `client_secret`: it is the secret's value that is wanted and not its id, and a secret of this application"
        }
        7_000_222 => {
            "the client secret has expired; make a new one for the application and put it into `client_secret`"
        }
        7_000_216 => "the application must prove itself; give `client_secret`, or `certificate` and `private_key`",
        700_027 => {
            "Microsoft Entra refuses the assertion: it does not know `certificate`, or `private_key` does not belong to it; upload the certificate to the application"
        }
        700_024 => return (ErrorKind::Unauthorized, format!("the assertion is not within its time: {clock}")),
        700_023 | 50_027 => "Microsoft Entra refuses the assertion as malformed; is `login_url` of the right cloud?",
        500_011 | 50_001 => "the tenant knows no environment at `url`; correct `url`, or `tenant_id`",
        70_011 | 1_002_012 => "Microsoft Entra refuses the scope; `url` must be the address of an environment",
        53_003 | 530_034 => "a conditional access policy of the tenant refuses the login",
        7_000_218 => "the login lacks `client_secret` or an assertion",
        // "A transient error has occurred", "the service is temporarily unavailable", throttled.
        90_033 | 90_036 | 90_006 => return (ErrorKind::Unavailable, "Microsoft Entra gives no token now".to_owned()),
        90_055 | 50_196 => return (ErrorKind::Throttled, "Microsoft Entra wants fewer logins".to_owned()),
        code => {
            let message =
                format!("Microsoft Entra refuses the login with AADSTS{code}, which no row of the table explains");
            return (ErrorKind::Unauthorized, message);
        }
    };
    (ErrorKind::Unauthorized, message.to_owned())
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::http::header::HeaderMap;

    use super::*;

    fn refused(status: u16, body: &Value) -> DeliveryError {
        let body = body.to_string().into_bytes();
        let answer = Answer { status, headers: HeaderMap::new(), body: body.into(), truncated: false };
        refusal(&answer, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn every_refusal_has_its_row() {
        for (code, named) in [
            (90_002, "`tenant_id`"),
            (700_016, "`client_id`"),
            (7_000_215, "`client_secret`"),
            (7_000_222, "expired"),
            (7_000_112, "disabled"),
            (700_027, "`certificate`"),
            (700_024, "clock"),
            (500_011, "`url`"),
            (7_000_229, "consent"),
            (53_003, "policy"),
            (1, "AADSTS1,"),
        ] {
            let error = refused(401, &json!({"error": "x", "error_description": "t0ken", "error_codes": [code]}));
            assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
            assert!(error.message.contains(named) && !error.message.contains("t0ken"), "{error}");
        }
    }

    #[test]
    fn the_code_is_found_in_the_text_too() {
        let error =
            refused(401, &json!({"error_description": "AADSTS7000222: The provided client secret keys are expired."}));
        assert!(error.message.contains("expired"), "{error}");
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        assert_eq!(refused(400, &json!({"error_codes": [90_033]})).kind, ErrorKind::Unavailable);
        assert_eq!(refused(429, &json!({})).kind, ErrorKind::Throttled);
        assert_eq!(refused(503, &json!({})).kind, ErrorKind::Unavailable);
    }

    #[test]
    fn no_refused_login_is_about_a_lead() {
        for status in 300..600 {
            assert_ne!(refused(status, &json!({})).kind, ErrorKind::Rejected, "{status}");
        }
    }
}
