//! Logging in: client credentials or a signed assertion, and what a refusal means in plain words.
//!
//! An answer names no lifetime (REST API Developer Guide, "OAuth"): a session is used until a call is refused with 401.

use jiff::Timestamp;
use leadrelay_shared::config::Secret;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::header::{CONTENT_TYPE, HeaderValue};
use leadrelay_shared::http::{Answer, Client, Method, Url, kind_of_status};
use leadrelay_shared::oauth::{Algorithm, Signer, Token, clock_in_words};
use serde_json::{Value, json};

use crate::instance::trusted;
use crate::record::id_in;
use crate::settings::{Credential, Settings};

/// How long an assertion counts, in seconds. It is used at once; the rest is for clocks that differ.
const LIFETIME_S: i64 = 180;

/// A session that calls are made in.
pub(crate) type Session = Token<Granted>;

/// What a login says beside the token.
#[derive(Debug)]
pub(crate) struct Granted {
    /// Where the token may be sent.
    pub(crate) instance: Url,
    /// The id of the user that the calls are made as, where the login has told it.
    pub(crate) user: Option<String>,
}

/// Who logs in, and where.
#[derive(Debug)]
pub(crate) struct Login {
    url: Url,
    client_id: String,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    Secret(Secret),
    Key { signer: Box<Signer>, username: String, audience: String },
}

impl Login {
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let proof = match settings.credential()? {
            Credential::Secret(secret) => Proof::Secret(secret),
            Credential::Key { key, username, audience } => {
                Proof::Key { signer: Box::new(Signer::new(&key, Algorithm::Rs256)?), username, audience }
            }
        };
        Ok(Self { url: settings.login()?, client_id: settings.client_id.clone(), proof })
    }

    /// What names the account that it opens: the same for those who may share a session, and for nobody else.
    pub(crate) fn account(&self) -> String {
        let (proof, who) = match &self.proof {
            Proof::Secret(secret) => (secret.expose(), ""),
            // A wrong key does not open what a right one has opened.
            Proof::Key { signer, username, .. } => (signer.public(), username.as_str()),
        };
        [self.url.as_str(), &self.client_id, proof, who].join("\n")
    }

    /// One login.
    ///
    /// # Errors
    /// The failure, classified; a refused credential is `Unauthorized`.
    pub(crate) async fn log_in(&self, http: &Client, now: Timestamp) -> Result<Session, DeliveryError> {
        let mut url = self.url.clone();
        url.set_path("/services/oauth2/token");
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = http.request(Method::POST, url).header(CONTENT_TYPE, form).body(self.form(now)?);
        let answer = request.send().await?;
        if !(200..300).contains(&answer.status) {
            return Err(refusal(&answer, now));
        }
        let granted: Option<Value> = serde_json::from_slice(answer.whole()?).ok();
        let text = |name: &str| granted.as_ref().and_then(|granted| granted.get(name)).and_then(Value::as_str);
        let Some((token, instance)) = text("access_token").zip(text("instance_url")) else {
            let message = "the login's answer holds no token; does `login_url` lead to Salesforce?";
            return Err(DeliveryError::new(ErrorKind::Uncertain, message).status(answer.status));
        };
        // `https://login.salesforce.com/id/<org>/<user>`
        let user = text("id").and_then(|id| id.rsplit('/').next()).and_then(id_in);
        let granted = Granted { instance: trusted(instance, &self.url)?, user };
        Ok(Token::new(token.to_owned(), granted, now, None))
    }

    fn form(&self, now: Timestamp) -> Result<String, DeliveryError> {
        let fields = match &self.proof {
            Proof::Secret(secret) => vec![
                ("grant_type", "client_credentials".to_owned()),
                ("client_id", self.client_id.clone()),
                ("client_secret", secret.expose().to_owned()),
            ],
            Proof::Key { signer, username, audience } => {
                let exp = now.as_second() + LIFETIME_S;
                let claims = json!({"iss": self.client_id, "sub": username, "aud": audience, "exp": exp});
                vec![
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
                    ("assertion", signer.sign(&json!({}), &claims)?),
                ]
            }
        };
        // A URL's query and a form are written alike.
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(fields);
        Ok(url.query().unwrap_or_default().to_owned())
    }
}

/// Why there is no token. What Salesforce says is looked at and never shown.
fn refusal(answer: &Answer, now: Timestamp) -> DeliveryError {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, message) = match text("error") {
        "" => of_status(answer.status),
        error => in_words(error, text("error_description"), &clock_in_words(answer, now)),
    };
    DeliveryError::new(kind, message).status(answer.status).retry_at(answer.retry_at(now))
}

