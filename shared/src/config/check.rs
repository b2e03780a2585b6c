//! What the schema cannot say: that names exist, that numbers make sense together.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::{Config, DestinationConfig, Mistake, RouteConfig, SourceConfig};

/// The shortest token that a source may have. Shorter ones can be guessed.
pub const TOKEN_MIN: usize = 16;

/// What `max_head` may be: browsers and proxies send up to a KiB, and the HTTP library reads no more than 128 KiB.
const MAX_HEAD: RangeInclusive<u64> = 1 << 10..=64 << 10;

/// The largest `max_body`: a body is held in memory several times over while it is judged.
const MAX_BODY: u64 = 16 << 20;

/// Every mistake between the parts of a configuration that are sound part by part. `root` is the whole file: a name in it
/// exists even where what it names is not sound.
pub(super) fn mistakes(config: &Config, root: &Value) -> Vec<Mistake> {
    let mut found = Vec::new();
    found.extend(config.queue.mistakes());
    found.extend(config.ledger.mistakes());
    let given = |section: &str| root.get(section).and_then(|s| s.get("listen")).is_some();
    if config.ingest.listen == config.admin.listen
        && config.ingest.listen.port() != 0
        && (given("ingest") || given("admin"))
    {
        found.push(
            Mistake::new("admin.listen", "is the same address as ingest.listen").remedy("give it a port of its own"),
        );
    }
    if !MAX_HEAD.contains(&config.ingest.max_head.0) {
        found.push(Mistake::new("ingest.max_head", "must be between 1KiB and 64KiB"));
    }
    if !(1..=MAX_BODY).contains(&config.ingest.max_body.0) {
        found.push(Mistake::new("ingest.max_body", "must be between 1 byte and 16MiB"));
    }
    if config.ingest.read_timeout.0.is_zero() {
        found.push(Mistake::new("ingest.read_timeout", "must be longer than nothing"));
    }
    for (name, source) in &config.sources {
        source_mistakes(&format!("sources.{name}"), name, source, &mut found);
    }
    for (name, destination) in &config.destinations {
        destination_mistakes(&format!("destinations.{name}"), name, destination, &mut found);
        if !config.queue.steps_reach(destination.common.retry.max_delay) {
            let reason = "is more than 1000 times the longest of queue.delay_tiers";
            let mistake = Mistake::new(format!("destinations.{name}.retry.max_delay"), reason);
            found.push(mistake.remedy("add a longer step there, or retry more often"));
        }
    }
    routes(&config.routes, root, &mut found);
    found.extend(super::alerts::mistakes(config, root));
    found
}

fn source_mistakes(key: &str, name: &str, source: &SourceConfig, found: &mut Vec<Mistake>) {
    name_mistake(key, name, found);
    if source.tokens.iter().any(super::Secret::is_withheld) {
        return;
    }
    let tokens: Vec<&str> = source.tokens.iter().flat_map(super::Secret::lines).collect();
    if !(1..=2).contains(&tokens.len()) {
        let reason = format!("a source has one token, or two while rotating; here are {}", tokens.len());
        found.push(Mistake::new(format!("{key}.tokens"), reason).remedy(token_remedy(name)));
    }
    if tokens.iter().any(|t| t.len() < TOKEN_MIN) {
        let reason = format!("a token has at least {TOKEN_MIN} characters");
        found.push(Mistake::new(format!("{key}.tokens"), reason).remedy(token_remedy(name)));
    }
    let url_safe = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    if tokens.iter().any(|t| !t.chars().all(url_safe)) {
        found
            .push(Mistake::new(format!("{key}.tokens"), "a token is part of a URL: letters, digits and - _ . ~ alone"));
    }
}

fn token_remedy(name: &str) -> String {
    format!(
        "write tokens = [{{ file = \"data/sources/{name}.token\" }}], and `leadrelay source rotate {name}` makes one"
    )
}

