//! Why an attempt failed: one kind, decided by the connector at the line that knows.
//!
//! A failure is about *this lead* or about *the destination*; [`ErrorKind::about`] answers that, and everything that
//! follows (park, retry, pause) follows from the answer.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The destination understood and refuses this lead: invalid field, duplicate rule.
    Rejected,
    /// The destination is there and would take the lead, but something else holds what it needs: a locked row. Again soon;
    /// no other lead waits for it.
    Contended,
    /// Too many requests, or a quota is used up.
    Throttled,
    /// It could not be reached, or it said that it cannot serve now. The lead was not taken.
    Unavailable,
    /// The request left and no answer came: the lead may have been taken.
    Uncertain,
    /// The credential is refused.
    Unauthorized,
    /// The settings are wrong: an unknown table, a missing role.
    Misconfigured,
    /// An answer that no row of the connector's table explains.
    Unexpected,
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// This lead; another may well pass, now.
    Lead,
    /// The destination; every other lead would fail as well.
    Destination,
    /// Not known.
    Unknown,
}

impl ErrorKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 8] = [
        Self::Rejected,
        Self::Contended,
        Self::Throttled,
        Self::Unavailable,
        Self::Uncertain,
        Self::Unauthorized,
        Self::Misconfigured,
        Self::Unexpected,
    ];

    /// Whose fault it is.
    pub fn about(self) -> Blame {
        match self {
            Self::Rejected | Self::Contended => Blame::Lead,
            Self::Unexpected => Blame::Unknown,
            _ => Blame::Destination,
        }
    }

    /// The name as it stands in JSON and in metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Contended => "contended",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Uncertain => "uncertain",
            Self::Unauthorized => "unauthorized",
            Self::Misconfigured => "misconfigured",
            Self::Unexpected => "unexpected",
        }
    }
}

/// One failed attempt. Its texts hold no value of the lead and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// In words for an operator; lower case, so that "failed: {error}" reads.
    pub message: String,
    /// The destination asks not to be tried before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub retry_at: Option<Timestamp>,
    /// The HTTP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The field concerned, in the destination's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl DeliveryError {
    /// A failure of `kind`, with nothing else known.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_at: None, status: None, field: None }
    }

    /// With the HTTP status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// With the field concerned.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// With the time before which the destination does not want to be tried.
    #[must_use]
    pub fn retry_at(mut self, at: Option<Timestamp>) -> Self {
        self.retry_at = at;
        self
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(field) = &self.field {
            write!(f, " (field {field})")?;
        }
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        Ok(())
    }
}

impl std::error::Error for DeliveryError {}
