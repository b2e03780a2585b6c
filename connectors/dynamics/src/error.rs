//! What Dataverse means, by `error.code` first and status second (learn.microsoft.com, "Compose HTTP requests and handle
//! errors", "Web service error codes", "Service protection API limits").
//!
//! Its own words are looked at and never shown: they repeat the values of the lead. A column or a privilege is named where
//! Dataverse names one and what it names can be one.

use jiff::Timestamp;
use leadrelay_shared::delivery::Record;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::{Answer, kind_of_status};
use serde_json::Value;

use crate::settings::is_name;

/// Why there is no new row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A row with the same key is there: ours, or one that has the same values in an alternate key.
    Taken(DeliveryError),
    /// A duplicate detection rule objects.
    Duplicate(DeliveryError),
    /// It failed.
    Failed(DeliveryError),
}

impl Refusal {
    /// As a failure, for those who can do nothing else with it.
    pub(crate) fn into_error(self) -> DeliveryError {
        match self {
            Self::Taken(error) | Self::Duplicate(error) | Self::Failed(error) => error,
        }
    }
}

/// What `answer` refuses, if it does. `record` is what was written.
pub(crate) fn parse_error(answer: &Answer, record: Option<&Record>, now: Timestamp) -> Option<Refusal> {
    let kind = kind_of_status(answer.status)?;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| said.pointer(name).and_then(Value::as_str).unwrap_or_default();
    let (code, message) = (number_of(text("/error/code")), text("/error/message"));
    let row = code.and_then(|code| known(code, answer.status, message)).unwrap_or_else(|| match code {
        Some(code) => unknown(code, answer.status, kind),
        None => of_status(answer.status, kind),
    });
    let mut error = DeliveryError::new(row.kind, row.words).status(answer.status).retry_at(answer.retry_at(now));
    if row.kind == ErrorKind::Rejected {
        error.field = record.and_then(|record| column_in(message, record));
    }
    Some(match row.is {
        Is::Taken => Refusal::Taken(error),
        Is::Duplicate => Refusal::Duplicate(error),
        Is::Failure => Refusal::Failed(error),
    })
}

/// Whether `answer` says that there is no such row.
pub(crate) fn says_no_such_row(answer: &Answer) -> bool {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = said.pointer("/error/code").and_then(Value::as_str).and_then(number_of);
    answer.status == 404 && code == Some(NO_SUCH_ROW)
}

/// ObjectDoesNotExist.
const NO_SUCH_ROW: u32 = 0x8004_0217;

/// A row of the table.
struct Row {
    is: Is,
    kind: ErrorKind,
    words: String,
}

#[derive(Clone, Copy)]
enum Is {
    Taken,
    Duplicate,
    Failure,
}

/// `0x80040333` as a number.
fn number_of(code: &str) -> Option<u32> {
    u32::from_str_radix(code.strip_prefix("0x")?, 16).ok()
}

/// The table.
fn known(code: u32, status: u16, message: &str) -> Option<Row> {
    use ErrorKind::{Contended, Misconfigured, Rejected, Throttled, Unavailable, Unexpected};
    let row = |kind: ErrorKind, words: &str| Some(Row { is: Is::Failure, kind, words: words.to_owned() });
    match code {
        0x8004_0333 => Some(Row {
            is: Is::Duplicate,
            kind: Rejected,
            words: "a duplicate detection rule of Dynamics 365 objects: it may have this person already. Look there, or change `on_duplicate` or the rule".to_owned(),
        }),
        // DuplicateRecord, DuplicateRecordEntityKey.
        0x8004_0237 | 0x8006_0892 => Some(taken()),
        0x8007_2322 => row(Throttled, "the application has made too many requests in five minutes"),
        0x8007_2321 => row(Throttled, "the application's requests have taken too much time in five minutes"),
        0x8007_2326 => row(Throttled, "too many requests of the application run at once; lower `concurrency`"),
        0x8004_4331 => row(Rejected, "the value is too long for the column"),
        0x8004_431a => row(Rejected, "the value is none of the column's options"),
        0x8004_4330 | 0x8004_432f => row(Rejected, "the number is outside of what the column takes"),
        0x8004_0278 => row(Rejected, "the value has characters that Dynamics 365 does not take"),
        0x8004_0265 => row(Rejected, "a plug-in or workflow in Dynamics 365 refuses it"),
        // 0x0 is what payloads that do not fit got before they had a code, and what some still get.
        0 if matches!(status, 400 | 404) => Some(payload(status, message)),
        0x8006_088a | 0x8004_8d19 | 0x8006_0888 => Some(payload(status, message)),
        NO_SUCH_ROW | 0x8006_0891 => row(Rejected, "a row that the lead refers to is not there"),
        0x8004_0203 => row(Rejected, "Dynamics 365 refuses a value"),
        0x8004_0220 => row(Misconfigured, &match privilege_in(message) {
            Some(privilege) => format!("the application user lacks the privilege {privilege}; add it to its security role"),
            None => "the application user lacks a privilege; give it a security role that may create and read the table".to_owned(),
        }),
        0x8004_2f09 => row(Misconfigured, "the application user has no security role; assign one that may create and read the table"),
        0x8004_1d1f | 0x8004_0225 => row(Misconfigured, "the application user is disabled in Dynamics 365; enable it"),
        0x8007_2560 => row(Misconfigured, "the application is no user of the environment; add an application user for `client_id`"),
        // GenericSqlError (deadlocks among them), SqlTimeout: rolled back, and mostly gone a moment later.
        0x8004_4150 | 0x8004_4151 => row(Contended, "another change in Dynamics 365 holds what this one needs"),
        0x8004_0224 => row(Unexpected, "a plug-in in Dynamics 365 failed"),
        0x8004_0216 => row(Unexpected, "Dynamics 365 failed and does not say at what"),
        // OrganizationDisabled, OrganizationInAdminMode (read as such in the service's own list of codes).
        0x8004_4192 | 0x8004_8d0b => row(Unavailable, "the environment is being maintained, or is disabled"),
        _ => None,
    }
}

