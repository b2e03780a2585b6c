//! Trying rules: what would become of a lead, and what other routes would change for those that came in last. Sends nothing.

use std::collections::{BTreeMap, BTreeSet};

use leadrelay_shared::config::{Config, Loaded, Mistake, RouteConfig};
use leadrelay_shared::delivery::Record;
use leadrelay_shared::id::LeadId;
use leadrelay_shared::lead::{Body, Lead};
use leadrelay_shared::mapping::{Rules, explain};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::types::{Changed, Comparison, Difference};

/// The most recorded leads that other routes are tried on at once.
pub(crate) const LEADS_MAX: usize = 1000;
/// Of the leads that would change, so many are told one by one.
const TOLD_MAX: usize = 50;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Routes {
    #[serde(default)]
    routes: Vec<RouteConfig>,
}

/// The routes of the configuration as they stand in its file.
pub(crate) fn written(config: &Config) -> String {
    if config.routes.is_empty() {
        return String::new();
    }
    // They were read from TOML, and so can be written as it.
    toml::to_string(&Routes { routes: config.routes.clone() }).unwrap_or_default()
}

/// The configuration with other routes.
///
/// # Errors
/// What is wrong with them, each with its place.
pub(crate) fn with_routes(config: &Config, text: &str) -> Result<Rules, Vec<String>> {
    let Routes { routes } = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
    let mut wrong = Vec::new();
    for (n, route) in routes.iter().enumerate() {
        if !config.destinations.contains_key(&route.to) {
            wrong.push(format!("routes[{n}].to: there is no destination `{}`", route.to));
        }
        for source in route.from.iter().flatten().filter(|source| !config.sources.contains_key(*source)) {
            wrong.push(format!("routes[{n}].from: there is no source `{source}`"));
        }
    }
    let config = Config { routes, ..config.clone() };
    let rules = Rules::compile(&config).map_err(|mistakes| mistakes.iter().map(told).collect::<Vec<_>>());
    match rules {
        Ok(rules) if wrong.is_empty() => Ok(rules),
        Ok(_) => Err(wrong),
        Err(more) => Err(wrong.into_iter().chain(more).collect()),
    }
}

/// A mistake in one line.
pub(crate) fn told(mistake: &Mistake) -> String {
    let remedy = mistake.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    format!("{}: {}{remedy}", mistake.key, mistake.reason)
}

/// A body as a lead of a source that would come in now.
///
/// # Errors
/// When the source cannot judge it.
pub(crate) fn lead(loaded: &Loaded, source: &str, body: String, now: jiff::Timestamp) -> Result<Lead, String> {
    let faults = crate::judge::faults(loaded, source, body.as_bytes())?;
    let format = loaded.config.sources.get(source).map(|source| source.format).unwrap_or_default();
    let id = LeadId::derive(&[b"try", body.as_bytes()]);
    Ok(Lead { id, source: source.to_owned(), format, received_at: now, body: Body::from(body), faults, round: 0 })
}

/// What would change for these leads under other rules.
pub(crate) fn compare(now: &Rules, then: &Rules, leads: &[Lead]) -> Comparison {
    let mut comparison = Comparison { leads: leads.len() as u64, ..Comparison::default() };
    for lead in leads {
        let (before, after) = (records(now, lead), records(then, lead));
        let differences = differences(&before, &after);
        if differences.is_empty() {
            continue;
        }
        comparison.changed += 1;
        if comparison.told.len() < TOLD_MAX {
            comparison.told.push(Changed { lead: lead.id, differences });
        }
    }
    comparison
}

/// What each destination would get. A route that fails is told in place of its record.
fn records(rules: &Rules, lead: &Lead) -> BTreeMap<String, Result<Record, String>> {
    let explained = explain(rules, lead);
    let mut all = BTreeMap::new();
    for route in explained.routes {
        let made = match (route.record, route.verdict.as_str()) {
            (Some(record), _) => Ok(record),
            (None, "failed") => Err(format!("{}: {}", route.key.unwrap_or_default(), route.reason.unwrap_or_default())),
            (None, _) => continue,
        };
        all.entry(route.to).or_insert(made);
    }
    all
}

