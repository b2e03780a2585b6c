//! Faults in words. Names, limits and allowed values come from the schema; nothing but member names comes from the body.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::LocationSegment;
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::FAULTS_MAX;
use super::names::Renamed;
use crate::lead::Fault;

/// The longest pointer and the longest reason, in bytes.
pub(super) const POINTER_MAX: usize = 256;
pub(super) const REASON_MAX: usize = 300;

/// A fault of bounded length.
pub(super) fn fault(pointer: &str, reason: impl Into<String>) -> Fault {
    Fault { pointer: cut(pointer.to_owned(), POINTER_MAX), reason: cut(reason.into(), REASON_MAX) }
}

/// A member name as a step of a JSON pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What the validator found, told in the names as they were sent. One finding may name several members.
pub(super) fn told(error: &ValidationError<'_>, renamed: &Renamed) -> Vec<Fault> {
    let mut pointer = String::new();
    let mut in_person = false;
    for (n, step) in error.instance_path().iter().enumerate() {
        pointer.push('/');
        match step {
            LocationSegment::Property(name) => {
                let sent = if n == 0 || (n == 1 && in_person) { renamed.as_sent(in_person, &name) } else { &name };
                pointer.push_str(&escaped(sent));
                in_person = n == 0 && name == "UserDetails";
            }
            LocationSegment::Index(index) => pointer.push_str(&index.to_string()),
        }
    }
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .take(FAULTS_MAX)
            .map(|name| fault(&format!("{pointer}/{}", escaped(name)), "is not allowed here"))
            .collect(),
        kind => vec![fault(&pointer, reason(kind, error))],
    }
}

fn reason(kind: &Kind, error: &ValidationError<'_>) -> String {
    match kind {
        Kind::Type { kind } => format!("must be {}, is {}", wanted(kind), kind_of(error.instance())),
        Kind::Required { property } => format!("{property} is missing"),
        Kind::Enum { options } => format!("is none of {options}"),
        Kind::Constant { expected_value } => format!("is not {expected_value}"),
        Kind::Pattern { pattern } => format!("does not match the pattern {pattern}"),
        Kind::Format { format } => format!("is not of the format {format}"),
        Kind::MinLength { limit } => format!("is shorter than {limit} characters"),
        Kind::MaxLength { limit } => format!("is longer than {limit} characters"),
        Kind::MinItems { limit } => format!("has fewer than {limit} items"),
        Kind::MaxItems { limit } => format!("has more than {limit} items"),
        Kind::AdditionalItems { limit } => format!("has more than the {limit} items that are allowed"),
        Kind::MinProperties { limit } => format!("has fewer than {limit} members"),
        Kind::MaxProperties { limit } => format!("has more than {limit} members"),
        Kind::Minimum { limit } => format!("is less than {limit}"),
        Kind::Maximum { limit } => format!("is more than {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("is not more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("is not less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("is not a multiple of {multiple_of}"),
        Kind::UniqueItems => "has the same item twice".to_owned(),
        Kind::FalseSchema => "is not allowed here".to_owned(),
        Kind::PropertyNames { .. } => "has a member whose name is not allowed".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            format!("has none of the shapes allowed; is {}", kind_of(error.instance()))
        }
        Kind::OneOfMultipleValid { .. } => "has more than one of the shapes of which it may have one".to_owned(),
        // The library's own words may hold the value.
        _ => format!("does not satisfy `{}` of the schema", error.kind().keyword()),
    }
}

fn wanted(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => json_type(*one).to_owned(),
        TypeKind::Multiple(set) => set.into_iter().map(json_type).collect::<Vec<_>>().join(" or "),
    }
}

fn json_type(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}

/// What a value is, without the value.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max - '…'.len_utf8()));
        text.push('…');
    }
    text
}
