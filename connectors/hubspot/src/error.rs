//! What HubSpot means, by the codes in the body first and by status second (developers.hubspot.com, "Error handling").
//!
//! Its own words are looked at and never shown: they repeat the values of the lead. A property is named where HubSpot names one
//! and it is one that was written.

use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::delivery::Record;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::{Answer, kind_of_status};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::connector::{HubSpotConnector, unusable};
use crate::record::{OF_LEAD, Object};

/// How long a lock of a busy account lasts (developers.hubspot.com, "Error handling", 423).
const LOCK: SignedDuration = SignedDuration::from_secs(2);
/// The window in which calls are counted.
const WINDOW: SignedDuration = SignedDuration::from_secs(10);
/// A day's limit ends at midnight in the account's own time zone, which is not told; it is looked at so often.
const DAY_LOOK: SignedDuration = SignedDuration::from_mins(15);

/// How answers are read.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    /// What was written, if something was.
    pub(crate) record: Option<&'a Record>,
    pub(crate) id_property: &'a str,
    pub(crate) now: Timestamp,
}

impl<'a> Reading<'a> {
    /// Reads what is said to `connector` of `record`.
    pub(crate) fn of(connector: &'a HubSpotConnector, record: Option<&'a Record>) -> Self {
        Self { record, id_property: &connector.id_property, now: connector.portal.clock.now() }
    }

    /// The object that an answer tells of.
    ///
    /// # Errors
    /// The failure, classified.
    pub(crate) fn object(&self, answer: &Answer) -> Result<Object, DeliveryError> {
        self.json(answer)
    }

    /// What an answer tells in a known shape.
    ///
    /// # Errors
    /// The failure, classified.
    pub(crate) fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, DeliveryError> {
        if let Some(error) = self.parse_error(answer) {
            return Err(error);
        }
        serde_json::from_slice(answer.whole()?).map_err(|_| {
            let message = "the answer is not one of HubSpot; does `url` lead there?";
            DeliveryError::new(ErrorKind::Uncertain, message).status(answer.status)
        })
    }

    /// The failure that `answer` is, if it is one.
    pub(crate) fn parse_error(&self, answer: &Answer) -> Option<DeliveryError> {
        let kind = kind_of_status(answer.status)?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let category = said["category"].as_str().unwrap_or_default();
        let error = match (answer.status, category) {
            (400 | 409, _) => self.of_lead(answer.status, category, &problems(&said)),
            (429, _) => throttled(&said, self.now),
            (423, _) => {
                let message = "HubSpot is busy with many changes of this account";
                DeliveryError::new(ErrorKind::Throttled, message).retry_at(Some(self.now + LOCK))
            }
            (403, _) => DeliveryError::new(ErrorKind::Misconfigured, forbidden(&said)),
            (404, "OBJECT_NOT_FOUND") => gone(),
            (status, _) => of_status(status, kind),
        };
        let told = answer.retry_at(self.now).or(error.retry_at);
        Some(error.status(answer.status).retry_at(told))
    }

    /// A refusal of what was written.
    fn of_lead(&self, status: u16, category: &str, problems: &[Problem]) -> DeliveryError {
        let about_id = |problem: &&Problem| problem.property == self.id_property;
        let is_taken = |problem: &Problem| problem.code.contains("UNIQUE") || problem.code.contains("CONFLICT");
        match problems.iter().find(about_id) {
            Some(problem) if status == 409 || is_taken(problem) => return taken(),
            Some(_) => return unusable(self.id_property),
            None => {}
        }
        if category == "OBJECT_NOT_FOUND" {
            return gone();
        }
        if status == 409 {
            return taken();
        }
        let problem = problems.iter().find(|problem| self.written(&problem.property).is_some()).or(problems.first());
        let mut error = DeliveryError::new(ErrorKind::Rejected, words(problem.map_or("", |problem| &problem.code)));
        error.field = problem.and_then(|problem| self.written(&problem.property));
        error
    }

    /// The field of the record that was written to `property`.
    fn written(&self, property: &str) -> Option<String> {
        let names = [property.to_owned(), format!("{OF_LEAD}{property}")];
        names.into_iter().find(|name| self.record.is_some_and(|record| record.contains_key(name)))
    }
}

/// Whether `answer` says that no object has this id.
pub(crate) fn says_no_such_object(answer: &Answer) -> bool {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    answer.status == 404 && said["category"] == "OBJECT_NOT_FOUND"
}

