//! What Salesforce means, by `errorCode` first and status second (SOAP API Developer Guide, "StatusCode"; REST API Developer
//! Guide, "Status Codes and Error Responses").
//!
//! Its own words are looked at and never shown: they repeat the values of the lead. A field is named where Salesforce names
//! one and what it names can be a field.

use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::{Answer, kind_of_status};
use serde_json::Value;

use crate::record::id_in;
use crate::settings::is_api_name;

/// When calls are used up, they come back as the last 24 hours move on, some of them all the time, and Salesforce says
/// neither how many nor when. In an hour there are as many free as were made in one hour a day ago; asking more often
/// than that spends the first of them on asking.
const USED_UP: Duration = Duration::from_hours(1);

/// Why there is no new record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The delivery's id is on this record already, or on one whose id is not told.
    Exists(Option<String>),
    /// It failed.
    Failed(DeliveryError),
}

/// What is known when an answer is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    /// The external-id field, if there is one.
    pub(crate) key: Option<&'a str>,
    pub(crate) now: Timestamp,
}

impl Reading<'_> {
    /// What `answer` refuses, if it does.
    pub(crate) fn parse_error(self, answer: &Answer) -> Option<Refusal> {
        let kind = kind_of_status(answer.status)?;
        let errors = serde_json::from_slice::<Value>(&answer.body).ok();
        let refusal = errors.as_ref().and_then(|errors| self.of_errors(errors, Some(answer)));
        Some(
            refusal
                .unwrap_or_else(|| Refusal::Failed(of_status(answer.status, kind).retry_at(answer.retry_at(self.now)))),
        )
    }

    /// What the errors of an answer, or of one record in a collection, mean. None where they are no errors.
    pub(crate) fn of_errors(self, errors: &Value, answer: Option<&Answer>) -> Option<Refusal> {
        let errors: Vec<Error<'_>> = errors.as_array()?.iter().filter_map(Error::read).collect();
        if let Some(exists) = errors.iter().find_map(|error| self.exists(error)) {
            return Some(exists);
        }
        let error = errors.first()?;
        let (kind, words) = self.of_code(error);
        let mut failed = DeliveryError::new(kind, words);
        failed.status = answer.map(|answer| answer.status);
        failed.field = error.field();
        if kind == ErrorKind::Throttled {
            let asked = answer.and_then(|answer| answer.retry_at(self.now));
            failed.retry_at = asked.or_else(|| is_used_up(error, answer).then(|| self.now + USED_UP));
        }
        Some(Refusal::Failed(failed))
    }

    /// Whether it says that our own id is there. With the field not told (`<unknown>`) it does not.
    fn exists(self, error: &Error<'_>) -> Option<Refusal> {
        let rest = error.message.strip_prefix("duplicate value found: ").filter(|_| error.code == "DUPLICATE_VALUE")?;
        let (field, record) = rest.split_once(" duplicates value on record with id: ")?;
        let is_ours = self.key.is_some_and(|key| key.eq_ignore_ascii_case(field));
        is_ours.then(|| Refusal::Exists(id_in(record)))
    }

    fn of_code(self, error: &Error<'_>) -> (ErrorKind, String) {
        let is_key = error.field().is_some_and(|field| self.key.is_some_and(|key| key.eq_ignore_ascii_case(&field)));
        let (kind, words) = match error.code {
            "INVALID_FIELD" | "INVALID_FIELD_FOR_INSERT_UPDATE" if is_key => (
                ErrorKind::Misconfigured,
                "the external-id field is not there or the user may not set it; `leadrelay setup salesforce` makes it",
            ),
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" if error.message.contains("LimitException") => (
                ErrorKind::Unexpected,
                "a trigger in Salesforce ran out of what it may use, perhaps because many leads came at once",
            ),
            code => return known(code).unwrap_or_else(|| unknown(code)),
        };
        (kind, words.to_owned())
    }
}

