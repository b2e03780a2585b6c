//! The JSON Schema of the configuration, and the mistakes that it finds.

use std::collections::BTreeMap;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use serde_json::{Map, Value, json};

use super::destination::Common;
use super::positions::join;
use super::{Config, Mistake};
use crate::connector::Connector;

/// What the configuration needs to know of a connector.
#[derive(Clone, Debug)]
pub struct ConnectorInfo {
    /// Its name.
    pub name: &'static str,
    /// The JSON Schema of its settings.
    pub schema: Value,
}

impl ConnectorInfo {
    /// What is to be known of `C`.
    pub fn of<C: Connector>() -> Self {
        Self { name: C::NAME, schema: schemars::schema_for!(C::Settings).to_value() }
    }
}

/// The JSON Schema of the whole file, with the settings of these connectors, for editors.
pub fn schema(connectors: &[ConnectorInfo]) -> Value {
    let mut root = schemars::schema_for!(Config).to_value();
    let choices: Vec<Value> = connectors
        .iter()
        .map(|c| {
            let named = json!({"properties": {"connector": {"const": c.name}}, "required": ["connector"]});
            json!({"if": named, "then": {"$ref": format!("#/$defs/destination-{}", c.name)}})
        })
        .collect();
    let names: Vec<&str> = connectors.iter().map(|c| c.name).collect();
    if let Some(defs) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        for connector in connectors {
            defs.insert(format!("destination-{}", connector.name), destination_schema(connector));
        }
        let destination = json!({
            "type": "object",
            "properties": {"connector": {"type": "string", "enum": names}},
            "required": ["connector"],
            "allOf": choices
        });
        defs.insert("Destination".to_owned(), destination);
    }
    root
}

/// The schema of one connector's destinations: leadrelay's keys and its own, and no others.
pub(super) fn destination_schema(connector: &ConnectorInfo) -> Value {
    let mut common = schemars::schema_for!(Common).to_value();
    for part in ["properties", "$defs"] {
        let own = connector.schema.get(part).and_then(Value::as_object).cloned().unwrap_or_default();
        let all = common.as_object_mut().and_then(|o| o.entry(part).or_insert_with(|| json!({})).as_object_mut());
        if let Some(all) = all {
            all.extend(own);
        }
    }
    let own = connector.schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(required) = common.get_mut("required").and_then(Value::as_array_mut) {
        required.extend(own);
    }
    common
}

/// Every way in which the file departs from the schema.
pub(super) fn mistakes(root: &Value, connectors: &[ConnectorInfo], all_connectors: bool) -> Vec<Mistake> {
    let mut top = schemars::schema_for!(Config).to_value();
    // Destinations are checked one by one, against the schema of the connector that each names.
    top["properties"]["destinations"] = json!({"type": "object", "additionalProperties": {"type": "object"}});
    let mut found = against(&top, root, "");
    let by_name: BTreeMap<_, _> = connectors.iter().map(|c| (c.name, c)).collect();
    let empty = Map::new();
    for (name, table) in root.get("destinations").and_then(Value::as_object).unwrap_or(&empty) {
        let key = join("destinations", name);
        match table.get("connector").and_then(Value::as_str) {
            None => found.push(Mistake::new(&key, "a destination needs `connector`").remedy(known(connectors))),
            Some(wanted) => match by_name.get(wanted) {
                Some(connector) => found.extend(against(&destination_schema(connector), table, &key)),
                None if all_connectors => {
                    let mistake = Mistake::new(join(&key, "connector"), format!("there is no connector `{wanted}`"));
                    found.push(mistake.remedy(known(connectors)).nearest(wanted, by_name.keys().copied()));
                }
                None => {}
            },
        }
    }
    found
}

fn known(connectors: &[ConnectorInfo]) -> String {
    let names: Vec<_> = connectors.iter().map(|c| format!("`{}`", c.name)).collect();
    format!("there are {}", names.join(", "))
}

/// Holds `value` against `schema`, and says what is wrong in the words of a configuration.
fn against(schema: &Value, value: &Value, prefix: &str) -> Vec<Mistake> {
    match jsonschema::validator_for(schema) {
        Ok(validator) => validator.iter_errors(value).flat_map(|error| told(schema, &error, prefix)).collect(),
        Err(error) => vec![Mistake::new(prefix, format!("leadrelay's own schema is wrong, please report it: {error}"))],
    }
}

fn told(schema: &Value, error: &ValidationError<'_>, prefix: &str) -> Vec<Mistake> {
    let key = error.instance_path().iter().fold(prefix.to_owned(), |path, step| match step {
        LocationSegment::Property(name) => join(&path, &name),
        LocationSegment::Index(n) => format!("{path}[{n}]"),
    });
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let siblings = siblings(schema, &error.schema_path().to_string());
            let unknown = |name: &String| {
                Mistake::new(join(&key, name), "unknown key").nearest(name, siblings.iter().map(String::as_str))
            };
            unexpected.iter().map(unknown).collect()
        }
        ValidationErrorKind::Required { property } => {
            vec![Mistake::new(key, format!("`{}` is missing", property.as_str().unwrap_or_default()))]
        }
        ValidationErrorKind::Type { kind } => {
            vec![Mistake::new(key, format!("must be {kind:?}, is {}", kind_of(error.instance())))]
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mistake = Mistake::new(key, "is none of the values that it can have")
                .remedy(format!("one of {}", options.join(", ")));
            vec![match error.instance().as_str() {
                Some(wrong) => mistake.nearest(wrong, options),
                None => mistake,
            }]
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            vec![Mistake::new(key, format!("has the wrong shape: is {}", kind_of(error.instance())))]
        }
        // The library's own words hold the value, and a value may be a secret.
        _ => vec![Mistake::new(key, "does not satisfy the schema").remedy("`leadrelay schema` prints it")],
    }
}

/// The keys that are allowed where `additionalProperties` at this place of the schema refused one.
fn siblings(schema: &Value, schema_path: &str) -> Vec<String> {
    let mut at = schema;
    for step in schema_path.split('/').skip(1) {
        if step == "additionalProperties" && at.get("properties").is_some() {
            break;
        }
        at = match at.get(step).or_else(|| step.parse::<usize>().ok().and_then(|n| at.get(n))) {
            Some(below) => below,
            None => return Vec::new(),
        };
        while let Some(target) =
            at.get("$ref").and_then(Value::as_str).and_then(|r| schema.pointer(r.trim_start_matches('#')))
        {
            at = target;
        }
    }
    at.get("properties").and_then(Value::as_object).map(|p| p.keys().cloned().collect()).unwrap_or_default()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
    }
}
