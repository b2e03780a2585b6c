//! What a flow does: its trigger, and its actions at every depth.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The deepest nesting of actions that is looked into; Power Automate allows 8.
const DEPTH: usize = 32;

/// What of a flow matters here.
#[derive(Debug, Default)]
pub(super) struct Flow<'a> {
    /// Actions that add a row.
    pub(super) rows: Vec<Row<'a>>,
    /// Actions that only read the trigger's body as JSON: their bodies are the lead.
    pub(super) readers: BTreeSet<&'a str>,
    /// What is not carried over, with its place.
    pub(super) left: Vec<String>,
}

/// An action that adds a row.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    /// The table, as the action names it.
    pub(super) table: &'a str,
    /// Actions that decide whether, or how often, it happens.
    pub(super) within: Vec<&'a str>,
    /// Columns and their values.
    pub(super) fields: Vec<(&'a str, &'a Value)>,
}

/// The flow of a file, wherever in it the definition is.
pub(super) fn read(file: &Value) -> Option<Flow<'_>> {
    let places = ["", "/definition", "/properties/definition"].into_iter().filter_map(|place| file.pointer(place));
    let mut found = places.filter_map(|place| Some((table(place, "triggers")?, table(place, "actions")?)));
    let (triggers, actions) = found.next()?;
    let mut flow = Flow::default();
    for (name, trigger) in triggers {
        if text(trigger, "type") != "Request" {
            let kind = text(trigger, "type");
            flow.left
                .push(format!("trigger {name}: it is {kind} and no HTTP request, so what it hands on is not a lead"));
        }
    }
    flow.walk(actions, &[], DEPTH);
    Some(flow)
}

impl<'a> Flow<'a> {
    fn walk(&mut self, actions: &'a Map<String, Value>, within: &[&'a str], left: usize) {
        let Some(left) = left.checked_sub(1) else {
            self.left.push("actions that are nested deeper than Power Automate allows".to_owned());
            return;
        };
        for (name, action) in actions {
            let inner = inner(action);
            if !inner.is_empty() {
                let scope = text(action, "type") == "Scope";
                let within: Vec<&str> =
                    if scope { within.to_vec() } else { within.iter().copied().chain([name.as_str()]).collect() };
                inner.into_iter().for_each(|actions| self.walk(actions, &within, left));
            } else if let Some(row) = row(name, action, within) {
                self.rows.push(row);
            } else if reads_trigger(action) {
                self.readers.insert(name);
            } else {
                self.left.push(format!("action {name} ({})", kind(action)));
            }
        }
    }
}

/// The actions inside an action.
fn inner(action: &Value) -> Vec<&Map<String, Value>> {
    let cases = action.get("cases").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let others = ["else", "default"].into_iter().filter_map(|name| action.get(name));
    std::iter::once(action).chain(others).chain(cases).filter_map(|place| table(place, "actions")).collect()
}

/// The action as one that adds a row, if it is.
fn row<'a>(name: &'a str, action: &'a Value, within: &[&'a str]) -> Option<Row<'a>> {
    let operation = action.pointer("/inputs/host/operationId").and_then(Value::as_str).unwrap_or_default();
    let parameters = action.pointer("/inputs/parameters").and_then(Value::as_object)?;
    if !operation.starts_with("Create") && !operation.starts_with("Post") {
        return None;
    }
    let flat = parameters.iter().filter_map(|(key, value)| Some((key.strip_prefix("item/")?, value)));
    let nested = parameters.get("item").and_then(Value::as_object).into_iter().flatten();
    let fields: Vec<_> = flat.chain(nested.map(|(key, value)| (key.as_str(), value))).collect();
    let table = ["entityName", "table"].into_iter().find_map(|key| parameters.get(key)?.as_str()).unwrap_or_default();
    (!fields.is_empty()).then(|| Row { name, table, within: within.to_vec(), fields })
}

fn reads_trigger(action: &Value) -> bool {
    let content = action.pointer("/inputs/content").and_then(Value::as_str).unwrap_or_default();
    text(action, "type") == "ParseJson" && matches!(content, "@triggerBody()" | "@triggerOutputs()?['body']")
}

fn kind(action: &Value) -> &str {
    action.pointer("/inputs/host/operationId").and_then(Value::as_str).unwrap_or_else(|| text(action, "type"))
}

fn table<'a>(value: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    value.get(name)?.as_object()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("of no type")
}
