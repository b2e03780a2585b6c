//! The filters that leadrelay adds to the engine's own: pure, bounded, and lenient towards what a lead lacks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fields::cut;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

use super::country;
use super::scope::Scope;
use super::value::{self, Unfit, VALUE_BYTES};

/// Tables for `lookup`, by name; keys are folded with [`fold`].
pub(crate) type Tables = BTreeMap<String, BTreeMap<String, Value>>;

/// A key of a lookup table as it is compared: without case and outer blanks.
pub(crate) fn fold(key: &str) -> String {
    key.trim().to_lowercase()
}

/// Adds the filters to an engine.
pub(crate) fn add(env: &mut Environment<'_>, tables: Arc<Tables>) {
    env.add_filter("truncate_to", truncate_to);
    env.add_filter("country_name", country_name);
    env.add_filter("phone_e164", phone_e164);
    env.add_filter("lookup", move |key: &Value, table: &str, default: Option<Value>| {
        lookup(&tables, key, table, default)
    });
    // The engine's own write first and count later.
    env.add_filter("tojson", |value: &Value| {
        text(value::to_json(value, &mut VALUE_BYTES.clone()).map(|j| j.to_string()))
    });
    env.add_filter("string", |value: &Value| text(value::to_text(value, &mut VALUE_BYTES.clone())));
}

/// Cuts a text to `max` UTF-16 units, whole graphemes, ending in `…`.
fn truncate_to(value: &Value, max: usize) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(value.clone()),
        _ => text(value::to_text(value, &mut VALUE_BYTES.clone())).map(|all| cut(&all, max).into()),
    }
}

/// The English name of a country however it is written; what is no country stays as it is.
fn country_name(value: &Value) -> Value {
    value.as_str().and_then(country::name).map_or_else(|| value.clone(), Value::from)
}

/// A phone number as `+16175550100`, read as one of `region` or of the lead's country; as it is where it cannot be told.
fn phone_e164(state: &State<'_, '_>, value: &Value, region: Option<&str>) -> Value {
    let region = match region {
        Some(region) => country::alpha2(region),
        None => state.lookup("lead").and_then(|lead| lead.downcast_object_ref::<Scope>().and_then(Scope::country)),
    };
    // Numbers in JSON are phones too; what is longer than any phone is not worth parsing.
    let text = match value.kind() {
        ValueKind::String | ValueKind::Number => value.to_string(),
        _ => return value.clone(),
    };
    if text.len() > 64 {
        return value.clone();
    }
    let region = region.and_then(|code| code.parse().ok());
    match phonenumber::parse(region, &text) {
        Ok(number) if number.is_valid() => number.format().mode(phonenumber::Mode::E164).to_string().into(),
        _ => value.clone(),
    }
}

/// What a table says for a key, else the default, else nothing.
fn lookup(tables: &Tables, key: &Value, table: &str, default: Option<Value>) -> Result<Value, Error> {
    let table = tables.get(table).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "there is no such table"))?;
    let key = match key.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => fold(&key.to_string()),
        _ => return Ok(default.unwrap_or_default()),
    };
    Ok(table.get(&key).cloned().or(default).unwrap_or_default())
}

fn text<T>(result: Result<T, Unfit>) -> Result<T, Error> {
    result.map_err(unfit)
}

/// The engine's error for a value that does not fit; [`super::template`] finds the reason in it again.
pub(crate) fn unfit(reason: Unfit) -> Error {
    Error::new(ErrorKind::InvalidOperation, "the value does not fit").with_source(reason)
}
