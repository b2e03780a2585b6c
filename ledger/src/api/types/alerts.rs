//! What the API says of alerts.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::alerts::{AlertKind, AlertNews};

/// What is wrong, what was, and whether those who are to be told can be reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Alerts {
    /// What is wrong now.
    pub current: Vec<Alert>,
    /// What was wrong, the latest first.
    pub recent: Vec<Alert>,
    /// Who is told.
    pub channels: Vec<AlertChannel>,
}

/// Something that is or was wrong. Holds no value of a lead.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// What kind of thing.
    pub kind: AlertKind,
    /// Of what: the name of a destination, a source or a route.
    pub subject: String,
    /// Whether it is told already, is too young for that, or has ended.
    pub state: AlertState,
    /// Since when.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// When it ended.
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// What is wrong, in words.
    pub text: String,
    /// What to do.
    pub remedy: String,
    /// Where the console shows it, from its own beginning.
    pub path: String,
    /// The same as a URL.
    pub link: String,
}

/// How far something that is wrong has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Too young to be told.
    Pending,
    /// It is told.
    Active,
    /// It has ended.
    Ended,
}

/// A way in which somebody is told.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AlertChannel {
    /// `mail`, `webhook`, or `escalation/` and a route's name.
    pub name: String,
    /// Messages that are still to be sent.
    pub waiting: u64,
    /// When the last one was sent, as far as this process knows.
    #[schemars(with = "Option<String>")]
    pub last_sent_at: Option<Timestamp>,
    /// Why the last attempt failed; absent where it did not.
    pub last_error: Option<String>,
}

/// What one channel said to a test.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AlertTested {
    /// The channel.
    pub channel: String,
    /// Whether it took the message.
    pub sent: bool,
    /// Why not.
    pub error: Option<String>,
}
