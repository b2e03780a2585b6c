//! `LEADRELAY_*` variables over the file: `LEADRELAY_QUEUE__URL` is `queue.url`.

use serde_json::{Map, Value};

/// Variables that are not keys.
const NOT_KEYS: [&str; 4] = ["LEADRELAY_CONFIG", "LEADRELAY_LOG", "LEADRELAY_ADDRESS", "LEADRELAY_TOKEN"];

/// Puts each variable over the key that it names. `_` in a variable also stands for `-` in a key that exists.
pub(super) fn apply(root: &mut Map<String, Value>, variables: impl Iterator<Item = (String, String)>) {
    for (name, text) in variables {
        let Some(path) = name.strip_prefix("LEADRELAY_").filter(|_| !NOT_KEYS.contains(&name.as_str())) else {
            continue;
        };
        let steps: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        set(root, &steps, value(&text));
    }
}

fn set(table: &mut Map<String, Value>, steps: &[String], value: Value) {
    let Some((first, rest)) = steps.split_first() else { return };
    let same = |key: &&String| key.to_lowercase().replace('-', "_") == *first;
    let key = table.keys().find(same).cloned().unwrap_or_else(|| first.clone());
    if rest.is_empty() {
        table.insert(key, value);
        return;
    }
    let below = table.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !below.is_object() {
        *below = Value::Object(Map::new());
    }
    if let Some(below) = below.as_object_mut() {
        set(below, rest, value);
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
        let mut root = json!({"queue": {"url": "embedded"}, "sources": {"contoso-addon": {"rate_limit": 1}}});
        let variables = [
            ("LEADRELAY_QUEUE__URL", "amqp://q"),
            ("LEADRELAY_SOURCES__CONTOSO_ADDON__RATE_LIMIT", "7"),
            ("LEADRELAY_ADMIN__LISTEN", "127.0.0.1:0"),
            ("LEADRELAY_LOG", "debug"),
            ("HOME", "x"),
        ];
        let variables = variables.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
        apply(root.as_object_mut().expect("a table"), variables);
        let expected = json!({
            "queue": {"url": "amqp://q"},
            "sources": {"contoso-addon": {"rate_limit": 7}},
            "admin": {"listen": "127.0.0.1:0"}
        });
        assert_eq!(root, expected);
    }
}