/// No lead was sent yet, so nothing is about a lead.
fn of_status(status: u16) -> (ErrorKind, String) {
    let (kind, message) = match kind_of_status(status) {
        Some(ErrorKind::Rejected) | None => (ErrorKind::Unauthorized, "Salesforce refuses the login"),
        Some(kind @ ErrorKind::Unauthorized) => (kind, "Salesforce refuses the login"),
        Some(kind @ ErrorKind::Misconfigured) => {
            (kind, "there is no login at `login_url`; it is the address of the org, https://<name>.my.salesforce.com")
        }
        Some(kind) => (kind, "Salesforce takes no login now"),
    };
    (kind, message.to_owned())
}

/// The errors of the token endpoint (help.salesforce.com, "OAuth 2.0 JWT Bearer Flow", "Client Credentials Flow", "OAuth
/// errors"). None of them is mended by asking again, save those that say so.
fn in_words(error: &str, description: &str, clock: &str) -> (ErrorKind, String) {
    let says = |words: &str| description.contains(words);
    let message = match error {
        "invalid_client_id" => "Salesforce does not know `client_id`: the app's consumer key, in this org",
        "invalid_client" => "Salesforce refuses `client_secret`; it may have been rotated",
        "invalid_grant" if says("expired") => {
            return (ErrorKind::Unauthorized, format!("Salesforce refuses the login as expired: {clock}"));
        }
        "invalid_grant" if says("audience") => {
            "Salesforce refuses `audience`; it is https://login.salesforce.com, and https://test.salesforce.com for a sandbox"
        }
        "invalid_grant" if says("approved") => {
            "the user of `username` is not admitted to the app; pre-authorise a profile or permission set of it in the app's policies"
        }
        "invalid_grant" if says("assertion") => {
            "Salesforce refuses the signature; `private_key` does not belong to the app's certificate"
        }
        "invalid_grant" if says("client credentials user") => {
            "the app has no Run As user for the client credentials flow; set one"
        }
        "invalid_grant" if says("domain") => {
            "this flow needs the org's own address as `login_url`: https://<name>.my.salesforce.com"
        }
        "invalid_grant" => "Salesforce refuses the login; look at the user's login history in Setup for the reason",
        "unsupported_grant_type" => "the app does not allow this flow; enable it in the app's settings",
        "invalid_app_access" | "inactive_user" | "inactive_org" => {
            "the user or the org may not log in: it is inactive, frozen, or not admitted to the app"
        }
        "rate_limit_exceeded" => return (ErrorKind::Throttled, "Salesforce wants fewer logins".to_owned()),
        // Said to the second of two logins at once, too.
        "unknown_error" | "server_error" | "temporarily_unavailable" => {
            return (ErrorKind::Unavailable, "Salesforce takes no login now".to_owned());
        }
        _ => "Salesforce refuses the login, for a reason that no row of the table explains",
    };
    (ErrorKind::Unauthorized, message.to_owned())
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::http::header::HeaderMap;

    use super::*;

    fn refused(status: u16, error: &str, description: &str) -> DeliveryError {
        let body = json!({"error": error, "error_description": description}).to_string();
        let answer = Answer { status, headers: HeaderMap::new(), body: body.into(), truncated: false };
        refusal(&answer, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn every_refusal_has_its_row() {
        for (error, description, named) in [
            ("invalid_client_id", "client identifier invalid", "`client_id`"),
            ("invalid_client", "invalid client credentials", "`client_secret`"),
            ("invalid_grant", "audience is invalid", "`audience`"),
            ("invalid_grant", "user hasn't approved this consumer", "pre-authorise"),
            ("invalid_grant", "invalid assertion", "`private_key`"),
            ("invalid_grant", "expired authorization code", "clock"),
            ("invalid_grant", "no client credentials user enabled", "Run As"),
            ("invalid_grant", "request not supported on this domain", "`login_url`"),
            ("invalid_grant", "authentication failure", "login history"),
            ("unsupported_grant_type", "grant type not supported", "enable"),
            ("inactive_user", "user is inactive", "inactive"),
            ("whatever", "t0ken", "no row"),
        ] {
            let error = refused(400, error, description);
            assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
            assert!(error.message.contains(named) && !error.message.contains("t0ken"), "{error}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        assert_eq!(refused(400, "unknown_error", "retry your request").kind, ErrorKind::Unavailable);
        assert_eq!(refused(503, "server_error", "").kind, ErrorKind::Unavailable);
        assert_eq!(refused(400, "rate_limit_exceeded", "login rate exceeded").kind, ErrorKind::Throttled);
    }

    #[test]
    fn no_refused_login_is_about_a_lead() {
        for status in 300..600 {
            let error = refused(status, "", "");
            assert_ne!(error.kind, ErrorKind::Rejected, "{status}");
        }
    }
}
