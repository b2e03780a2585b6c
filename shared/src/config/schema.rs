//! The JSON Schema of the configuration: of the file as editors see it, and of each part as it is checked.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::destination::Common;
use super::positions::join;
use super::shape::against;
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
        Self { name: C::NAME, schema: whole::<C::Settings>() }
    }
}

/// The schema of `T` without references: parts of it can be put into others.
fn whole<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.with_transform(RecursiveTransform(without_null)).into_generator().into_root_schema_for::<T>().to_value()
}

/// TOML has no null: an optional key is left out.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    object.retain(|key, value| !(key == "default" && value.is_null()));
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|c| c.get("type").is_none_or(|t| t != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}

/// The JSON Schema of the whole file, with the settings of these connectors, for editors.
pub fn schema(connectors: &[ConnectorInfo]) -> Value {
    let mut root = whole::<Config>();
    let names: Vec<&str> = connectors.iter().map(|c| c.name).collect();
    let choice = |c: &ConnectorInfo| {
        let named = json!({"properties": {"connector": {"const": c.name}}, "required": ["connector"]});
        json!({"if": named, "then": {"$ref": format!("#/$defs/destination-{}", c.name)}})
    };
    root["title"] = "leadrelay.toml".into();
    root["properties"]["destinations"]["additionalProperties"] = json!({
        "type": "object",
        "properties": {"connector": {"enum": names, "description": "The connector that delivers."}},
        "required": ["connector"],
        "allOf": connectors.iter().map(choice).collect::<Vec<_>>()
    });
    let definitions = connectors.iter().map(|c| (format!("destination-{}", c.name), destination_schema(c)));
    root["$defs"] = Value::Object(definitions.collect());
    root
}

/// The schema of one connector's destinations: leadrelay's keys and its own, and no others.
fn destination_schema(connector: &ConnectorInfo) -> Value {
    let mut all = whole::<Common>();
    all["title"] = format!("A destination of the connector `{}`", connector.name).into();
    if let Some(description) = connector.schema.get("description") {
        all["description"] = description.clone();
    }
    for part in ["properties", "$defs"] {
        let own = connector.schema.get(part).and_then(Value::as_object);
        if let (Some(own), Some(all)) = (own, all.as_object_mut())
            && let Some(all) = all.entry(part).or_insert_with(|| json!({})).as_object_mut()
        {
            all.extend(own.clone());
        }
    }
    let own = connector.schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(required) = all.get_mut("required").and_then(Value::as_array_mut) {
        required.extend(own);
    }
    if let Some(object) = all.as_object_mut() {
        object.remove("$schema");
    }
    all
}

/// Every way in which the file departs from the schema.
pub(super) fn mistakes(root: &Value, connectors: &[ConnectorInfo], all_connectors: bool) -> Vec<Mistake> {
    let mut top = whole::<Config>();
    // Destinations are checked one by one, against the schema of the connector that each names.
    top["properties"]["destinations"] = json!({"type": "object", "additionalProperties": {"type": "object"}});
    let mut found = against(&top, root, "");
    let by_name: BTreeMap<_, _> = connectors.iter().map(|c| (c.name, c)).collect();
    let empty = Map::new();
    let destinations = root.get("destinations").and_then(Value::as_object).unwrap_or(&empty);
    for (name, table) in destinations.iter().filter(|(_, table)| table.is_object()) {
        let key = join("destinations", name);
        match table.get("connector") {
            None => found.push(Mistake::new(&key, "`connector` is missing").remedy(known(connectors))),
            Some(Value::String(wanted)) => match by_name.get(wanted.as_str()) {
                Some(connector) => found.extend(against(&destination_schema(connector), table, &key)),
                None if all_connectors => {
                    let mistake = Mistake::new(join(&key, "connector"), format!("there is no connector `{wanted}`"));
                    found.push(mistake.remedy(known(connectors)).nearest(wanted, by_name.keys().copied()));
                }
                // Another process runs it and knows its settings; ours are checked all the same.
                None => found.extend(against(&open(), table, &key)),
            },
            Some(_) => found.extend(against(&open(), table, &key)),
        }
    }
    found
}

/// The schema of a destination whose connector this process does not know.
fn open() -> Value {
    let mut schema = whole::<Common>();
    schema["additionalProperties"] = true.into();
    schema
}

fn known(connectors: &[ConnectorInfo]) -> String {
    let names: Vec<_> = connectors.iter().map(|c| format!("`{}`", c.name)).collect();
    match names.as_slice() {
        [] => "name the connector that delivers".to_owned(),
        [only] => format!("there is {only}"),
        [rest @ .., last] => format!("there are {} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editors_are_told_what_each_key_is_for() {
        let schema = schema(&[]);
        let mut silent = Vec::new();
        undescribed(&schema, "", &mut silent);
        assert!(silent.is_empty(), "keys without a description: {silent:?}");
    }

    fn undescribed(schema: &Value, path: &str, silent: &mut Vec<String>) {
        for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = join(path, key);
            if property.get("description").is_none() {
                silent.push(path.clone());
            }
            undescribed(property, &path, silent);
        }
        for below in ["additionalProperties", "items"].iter().filter_map(|k| schema.get(k)) {
            undescribed(below, path, silent);
        }
    }

    #[test]
    fn nothing_in_the_schema_is_null() {
        let text = schema(&[]).to_string();
        assert!(!text.contains("null"), "{text}");
    }
}