/// One thing that is wrong with one property.
#[derive(Debug, Default, PartialEq, Eq)]
struct Problem {
    code: String,
    property: String,
}

/// What is wrong: `errors` with code and context, and, where properties are, a list as a text within the message.
fn problems(said: &Value) -> Vec<Problem> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed = said["errors"].as_array().into_iter().flatten().map(|error| {
        let named = &error["context"]["propertyName"];
        let property = if named.is_array() { &named[0] } else { named };
        let property = if property.is_null() { &error["in"] } else { property };
        Problem { code: text(&error["code"]), property: text(property) }
    });
    let within = said["message"].as_str().and_then(|message| message.split_once("Property values were not valid: "));
    let within: Value = within.and_then(|(_, list)| serde_json::from_str(list).ok()).unwrap_or_default();
    let within = within.as_array().into_iter().flatten();
    within.map(|one| Problem { code: text(&one["error"]), property: text(&one["name"]) }).chain(listed).collect()
}

fn words(code: &str) -> &'static str {
    match code {
        "PROPERTY_DOESNT_EXIST" => "HubSpot has no such property; create it, or correct the route",
        "INVALID_OPTION" => "the value is none of the property's options",
        "READ_ONLY_VALUE" => "HubSpot does not let the property be set",
        "INVALID_EMAIL" => "it is no e-mail address that HubSpot takes",
        "REQUIRED_FIELD" | "MISSING_REQUIRED_PROPERTY" => "HubSpot wants the property in every record",
        _ if code.starts_with("INVALID_") => "the value is of another type than the property",
        _ => "HubSpot refuses this lead",
    }
}

fn taken() -> DeliveryError {
    DeliveryError::new(ErrorKind::Contended, "another record of HubSpot has a value that may be there once")
}

fn gone() -> DeliveryError {
    DeliveryError::new(ErrorKind::Contended, "the contact was deleted or merged meanwhile")
}

fn throttled(said: &Value, now: Timestamp) -> DeliveryError {
    let (words, wait) = match said["policyName"].as_str() {
        Some("DAILY") => ("the account has used up its calls of the day", DAY_LOOK),
        _ => ("the app has made too many calls in ten seconds; lower `concurrency`", WINDOW),
    };
    DeliveryError::new(ErrorKind::Throttled, words).retry_at(Some(now + wait))
}

/// The scopes that a token lacks are told in a context, in one of two spellings.
fn forbidden(said: &Value) -> String {
    let is_scope = |scope: &&str| {
        scope.len() < 80 && scope.contains('.') && scope.chars().all(|c| c.is_ascii_lowercase() || ".-_".contains(c))
    };
    let contexts = said["errors"].as_array().into_iter().flatten().map(|error| &error["context"]);
    let lists = contexts.flat_map(|context| [&context["requiredGranularScopes"], &context["requiredScopes"]]);
    let scopes: Vec<&str> =
        lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str).filter(is_scope).collect();
    match scopes.as_slice() {
        [] => "the private app may not do this; give it the scopes to read and write contacts and leads".to_owned(),
        scopes => format!("the private app lacks a scope; give it {}", scopes.join(" or ")),
    }
}

fn of_status(status: u16, kind: ErrorKind) -> DeliveryError {
    let (kind, words) = match status {
        300..=399 => (kind, "HubSpot redirects, and redirects are not followed; correct `url`"),
        401 => (kind, "HubSpot refuses the token; it may have been rotated or the app deleted. Correct `token`"),
        404 | 405 => (kind, "HubSpot knows no such object; leads want Sales Hub Professional, and `url` the API"),
        477 => (ErrorKind::Unavailable, "HubSpot is moving the account to another place; this can take a day"),
        522 | 524 => (ErrorKind::Uncertain, "a gateway before HubSpot gave up waiting; the lead may have arrived"),
        _ => match kind {
            ErrorKind::Rejected => (kind, "HubSpot refuses this lead and does not say why"),
            ErrorKind::Unauthorized => (kind, "a proxy before HubSpot refuses the call"),
            ErrorKind::Unavailable => (kind, "HubSpot cannot take leads now"),
            ErrorKind::Uncertain => (kind, "a gateway before HubSpot gave up waiting; the lead may have arrived"),
            _ => (kind, "HubSpot gave an answer that no row of the table explains"),
        },
    };
    DeliveryError::new(kind, words)
}

#[cfg(test)]
mod tests;