fn differences(
    before: &BTreeMap<String, Result<Record, String>>,
    after: &BTreeMap<String, Result<Record, String>>,
) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut say = |destination: &str, field: Option<&str>, before: Option<String>, after: Option<String>| {
        let (destination, field) = (destination.to_owned(), field.map(str::to_owned));
        all.push(Difference { destination, field, before, after });
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        match (before.get(name), after.get(name)) {
            (Some(Ok(was)), Some(Ok(will))) => {
                let fields: BTreeSet<&String> = was.keys().chain(will.keys()).collect();
                for field in fields.into_iter().filter(|field| was.get(*field) != will.get(*field)) {
                    say(name, Some(field), was.get(field).map(shown), will.get(field).map(shown));
                }
            }
            (was, will) if was == will => {}
            (was, will) => say(name, None, was.map(whole), will.map(whole)),
        }
    }
    all
}

fn whole(made: &Result<Record, String>) -> String {
    match made {
        Ok(record) => format!("a record of {} fields", record.len()),
        Err(why) => format!("parked: {why}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The rules as they are.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn rules(config: &Config) -> Result<Rules, Vec<String>> {
    Rules::compile(config).map_err(|mistakes| mistakes.iter().map(told).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use leadrelay_shared::config::Loader;

    use super::*;

    const CONFIG: &str = r#"
[sources.addon]
tokens = ["0123456789abcdef"]
[destinations.crm]
connector = "file"
[destinations.partner]
connector = "file"
[[routes]]
name = "customers"
to = "crm"
[routes.fields]
name = "{{ lead.last_name }}"
rank = 3
"#;

    fn config() -> Config {
        Loader::default().parse(CONFIG, Path::new("."), std::iter::empty()).expect("a configuration")
    }

    fn lead(name: &str) -> Lead {
        let body = format!(r#"{{"UserDetails":{{"LastName":"{name}"}}}}"#);
        Lead {
            id: LeadId::derive(&[name.as_bytes()]),
            source: "addon".to_owned(),
            format: Default::default(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            body: Body::from(body),
            faults: Vec::new(),
            round: 0,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let config = config();
        let now = rules(&config).expect("rules");
        let then = with_routes(&config, &written(&config)).expect("the same rules");
        let comparison = compare(&now, &then, &[lead("Lee"), lead("Kim")]);
        assert_eq!((comparison.leads, comparison.changed), (2, 0));
    }

    #[test]
    fn a_change_is_told_field_by_field_and_destination_by_destination() {
        let config = config();
        let now = rules(&config).expect("rules");
        let edited = written(&config).replace("rank = 3", "rank = 4").replace(
            "[[routes]]",
            "[[routes]]\nname = \"partners\"\nwhen = \"lead.last_name == 'Kim'\"\nto = \"partner\"\n[[routes]]",
        );
        let then = with_routes(&config, &edited).expect("rules");
        let comparison = compare(&now, &then, &[lead("Lee"), lead("Kim")]);
        let told: Vec<usize> = comparison.told.iter().map(|changed| changed.differences.len()).collect();
        assert_eq!((comparison.changed, told), (2, vec![1, 2]));
        let kim = &comparison.told[1].differences;
        assert_eq!(
            (kim[0].field.as_deref(), kim[0].before.as_deref(), kim[0].after.as_deref()),
            (Some("rank"), Some("3"), Some("4"))
        );
        assert_eq!((kim[1].destination.as_str(), kim[1].before.as_deref()), ("partner", None));
    }

    #[test]
    fn what_is_wrong_with_other_routes_is_told() {
        let config = config();
        for (text, told) in [
            ("[[routes]]\nname = \"a\"\nto = \"crn\"", "there is no destination `crn`"),
            ("[[routes]]\nname = \"a\"\nfrom = [\"x\"]\nto = \"crm\"", "there is no source `x`"),
            ("[[routes]]\nname = \"a\"\nto = \"crm\"\nwhen = \"lead.emial\"", "emial"),
            ("[[route]]", "unknown field"),
            ("not toml", "expected"),
        ] {
            let wrong = with_routes(&config, text).map(|_| ()).expect_err("a mistake").join("\n");
            assert!(wrong.contains(told), "{text}: {wrong}");
        }
    }
}
