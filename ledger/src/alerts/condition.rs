//! What can be wrong, in words. No condition holds a value of a lead: only names of the configuration, counts and times.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Leads wait for a person.
    Parked,
    /// A destination is not delivered to.
    Paused,
    /// A lead is undelivered for longer than its route's promise.
    Late,
    /// A source sends nothing for longer than it is used to.
    Silent,
    /// A credential expires soon, or has expired.
    Expiring,
    /// Leads wait in ingest's spool, because the broker takes none.
    Spool,
    /// The queue is nearly full, or takes nothing.
    Queue,
    /// The disk is nearly full.
    Disk,
    /// Nothing is wrong: somebody wanted to see whether alerts arrive.
    Test,
}

impl AlertKind {
    /// The word, as it stands in JSON and in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Paused => "paused",
            Self::Late => "late",
            Self::Silent => "silent",
            Self::Expiring => "expiring",
            Self::Spool => "spool",
            Self::Queue => "queue",
            Self::Disk => "disk",
            Self::Test => "test",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Condition {
    pub(crate) kind: AlertKind,
    /// Of what: a destination, a source, a route. Together with the kind it is what is told once.
    pub(crate) subject: String,
    /// Since when.
    pub(crate) since: Timestamp,
    /// How bad it is; when it becomes worse it is told again.
    pub(crate) grade: u8,
    /// What is wrong, as a sentence without its full stop.
    pub(crate) text: String,
    /// What to do, likewise.
    pub(crate) remedy: String,
    /// Where the console shows it.
    pub(crate) path: String,
    /// Another condition tells of the same: it does not begin while that lasts.
    #[serde(default)]
    pub(crate) covered: bool,
}

impl Condition {
    /// One that is as bad as most, and shown where the console begins.
    pub(crate) fn new(
        kind: AlertKind,
        subject: impl Into<String>,
        since: Timestamp,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (subject, text, remedy) = (subject.into(), text.into(), remedy.into());
        Self { kind, subject, since, grade: 1, text, remedy, path: "/".to_owned(), covered: false }
    }

    /// With where the console shows it.
    pub(crate) fn at(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// With how bad it is.
    pub(crate) fn grade(self, grade: u8) -> Self {
        Self { grade, ..self }
    }

    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.kind.as_str(), self.subject)
    }

    /// For whoever hears of nothing that tells of the same.
    pub(crate) fn uncovered(&self) -> Self {
        Self { covered: false, ..self.clone() }
    }

    /// Whether it is told again while it lasts. An expiry has its own times.
    pub(crate) fn is_told_again(&self) -> bool {
        self.kind != AlertKind::Expiring
    }

    /// What is sent when somebody wants to see whether alerts arrive.
    pub(crate) fn test(now: Timestamp) -> Self {
        let text = "this is a test: nothing is wrong, and alerts arrive here";
        Self::new(AlertKind::Test, "test", now, text, "nothing")
    }
}