fn destination_mistakes(key: &str, name: &str, destination: &DestinationConfig, found: &mut Vec<Mistake>) {
    name_mistake(key, name, found);
    let common = &destination.common;
    if common.timeout.0.is_zero() || common.timeout > super::Span::secs(120) {
        found.push(Mistake::new(format!("{key}.timeout"), "must be between 1ms and 120s"));
    }
    if common.retry.first_delay > common.retry.max_delay {
        found.push(Mistake::new(format!("{key}.retry.first_delay"), "is longer than max_delay"));
    }
    if common.retry.max_delay.0.is_zero() {
        found.push(Mistake::new(format!("{key}.retry.max_delay"), "must be longer than nothing"));
    }
}

/// Names are part of URLs, file names and queue names.
fn name_mistake(key: &str, name: &str, found: &mut Vec<Mistake>) {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(sound) {
        found.push(Mistake::new(key, "a name has 1 to 64 of the characters a-z 0-9 - _"));
    }
}

fn routes(routes: &[RouteConfig], root: &Value, found: &mut Vec<Mistake>) {
    let names = |section: &str| -> Vec<&str> {
        root.get(section).and_then(Value::as_object).into_iter().flat_map(|s| s.keys()).map(String::as_str).collect()
    };
    let (sources, destinations) = (names("sources"), names("destinations"));
    let mut seen = BTreeMap::new();
    for (n, route) in routes.iter().enumerate() {
        let key = format!("routes[{n}]");
        if let Some(first) = seen.insert(&route.name, n) {
            let reason = format!("`{}` is the name of routes[{first}] already", route.name);
            found.push(Mistake::new(format!("{key}.name"), reason).remedy("give it a name of its own"));
        }
        if !destinations.contains(&route.to.as_str()) {
            found.push(missing(format!("{key}.to"), "destination", &route.to, &destinations));
        }
        for (i, source) in route.from.iter().flatten().enumerate() {
            if !sources.contains(&source.as_str()) {
                found.push(missing(format!("{key}.from[{i}]"), "source", source, &sources));
            }
        }
    }
}

fn missing(key: String, what: &str, name: &str, known: &[&str]) -> Mistake {
    let mistake = Mistake::new(key, format!("there is no {what} `{name}`"));
    let mistake = mistake.remedy(format!("add [{what}s.{name}], or name one that there is"));
    mistake.nearest(name, known.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{ByteSize, Config, Loader, Mistake};

    fn of(text: &str) -> Result<Config, Vec<Mistake>> {
        Loader::default().parse(text, Path::new("."), std::iter::empty())
    }

    #[test]
    fn a_head_has_a_limit_of_its_own() {
        assert_eq!(of("").expect("the defaults").ingest.max_head, ByteSize::kib(16));
        for (text, right) in [("1023B", false), ("1KiB", true), ("64KiB", true), ("65537B", false)] {
            match of(&format!("[ingest]\nmax_head = {text:?}")) {
                Ok(_) => assert!(right, "{text}"),
                Err(found) => assert!(!right && found.len() == 1 && found[0].key == "ingest.max_head", "{found:?}"),
            }
        }
    }

    #[test]
    fn names_that_do_not_exist_are_told_with_the_nearest() {
        let text = r#"
[sources.addon]
tokens = ["short"]
[destinations.crm]
connector = "file"
concurrency = 0
[[routes]]
name = "a"
from = ["adon"]
to = "cmr"
[[routes]]
name = "a"
to = "crm"
"#;
        let found = of(text).expect_err("mistakes");
        let found: Vec<String> = found
            .iter()
            .map(|m| format!("{}: {}; {}", m.key, m.reason, m.remedy.clone().unwrap_or_default()))
            .collect();
        insta::assert_snapshot!(found.join("\n"), @r##"
destinations.crm.concurrency: must be a whole number between 1 and 1000; 
sources.addon.tokens: a token has at least 16 characters; write tokens = [{ file = "data/sources/addon.token" }], and `leadrelay source rotate addon` makes one
routes[0].to: there is no destination `cmr`; did you mean `crm`?
routes[0].from[0]: there is no source `adon`; did you mean `addon`?
routes[1].name: `a` is the name of routes[0] already; give it a name of its own
"##);
    }
}
