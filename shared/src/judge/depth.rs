//! Nesting. The parser stops by itself at 128 levels, so looking again by recursion is safe.

use serde_json::{Map, Value};

use super::words::{escaped, fault};
use crate::lead::Fault;

/// The object, if nothing in it is nested deeper than `max`; the object itself is level 1.
pub(super) fn within(object: Map<String, Value>, max: usize) -> Result<Map<String, Value>, Fault> {
    let too_deep = object.iter().find(|(_, value)| !fits(value, max.saturating_sub(1)));
    match too_deep {
        Some((name, _)) => Err(fault(&format!("/{}", escaped(name)), told(max))),
        None => Ok(object),
    }
}

/// How a fault of depth is told.
pub(super) fn told(max: usize) -> String {
    format!("is nested deeper than {max} levels")
}

fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|v| fits(v, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|v| fits(v, levels - 1)),
        _ => true,
    }
}