/// Whether `answer` refuses with one of these codes.
pub(crate) fn says(answer: &Answer, codes: &[&str]) -> bool {
    let errors: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let mut errors = errors.as_array().into_iter().flatten().filter_map(Error::read);
    errors.any(|error| codes.contains(&error.code))
}

/// One error as an answer tells it. In a collection the code is called `statusCode`.
struct Error<'a> {
    code: &'a str,
    message: &'a str,
    fields: Vec<&'a str>,
}

impl<'a> Error<'a> {
    fn read(error: &'a Value) -> Option<Self> {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let fields = error.get("fields").and_then(Value::as_array);
        Some(Self {
            code: text("errorCode").or_else(|| text("statusCode"))?,
            message: text("message").unwrap_or_default(),
            fields: fields.map(|fields| fields.iter().filter_map(Value::as_str).collect()).unwrap_or_default(),
        })
    }

    /// The field that it is about. An unknown one stands in the message alone: `No such column 'x' on sobject of type Lead`.
    fn field(&self) -> Option<String> {
        let column = self.message.strip_prefix("No such column '").and_then(|rest| Some(rest.split_once('\'')?.0));
        let field = self.fields.first().copied().or(column).filter(|name| is_api_name(name));
        field.map(str::to_owned)
    }
}

/// Whether the calls of 24 hours are used up, and not those that may run at one time.
fn is_used_up(error: &Error<'_>, answer: Option<&Answer>) -> bool {
    match answer.and_then(usage) {
        Some((used, total)) => used >= total,
        None => !error.message.starts_with("Concurrent"),
    }
}

/// How many calls of how many were made in the last 24 hours: `Sforce-Limit-Info: api-usage=18/5000; ..`.
fn usage(answer: &Answer) -> Option<(u64, u64)> {
    let info = answer.headers.get("Sforce-Limit-Info")?.to_str().ok()?;
    let usage = info.split(';').find_map(|part| part.trim().strip_prefix("api-usage="))?;
    let (used, total) = usage.split_once('/')?;
    Some((used.trim().parse().ok()?, total.trim().parse().ok()?))
}

