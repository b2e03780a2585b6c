//! A destination: what all of them have, and beside it the settings of its connector.

use std::sync::LazyLock;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Span;
use crate::retry::Policy;

/// How TOML's dates and times look once they are JSON.
const TOML_DATETIME: &str = "$__toml_private_datetime";

/// One destination.
#[derive(Clone, Debug)]
pub struct DestinationConfig {
    /// What all destinations have.
    pub common: Common,
    /// The rest of the table: its connector's own settings. Secrets in it are fetched.
    settings: Settings,
}

/// Settings that may hold secrets, and so do not print themselves.
#[derive(Clone)]
struct Settings(Map<String, Value>);

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// What all destinations have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// The connector that delivers: `file`, `webhook`, ..
    pub connector: String,
    /// Attempts under way at once.
    #[serde(default = "Common::default_concurrency")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: usize,
    /// How long one attempt may take.
    #[serde(default = "Common::default_timeout")]
    pub timeout: Span,
    /// When to try again, and for how long.
    #[serde(default)]
    pub retry: RetryConfig,
    /// What to do with a value that is longer than its field.
    #[serde(default)]
    pub too_long: TooLong,
    /// How often the destination is asked for its fields, and the routes are held against them.
    #[serde(default = "Common::default_check_every")]
    pub check_every: Span,
    /// Lets it be on loopback or a private network, and there speak plain HTTP.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// The last day on which its secret is good: `2027-01-31`. It is told as an alert 30, 7 and 1 days before.
    #[serde(default)]
    #[schemars(schema_with = "date_schema")]
    pub secret_expires: Option<jiff::civil::Date>,
}

fn date_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "format": "date", "examples": ["2027-01-31"]})
}

/// A date may be written as TOML's own, without quotation marks; JSON has only texts.
pub(super) fn plain_dates(root: &mut Value) {
    let destinations = root.get_mut("destinations").and_then(Value::as_object_mut);
    for destination in destinations.into_iter().flat_map(|all| all.values_mut()) {
        let Some(value) = destination.get_mut("secret_expires") else { continue };
        if let Some(text) = value.get(TOML_DATETIME).cloned() {
            *value = text;
        }
    }
}

impl Common {
    fn default_concurrency() -> usize {
        16
    }
    fn default_check_every() -> Span {
        Span::secs(15 * 60)
    }
    fn default_timeout() -> Span {
        Span::secs(30)
    }
}

/// What to do with a value that is longer than its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TooLong {
    /// Cut it, end it with `…`, and note it in the ledger.
    #[default]
    Cut,
    /// Park the lead.
    Park,
}

/// When to try again, and for how long.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// The bound of the first delay; it doubles with each attempt, and the delay is a random share of it.
    pub first_delay: Span,
    /// The bound does not grow beyond this.
    pub max_delay: Span,
    /// After this long since its first attempt a lead is parked.
    pub give_up_after: Span,
    /// The destination pauses after so many failures in a row.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub pause_after: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        let Policy { first_delay, max_delay, give_up_after } = Policy::default();
        Self {
            first_delay: Span(first_delay),
            max_delay: Span(max_delay),
            give_up_after: Span(give_up_after),
            pause_after: 5,
        }
    }
}

impl RetryConfig {
    /// As the pure decision takes it.
    pub fn policy(&self) -> Policy {
        Policy {
            first_delay: self.first_delay.0,
            max_delay: self.max_delay.0,
            give_up_after: self.give_up_after.0.max(Duration::from_secs(1)),
        }
    }
}

impl DestinationConfig {
    /// The connector's own settings.
    pub fn settings(&self) -> Value {
        Value::Object(self.settings.0.clone())
    }
}

/// The keys that belong to leadrelay and not to a connector.
pub(super) static COMMON_KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let schema = schemars::schema_for!(Common);
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|p| p.keys().cloned().collect()).unwrap_or_default()
});

impl<'de> Deserialize<'de> for DestinationConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Map::<String, Value>::deserialize(deserializer)?;
        let (common, settings): (Map<_, _>, Map<_, _>) =
            table.into_iter().partition(|(key, _)| COMMON_KEYS.contains(key));
        let common = serde_json::from_value(Value::Object(common)).map_err(D::Error::custom)?;
        Ok(Self { common, settings: Settings(settings) })
    }
}

impl JsonSchema for DestinationConfig {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Destination".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Common::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_ends_on_a_date_with_or_without_quotation_marks() {
        let of = |date: &str| {
            let text = format!("[destinations.crm]\nconnector = 'x'\nsecret_expires = {date}");
            super::super::Loader::default().parse(&text, std::path::Path::new("."), std::iter::empty())
        };
        for date in ["2027-01-31", "'2027-01-31'"] {
            let config = of(date).expect(date);
            assert_eq!(config.destinations["crm"].common.secret_expires, Some(jiff::civil::date(2027, 1, 31)));
        }
        for wrong in ["'31.1.2027'", "2027-01-31T10:00:00Z", "7"] {
            let found = of(wrong).expect_err(wrong);
            assert!(found.len() == 1 && found[0].key == "destinations.crm.secret_expires", "{found:?}");
            assert!(found[0].reason.starts_with("must be a date, such as 2027-01-31"), "{found:?}");
        }
    }

    #[test]
    fn a_table_is_split_into_ours_and_the_connectors() {
        let table =
            serde_json::json!({"connector": "file", "concurrency": 2, "path": "out", "retry": {"first_delay": "1s"}});
        let destination: DestinationConfig = serde_json::from_value(table).expect("a destination");
        assert_eq!(destination.common.concurrency, 2);
        assert_eq!(destination.common.retry.first_delay, Span::secs(1));
        assert_eq!(destination.settings(), serde_json::json!({"path": "out"}));
    }
}