fn taken() -> Row {
    Row {
        is: Is::Taken,
        kind: ErrorKind::Rejected,
        words: "another row has the same values in a key of the table".to_owned(),
    }
}

/// A payload or a path that does not fit the model. One code serves for what differs from lead to lead and for what does not.
fn payload(status: u16, message: &str) -> Row {
    let says = |words: &str| message.contains(words);
    let (kind, words) = if status == 404 || says("Resource not found for the segment") {
        (ErrorKind::Misconfigured, "Dynamics 365 knows no such table; correct `table` or `entity_set`")
    } else if says("does not exist on type") || says("Could not find a property named") || says("undeclared property") {
        (
            ErrorKind::Rejected,
            "the table has no such column; a lookup is set as its navigation property and `@odata.bind`",
        )
    } else {
        (ErrorKind::Rejected, "a value is of another type than its column")
    };
    Row { is: Is::Failure, kind, words: words.to_owned() }
}

/// A code that is not in the table is shown. It is about the lead where the status says that it is.
fn unknown(code: u32, status: u16, kind: ErrorKind) -> Row {
    let kind = match kind {
        // The rows of the table that ask for nothing but patience are known; this one may be a plug-in's.
        ErrorKind::Unavailable if status == 500 => ErrorKind::Unexpected,
        _ if status == 412 => ErrorKind::Rejected,
        _ if status == 403 => ErrorKind::Misconfigured,
        kind => kind,
    };
    let row = if status == 412 { Is::Taken } else { Is::Failure };
    Row { is: row, kind, words: format!("Dynamics 365 answers {code:#010x}, which no row of the table explains") }
}

/// An answer that holds no error code.
fn of_status(status: u16, kind: ErrorKind) -> Row {
    if status == 412 {
        return taken();
    }
    let (kind, words) = match status {
        301..=399 => (kind, "Dynamics 365 redirects, and redirects are not followed; correct `url`"),
        404 | 405 => (kind, "there is no Web API at `url`, or not in this `api_version`"),
        401 => (kind, "Dynamics 365 refuses a token that was just given; add an application user for `client_id`"),
        403 => {
            (kind, "Dynamics 365 refuses access; look at the application user's roles and the environment's IP ranges")
        }
        _ => match kind {
            ErrorKind::Rejected => (kind, "Dynamics 365 refuses this lead and does not say why"),
            ErrorKind::Throttled => (kind, "Dynamics 365 wants fewer requests"),
            ErrorKind::Unavailable => (kind, "Dynamics 365 cannot take leads now"),
            ErrorKind::Uncertain => (kind, "a gateway before Dynamics 365 gave up waiting; the lead may have arrived"),
            _ => (kind, "Dynamics 365 gave an answer that no row of the table explains"),
        },
    };
    Row { is: Is::Failure, kind, words: words.to_owned() }
}

/// The column that a message is about: the first word in quotes that is one of the columns which were written. A plug-in may
/// quote anything, a name too.
fn column_in(message: &str, record: &Record) -> Option<String> {
    let is_column = |word: &&str| record.contains_key(*word) || record.contains_key(&format!("{word}@odata.bind"));
    message.split('\'').find(is_column).map(str::to_owned)
}

/// The privilege that is missing: `.. is missing prvCreateLead privilege ..`.
fn privilege_in(message: &str) -> Option<&str> {
    let word = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(|word| word.starts_with("prv"))?;
    is_name(word).then_some(word)
}

#[cfg(test)]
mod tests;
