//! `leadrelay check --live`: the broker and each destination asked once, and the routes held against the fields that it has.

use std::fmt;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Mistake, RouteConfig};
use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::fields::{Field, Fields, utf16_len};
use leadrelay_shared::queue::amqp::{Examined, examine};
use serde::Serialize;
use serde_json::Value;

use crate::connectors::connector;

/// What one destination answered.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    destination: String,
    /// How many fields it told; 0 where it takes any.
    fields: usize,
    /// Why it could not be asked, or refused.
    pub(super) error: Option<DeliveryError>,
    /// What of the routes does not fit its fields.
    #[serde(skip)]
    pub(super) mistakes: Vec<Mistake>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error, self.fields) {
            (Some(error), _) => write!(f, "{}: {}: {error}", self.destination, error.kind.as_str()),
            (None, 0) => write!(f, "{}: answers, and takes any field", self.destination),
            (None, n) => write!(f, "{}: answers, and told its {n} fields", self.destination),
        }
    }
}

/// Asks every node of the broker, where the queue is one.
pub(super) async fn brokers(loaded: &Loaded) -> Vec<Examined> {
    match loaded.broker("leadrelay-check") {
        Some(settings) => examine(&settings).await,
        None => Vec::new(),
    }
}

/// Asks every destination, one after the other.
pub(super) async fn ask(loaded: &Loaded, clock: &Clock) -> Vec<Told> {
    let mut told = Vec::new();
    for (name, destination) in &loaded.config.destinations {
        let Some(connector) = connector(&destination.common.connector) else { continue };
        let answer = (connector.check)(loaded.clone(), clock.clone(), name.clone()).await;
        told.push(match answer {
            Ok(fields) => {
                let routes = loaded.config.routes.iter().enumerate().filter(|(_, r)| r.to == *name);
                let mistakes = routes.flat_map(|(n, route)| unfit(n, route, &fields)).collect();
                Told { destination: name.clone(), fields: fields.0.len(), error: None, mistakes }
            }
            Err(error) => Told { destination: name.clone(), fields: 0, error: Some(error), mistakes: Vec::new() },
        });
    }
    told
}

/// What of one route does not fit the fields. A destination that told none takes any.
fn unfit(n: usize, route: &RouteConfig, fields: &Fields) -> Vec<Mistake> {
    let (false, Some(mapped)) = (fields.0.is_empty(), &route.fields) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in mapped {
        let key = format!("routes[{n}].fields.{name}");
        match fields.0.get(name) {
            None => {
                let mistake = Mistake::new(key, format!("`{}` has no such field", route.to));
                found.push(mistake.nearest(name, fields.0.keys().map(String::as_str)));
            }
            Some(field) if !field.writable => {
                found.push(Mistake::new(key, format!("`{}` does not let it be set", route.to)).remedy("leave it out"));
            }
            Some(field) => found.extend(wrong_constant(field, value).map(|reason| Mistake::new(key, reason))),
        }
    }
    let missing = fields.0.iter().filter(|(name, field)| field.required && !mapped.contains_key(*name));
    found.extend(missing.map(|(name, _)| {
        Mistake::new(format!("routes[{n}].fields"), format!("`{}` refuses a record without `{name}`", route.to))
            .remedy(format!("give `{name}` a value"))
    }));
    found
}

/// Why a value that is the same for every lead does not fit its field.
fn wrong_constant(field: &Field, value: &Value) -> Option<String> {
    let text = value.as_str().filter(|t| !t.contains("{{") && !t.contains("{%"))?;
    if let Some(max) = field.max_length.filter(|max| utf16_len(text) > *max) {
        return Some(format!("is longer than the {max} characters of the field"));
    }
    let allowed = &field.allowed;
    (!allowed.is_empty() && !allowed.iter().any(|a| a == text))
        .then(|| format!("is none of the values that the field takes: {}", allowed.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(required: bool, writable: bool, max_length: Option<usize>) -> Field {
        Field { kind: "string".to_owned(), required, writable, max_length, allowed: Vec::new() }
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_key() {
        let fields = Fields(
            [
                ("lastname", field(true, true, Some(5))),
                ("createdon", field(false, false, None)),
                ("subject", field(true, true, None)),
            ]
            .map(|(name, field)| (name.to_owned(), field))
            .into(),
        );
        let mapped = json!({"lastname": "too long", "lastnam": "x", "createdon": "{{ lead.received_at }}"});
        let route: RouteConfig =
            serde_json::from_value(json!({"name": "a", "to": "crm", "fields": mapped})).expect("a route");
        let told: Vec<String> = unfit(3, &route, &fields)
            .into_iter()
            .map(|m| format!("{}: {}; {}", m.key, m.reason, m.remedy.unwrap_or_default()))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r##"
routes[3].fields.lastname: is longer than the 5 characters of the field; 
routes[3].fields.lastnam: `crm` has no such field; did you mean `lastname`?
routes[3].fields.createdon: `crm` does not let it be set; leave it out
routes[3].fields: `crm` refuses a record without `subject`; give `subject` a value
"##);
        assert!(unfit(0, &route, &Fields::any()).is_empty());
    }
}
