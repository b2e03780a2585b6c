//! What the schema cannot say: that names exist, that numbers make sense together.

use std::collections::BTreeMap;

use super::{Config, DestinationConfig, Mistake, SourceConfig};

/// The shortest token that a source may have. Shorter ones can be guessed.
const TOKEN_MIN: usize = 16;

/// Every mistake between the parts of a configuration that is sound part by part.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let mut found = Vec::new();
    if config.queue.url != "embedded" {
        found.push(
            Mistake::new("queue.url", "this leadrelay has the embedded queue alone").remedy("write \"embedded\""),
        );
    }
    if config.ingest.listen == config.admin.listen && config.ingest.listen.port() != 0 {
        found.push(
            Mistake::new("admin.listen", "is the same address as ingest.listen").remedy("give it a port of its own"),
        );
    }
    if config.ingest.max_body.0 == 0 || config.ingest.max_body.0 > 16 << 20 {
        found.push(Mistake::new("ingest.max_body", "must be between 1 byte and 16MiB"));
    }
    if !(1..=512).contains(&config.ingest.max_depth) {
        found.push(Mistake::new("ingest.max_depth", "must be between 1 and 512"));
    }
    for (name, source) in &config.sources {
        source_mistakes(&format!("sources.{name}"), name, source, &mut found);
    }
    for (name, destination) in &config.destinations {
        destination_mistakes(&format!("destinations.{name}"), name, destination, &mut found);
    }
    routes(config, &mut found);
    found
}

fn source_mistakes(key: &str, name: &str, source: &SourceConfig, found: &mut Vec<Mistake>) {
    name_mistake(key, name, found);
    let tokens: Vec<&str> = source.tokens.iter().flat_map(super::Secret::lines).collect();
    if !(1..=2).contains(&tokens.len()) {
        let reason = format!("a source has one token, or two while rotating; here are {}", tokens.len());
        found.push(Mistake::new(format!("{key}.tokens"), reason));
    }
    if tokens.iter().any(|t| t.len() < TOKEN_MIN) {
        let reason = format!("a token has at least {TOKEN_MIN} characters");
        found.push(
            Mistake::new(format!("{key}.tokens"), reason).remedy(format!("`leadrelay source rotate {name}` makes one")),
        );
    }
    let url_safe = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    if tokens.iter().any(|t| !t.chars().all(url_safe)) {
        found
            .push(Mistake::new(format!("{key}.tokens"), "a token is part of a URL: letters, digits and - _ . ~ alone"));
    }
    if source.rate_limit == Some(0) {
        found.push(Mistake::new(format!("{key}.rate_limit"), "must be at least 1"));
    }
}

fn destination_mistakes(key: &str, name: &str, destination: &DestinationConfig, found: &mut Vec<Mistake>) {
    name_mistake(key, name, found);
    let common = &destination.common;
    if !(1..=1000).contains(&common.concurrency) {
        found.push(Mistake::new(format!("{key}.concurrency"), "must be between 1 and 1000"));
    }
    if common.timeout.0.is_zero() || common.timeout > super::Span::secs(120) {
        found.push(Mistake::new(format!("{key}.timeout"), "must be between 1ms and 120s"));
    }
    if common.retry.first_delay > common.retry.max_delay {
        found.push(Mistake::new(format!("{key}.retry.first_delay"), "is longer than max_delay"));
    }
    if common.retry.pause_after == 0 {
        found.push(Mistake::new(format!("{key}.retry.pause_after"), "must be at least 1"));
    }
}

/// Names are part of URLs, file names and queue names.
fn name_mistake(key: &str, name: &str, found: &mut Vec<Mistake>) {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(sound) {
        found.push(Mistake::new(key, "a name has 1 to 64 of the characters a-z 0-9 - _"));
    }
}

fn routes(config: &Config, found: &mut Vec<Mistake>) {
    let mut seen = BTreeMap::new();
    for (n, route) in config.routes.iter().enumerate() {
        let key = format!("routes[{n}]");
        if let Some(first) = seen.insert(&route.name, n) {
            found.push(Mistake::new(
                format!("{key}.name"),
                format!("`{}` is the name of routes[{first}] already", route.name),
            ));
        }
        if !config.destinations.contains_key(&route.to) {
            let mistake = Mistake::new(format!("{key}.to"), format!("there is no destination `{}`", route.to));
            found.push(mistake.nearest(&route.to, config.destinations.keys().map(String::as_str)));
        }
        for (i, source) in route.from.iter().flatten().enumerate() {
            if !config.sources.contains_key(source) {
                let mistake = Mistake::new(format!("{key}.from[{i}]"), format!("there is no source `{source}`"));
                found.push(mistake.nearest(source, config.sources.keys().map(String::as_str)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Loader;

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
        let found = Loader::default().parse(text, Path::new("."), std::iter::empty()).expect_err("mistakes");
        let found: Vec<String> =
            found.iter().map(|m| format!("{}: {} {}", m.key, m.reason, m.remedy.clone().unwrap_or_default())).collect();
        insta::assert_snapshot!(found.join("\n"), @"");
    }
}
