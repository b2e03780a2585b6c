//! JSON in and out of the mapping engine, within bounds.
//!
//! Invariant: nothing that a rule makes is written out beyond its budget, however small the rule and however often the value
//! repeats itself (`[lead.body] * 1000` shares one body a thousand times, and JSON would not).

use std::sync::Arc;

use minijinja::value::{Value, ValueKind};
use serde_json::{Map, Number, Value as Json};

/// The longest value that a rule may make, in bytes of its JSON, about.
pub(crate) const VALUE_BYTES: usize = 256 * 1024;
/// The largest record that a route may make.
pub(crate) const RECORD_BYTES: usize = 1024 * 1024;
/// The deepest nesting of a value.
const DEPTH: usize = 128;

/// The deepest nesting of a record. A message wraps it in a few levels of its own, and its reader stops at 128.
const RECORD_DEPTH: usize = 110;

/// Whether a record can be read again once it travels.
pub(crate) fn is_too_deep(record: &Map<String, Json>) -> bool {
    fn deeper(json: &Json, left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else { return true };
        match json {
            Json::Array(items) => items.iter().any(|item| deeper(item, left)),
            Json::Object(members) => members.values().any(|member| deeper(member, left)),
            _ => false,
        }
    }
    record.values().any(|value| deeper(value, RECORD_DEPTH))
}

/// Why a value cannot be part of a record. Holds no value of the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the value is longer than 256 KiB")]
    TooLong,
    #[error("the value is nested deeper than 128 levels")]
    TooDeep,
    #[error("the value is a number that JSON cannot hold")]
    Number,
    #[error("the value is neither text, number, boolean, list nor map")]
    Kind,
}

/// JSON as the engine's value.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(is) => Value::from(*is),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(n), _) => Value::from(n),
            (None, Some(n)) => Value::from(n),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(members) => {
            Value::from_pairs(members.iter().map(|(name, member)| (name.as_str(), from_json(member))))
        }
    }
}

/// The engine's value as JSON. `budget` is what may still be written, in bytes, and shrinks by what was.
pub(crate) fn to_json(value: &Value, budget: &mut usize) -> Result<Json, Unfit> {
    convert(value, budget, DEPTH)
}

fn convert(value: &Value, budget: &mut usize, depth: usize) -> Result<Json, Unfit> {
    let depth = depth.checked_sub(1).ok_or(Unfit::TooDeep)?;
    spend(budget, 4)?;
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => Json::Number(number(value)?),
        ValueKind::String => {
            let text = value.as_str().ok_or(Unfit::Kind)?;
            spend(budget, text.len())?;
            Json::String(text.to_owned())
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|_| Unfit::Kind)?;
            Json::Array(items.map(|item| convert(&item, budget, depth)).collect::<Result<_, _>>()?)
        }
        ValueKind::Map => {
            let mut members = Map::new();
            for key in value.try_iter().map_err(|_| Unfit::Kind)? {
                let member = value.get_item(&key).map_err(|_| Unfit::Kind)?;
                let name = key_text(&key)?;
                spend(budget, name.len())?;
                members.insert(name, convert(&member, budget, depth)?);
            }
            Json::Object(members)
        }
        _ => return Err(Unfit::Kind),
    })
}

fn key_text(key: &Value) -> Result<String, Unfit> {
    match key.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => {
            to_text(key, &mut VALUE_BYTES.clone()).map(|t| t.to_string())
        }
        _ => Err(Unfit::Kind),
    }
}

fn number(value: &Value) -> Result<Number, Unfit> {
    let number = if value.is_integer() {
        i64::try_from(value.clone()).map(Number::from).or_else(|_| u64::try_from(value.clone()).map(Number::from)).ok()
    } else {
        f64::try_from(value.clone()).ok().and_then(Number::from_f64)
    };
    number.ok_or(Unfit::Number)
}

pub(crate) fn spend(budget: &mut usize, bytes: usize) -> Result<(), Unfit> {
    *budget = budget.checked_sub(bytes).ok_or(Unfit::TooLong)?;
    Ok(())
}

/// A value as text: a text as it is, nothing as empty, lists and maps as JSON.
pub(crate) fn to_text(value: &Value, budget: &mut usize) -> Result<Arc<str>, Unfit> {
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => "".into(),
        ValueKind::String => {
            let text = value.to_str().ok_or(Unfit::Kind)?;
            spend(budget, text.len())?;
            text
        }
        // The engine would write `True`.
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.into(),
        ValueKind::Number => value.to_string().into(),
        _ => to_json(value, budget)?.to_string().into(),
    })
}

/// About how many bytes a value takes as JSON.
pub(crate) fn size(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len() + 4,
        Json::Array(items) => items.iter().map(size).sum::<usize>() + 4,
        Json::Object(members) => members.iter().map(|(name, member)| name.len() + size(member)).sum::<usize>() + 4,
        Json::Null | Json::Bool(_) | Json::Number(_) => 4,
    }
}

/// Whether a value is left out of a record: nothing, or a text without a visible character.
pub(crate) fn is_empty(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_survives_the_engine() {
        let json = json!({"b": [1, -2, 1.5, true, null, u64::MAX, i64::MIN], "a": {"": "x", "ключ": "{{ 1 }}"}});
        let back = to_json(&from_json(&json), &mut 10_000).expect("it fits");
        assert_eq!(back, json);
        assert_eq!(back.to_string(), json.to_string(), "and keeps its order");
    }

    #[test]
    fn what_repeats_itself_is_cut_short() {
        let body = from_json(&json!({"text": "x".repeat(10_000)}));
        let many: Value = std::iter::repeat_n(body, 1000).collect();
        assert_eq!(to_json(&many, &mut VALUE_BYTES.clone()), Err(Unfit::TooLong));
        assert_eq!(to_json(&Value::from(i128::MAX), &mut 100), Err(Unfit::Number));
        assert_eq!(to_json(&Value::from(f64::INFINITY), &mut 100), Err(Unfit::Number));
        let deep = (0..200).fold(Value::from(1), |inner, _| vec![inner].into());
        assert_eq!(to_json(&deep, &mut 10_000), Err(Unfit::TooDeep));
    }
}
