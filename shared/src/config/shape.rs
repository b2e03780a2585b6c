//! Holding a part of the file against its schema, and saying what is wrong in the words of a configuration.
//!
//! Invariant: no message shows a value of the file, because any value may be a secret. Keys are shown.

use std::net::SocketAddr;
use std::str::FromStr;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use serde_json::Value;

use super::positions::join;
use super::{ByteSize, Mistake, Span};

/// Every way in which `value`, which stands at `prefix`, departs from `schema`.
pub(super) fn against(schema: &Value, value: &Value, prefix: &str) -> Vec<Mistake> {
    let options = jsonschema::options()
        .should_validate_formats(true)
        .with_format("span", |text: &str| Span::from_str(text).is_ok())
        .with_format("size", |text: &str| ByteSize::from_str(text).is_ok())
        .with_format("socket-address", |text: &str| SocketAddr::from_str(text).is_ok())
        .with_format("http-url", is_http_url);
    match options.build(schema) {
        Ok(validator) => validator.iter_errors(value).flat_map(|error| told(schema, &error, prefix)).collect(),
        Err(error) => vec![Mistake::new(prefix, format!("leadrelay's own schema is wrong, please report it: {error}"))],
    }
}

fn is_http_url(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|u| matches!(u.scheme_str(), Some("http" | "https")) && u.host().is_some())
}

fn told(schema: &Value, error: &ValidationError<'_>, prefix: &str) -> Vec<Mistake> {
    let mut key = prefix.to_owned();
    let mut node = schema;
    for step in error.instance_path() {
        match step {
            LocationSegment::Property(name) => {
                key = join(&key, &name);
                node = property(node, &name);
            }
            LocationSegment::Index(n) => {
                key = format!("{key}[{n}]");
                node = node.get("items").unwrap_or(&Value::Null);
            }
        }
    }
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = node.get("properties").and_then(Value::as_object);
            let known: Vec<&str> = known.into_iter().flat_map(|p| p.keys()).map(String::as_str).collect();
            unexpected.iter().map(|name| unknown(join(&key, name), name, &known)).collect()
        }
        ValidationErrorKind::Required { property } => {
            vec![Mistake::new(key, format!("`{}` is missing", property.as_str().unwrap_or_default()))]
        }
        _ => vec![unfit(key, node, error.instance())],
    }
}

/// The schema of the member `name` of `node`.
fn property<'s>(node: &'s Value, name: &str) -> &'s Value {
    let named = node.get("properties").and_then(|p| p.get(name));
    named.or_else(|| node.get("additionalProperties")).unwrap_or(&Value::Null)
}

fn unknown(key: String, name: &str, known: &[&str]) -> Mistake {
    let mistake = Mistake::new(key, "unknown key");
    let mistake = if known.is_empty() || known.len() > 16 {
        mistake
    } else {
        mistake.remedy(format!("the keys here are {}", known.join(", ")))
    };
    mistake.nearest(name, known.iter().copied())
}

/// The value at `key` is not what `node` describes.
fn unfit(key: String, node: &Value, value: &Value) -> Mistake {
    let is = if right_kind(node, value) { String::new() } else { format!(", not {}", kind_of(value)) };
    let mistake = Mistake::new(key, format!("must be {}{is}", wanted(node)));
    match value.as_str() {
        Some(wrong) => mistake.nearest(wrong, options(node)),
        None => mistake,
    }
}

/// What `node` describes, in words.
fn wanted(node: &Value) -> String {
    let text = |key: &str| node.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("format") {
        "span" => return r#"a duration, such as "5s", "15m", "72h" or "30d""#.to_owned(),
        "size" => return r#"a size, such as "256KiB", "64MiB" or "16GiB""#.to_owned(),
        "socket-address" => return r#"an IP address and a port, such as "127.0.0.1:8080""#.to_owned(),
        "date" => return "a date, such as 2027-01-31".to_owned(),
        "http-url" => return r#"a URL that begins with http:// or https://"#.to_owned(),
        "queue-url" => {
            return r#""embedded", a URL such as "amqp://user@host:5672/vhost", or an array of up to 16 such URLs"#
                .to_owned();
        }
        "database-url" => return r#"a URL such as "postgres://user@host:5432/database""#.to_owned(),
        "secret" => return r#"a secret: { env = "NAME" }, { file = "path" } or a string"#.to_owned(),
        _ => {}
    }
    let options: Vec<String> = options(node).map(|o| format!("{o:?}")).collect();
    if let [rest @ .., last] = options.as_slice() {
        return if rest.is_empty() { last.clone() } else { format!("{} or {last}", rest.join(", ")) };
    }
    let between = match (node.get("minimum"), node.get("maximum")) {
        (Some(min), Some(max)) => format!(" between {min} and {max}"),
        (Some(min), None) => format!(" of at least {min}"),
        (None, Some(max)) => format!(" of at most {max}"),
        (None, None) => String::new(),
    };
    match text("type") {
        "string" => "a string".to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" => format!("a whole number{between}"),
        "number" => format!("a number{between}"),
        "array" => "an array: [ .. ]".to_owned(),
        "object" => "a table".to_owned(),
        _ => "as `leadrelay schema` describes it".to_owned(),
    }
}

/// The texts that `node` allows, where they are listed.
fn options(node: &Value) -> impl Iterator<Item = &str> {
    let list = |key: &str| node.get(key).and_then(Value::as_array).into_iter().flatten();
    list("enum").chain(list("oneOf").filter_map(|o| o.get("const"))).filter_map(Value::as_str)
}

fn right_kind(node: &Value, value: &Value) -> bool {
    match node.get("type").and_then(Value::as_str) {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        None if node.get("format").is_some_and(|f| f == "queue-url") => value.is_string() || value.is_array(),
        // A secret may be a string or a table, and a table of the wrong keys is not helped by being called a table.
        _ => value.is_string() || value.is_object(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
    }
}