/// The table.
fn known(code: &str) -> Option<(ErrorKind, String)> {
    use ErrorKind::{Contended, Misconfigured, Rejected, Throttled, Unauthorized, Unavailable};
    let (kind, words) = match code {
        "DUPLICATES_DETECTED" => (
            Rejected,
            "a duplicate rule of Salesforce objects: it may have this person already. Look there, or change `on_duplicate` or the rule",
        ),
        "DUPLICATE_VALUE" => (Rejected, "a value that must be unique is on another record in Salesforce"),
        "DUPLICATE_EXTERNAL_ID" => (Rejected, "several records have this external id; make the field unique"),
        "REQUIRED_FIELD_MISSING" => (Rejected, "Salesforce requires a value; map the field"),
        "INVALID_FIELD" => (Rejected, "Salesforce knows no such field, or the user may not see it"),
        "INVALID_FIELD_FOR_INSERT_UPDATE" => (Rejected, "the user may not set the field"),
        "STRING_TOO_LONG" => (Rejected, "the value is too long for the field"),
        "INVALID_EMAIL_ADDRESS" => (Rejected, "the value is no e-mail address to Salesforce"),
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" => {
            (Rejected, "the value is not in the field's picklist, which is restricted")
        }
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" => (Rejected, "a validation rule of Salesforce refuses it"),
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" | "APEX_ERROR" => {
            (Rejected, "a trigger or flow in Salesforce refuses it")
        }
        "JSON_PARSER_ERROR" => (Rejected, "a value is of another type than its field"),
        "FIELD_INTEGRITY_EXCEPTION"
        | "NUMBER_OUTSIDE_VALID_RANGE"
        | "INVALID_CROSS_REFERENCE_KEY"
        | "MALFORMED_ID"
        | "INVALID_ID_FIELD"
        | "ENTITY_IS_DELETED"
        | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        | "TRANSFER_REQUIRES_READ"
        | "BAD_CUSTOM_ENTITY_PARENT_DOMAIN"
        | "INVALID_STATUS" => (Rejected, "Salesforce refuses a value, or the record that it refers to"),
        "UNABLE_TO_LOCK_ROW" => (Contended, "another change in Salesforce holds a record that this one needs"),
        "REQUEST_LIMIT_EXCEEDED" => (Throttled, "the org's API calls are used up for now"),
        "SERVER_UNAVAILABLE"
        | "QUERY_TIMEOUT"
        | "API_CURRENTLY_DISABLED"
        | "REQUEST_RUNNING_TOO_LONG"
        | "ALL_OR_NONE_OPERATION_ROLLED_BACK" => (Unavailable, "Salesforce cannot take leads now"),
        "INVALID_SESSION_ID"
        | "INVALID_AUTH_HEADER"
        | "INVALID_OPERATION_WITH_EXPIRED_PASSWORD"
        | "PASSWORD_LOCKOUT" => {
            (Unauthorized, "Salesforce refuses a session that it has just given; may the user call the API?")
        }
        "INSUFFICIENT_ACCESS" | "INSUFFICIENT_ACCESS_OR_READONLY" | "OPERATION_NOT_ALLOWED" => {
            (Misconfigured, "the user may not create this object; give it a permission set that allows it")
        }
        "INVALID_TYPE" | "NOT_FOUND" | "INVALID_TYPE_FOR_OPERATION" => (
            Misconfigured,
            "Salesforce knows no such object or field, or the user may not see it; correct `object` or `external_id_field`",
        ),
        "API_DISABLED_FOR_ORG" | "FUNCTIONALITY_NOT_ENABLED" => {
            (Misconfigured, "the API is not enabled for this user or org (permission `API Enabled`)")
        }
        "STORAGE_LIMIT_EXCEEDED" => (Misconfigured, "the org's storage is full"),
        "UNSUPPORTED_API_VERSION" | "METHOD_NOT_ALLOWED" => {
            (Misconfigured, "Salesforce knows no such call in this `api_version`")
        }
        _ => return None,
    };
    Some((kind, words.to_owned()))
}

/// A code that is not in the table is shown, where it can be a code.
fn unknown(code: &str) -> (ErrorKind, String) {
    let is_code = code.len() <= 80 && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let shown = if is_code { code } else { "an unknown code" };
    (ErrorKind::Unexpected, format!("Salesforce answers {shown}, which no row of the table explains"))
}

/// An answer that holds no error code: from a gateway, or a page for people.
fn of_status(status: u16, kind: ErrorKind) -> DeliveryError {
    let (kind, words) = match status {
        // Several records have this external id; the answer is a list of them.
        300 => (ErrorKind::Rejected, "several records have this external id; make the field unique"),
        301..=399 => (kind, "Salesforce redirects, and redirects are not followed; correct `login_url`"),
        404 | 405 => (kind, "Salesforce knows no such call; correct `object`, `external_id_field` or `api_version`"),
        // Said at Salesforce's edge when it routes an org elsewhere.
        420 => (ErrorKind::Unavailable, "Salesforce cannot take leads now"),
        401 => (kind, "Salesforce refuses a session that it has just given; may the user call the API?"),
        403 => (kind, "Salesforce refuses access; look at the user's permissions and IP ranges"),
        _ => match kind {
            ErrorKind::Rejected => (kind, "Salesforce refuses this lead and does not say why"),
            ErrorKind::Throttled => (kind, "Salesforce wants fewer requests"),
            ErrorKind::Unavailable => (kind, "Salesforce cannot take leads now"),
            ErrorKind::Uncertain => (kind, "a gateway before Salesforce gave up waiting; the lead may have arrived"),
            _ => (kind, "Salesforce gave an answer that no row of the table explains"),
        },
    };
    DeliveryError::new(kind, words).status(status)
}

#[cfg(test)]
mod tests;
