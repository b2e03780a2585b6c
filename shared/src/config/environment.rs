//! `LEADRELAY_*` variables over the file: `LEADRELAY_QUEUE__URL` is `queue.url`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::positions::join;

/// Variables that are not keys.
const NOT_KEYS: [&str; 5] =
    ["LEADRELAY_CONFIG", "LEADRELAY_LOG", "LEADRELAY_ADDRESS", "LEADRELAY_TOKEN", "LEADRELAY_OPERATOR"];

/// Puts each variable over the key that it names, and tells which variable each such key came from. `_` in a variable also
/// stands for `-` in a key that exists. A variable that the file itself names as the place of a secret is not a key.
pub(super) fn apply(
    root: &mut Map<String, Value>,
    variables: impl Iterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let mut places = BTreeSet::new();
    root.values().for_each(|value| secret_places(value, &mut places));
    let mut origins = BTreeMap::new();
    for (name, text) in variables {
        let Some(path) = name.strip_prefix("LEADRELAY_") else { continue };
        if NOT_KEYS.contains(&name.as_str()) || places.contains(&name) {
            continue;
        }
        let steps: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let mut key = String::new();
        set(root, &steps, value(&text), &mut key);
        origins.insert(key, name);
    }
    origins
}

fn secret_places(value: &Value, places: &mut BTreeSet<String>) {
    match value {
        Value::Object(table) => {
            if let (1, Some(Value::String(name))) = (table.len(), table.get("env")) {
                places.insert(name.clone());
            }
            table.values().for_each(|below| secret_places(below, places));
        }
        Value::Array(items) => items.iter().for_each(|below| secret_places(below, places)),
        _ => {}
    }
}

fn set(table: &mut Map<String, Value>, steps: &[String], value: Value, path: &mut String) {
    let Some((first, rest)) = steps.split_first() else { return };
    let same = |key: &&String| key.to_lowercase().replace('-', "_") == *first;
    let key = table.keys().find(same).cloned().unwrap_or_else(|| first.clone());
    *path = join(path, &key);
    if rest.is_empty() {
        table.insert(key, value);
        return;
    }
    let below = table.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !below.is_object() {
        *below = Value::Object(Map::new());
    }
    if let Some(below) = below.as_object_mut() {
        set(below, rest, value, path);
    }
}

/// The text as a TOML value where it is one (`8`, `true`, `{ env = "X" }`), else as a string.
fn value(text: &str) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("v = {text}")).ok();
    let value = parsed.and_then(|mut t| t.remove("v")).and_then(|v| serde_json::to_value(v).ok());
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_win_and_find_keys_with_hyphens() {
        let mut root = json!({"queue": {"url": "embedded"}, "sources": {"contoso-addon": {"rate_limit": 1, "tokens": [{"env": "LEADRELAY_TOKEN_OF_ADDON"}]}}});
        let variables = [
            ("LEADRELAY_QUEUE__URL", "amqp://q"),
            ("LEADRELAY_SOURCES__CONTOSO_ADDON__RATE_LIMIT", "7"),
            ("LEADRELAY_ADMIN__LISTEN", "127.0.0.1:0"),
            ("LEADRELAY_LOG", "debug"),
            ("LEADRELAY_OPERATOR", "robin"),
            ("LEADRELAY_TOKEN_OF_ADDON", "not a key"),
            ("HOME", "x"),
        ];
        let variables = variables.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
        let origins = apply(root.as_object_mut().expect("a table"), variables);
        let expected = json!({
            "queue": {"url": "amqp://q"},
            "sources": {"contoso-addon": {"rate_limit": 7, "tokens": [{"env": "LEADRELAY_TOKEN_OF_ADDON"}]}},
            "admin": {"listen": "127.0.0.1:0"}
        });
        assert_eq!(root, expected);
        assert_eq!(origins["sources.contoso-addon.rate_limit"], "LEADRELAY_SOURCES__CONTOSO_ADDON__RATE_LIMIT");
    }
}
