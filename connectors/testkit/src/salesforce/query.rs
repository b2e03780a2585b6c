//! SOQL, as much of it as is asked: `SELECT a, b FROM Lead WHERE x IN ('..') AND y = '..' AND CreatedDate >= <time>`.

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value, json};

use super::org::{SalesforceRecord, State};
use super::record_id;
use super::refusal::Refusal;
use crate::answers::answer;

/// The longest query in a URL: Salesforce takes no more than 16,384 bytes of it.
const URL_MAX: usize = 16_384;

#[derive(Debug)]
struct Query {
    columns: Vec<String>,
    object: String,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Condition {
    In(String, Vec<String>),
    Since(String, String),
}

impl State {
    /// Answers a query. `length` is that of the whole URL.
    pub(super) fn query(&self, soql: &str, length: usize) -> Result<Response<Bytes>, Refusal> {
        if length > URL_MAX {
            return Err(Refusal::new(414, "URI_TOO_LONG", "the request's URI is too long"));
        }
        let query = parse(soql).ok_or_else(|| Refusal::new(400, "MALFORMED_QUERY", "unexpected token"))?;
        if let ("PermissionSet", [Condition::In(name, wanted)]) = (query.object.as_str(), query.conditions.as_slice())
            && name == "Name"
        {
            let found: Vec<Value> = self.set_named(wanted).map(|id| json!({"Id": record_id::long(id)})).collect();
            return Ok(answer(200, &json!({"totalSize": found.len(), "done": true, "records": found})));
        }
        if !query.object.eq_ignore_ascii_case(&self.object) {
            let message = format!("sObject type '{}' is not supported.", query.object);
            return Err(Refusal::new(400, "INVALID_TYPE", message));
        }
        let asked = query.conditions.iter().map(|condition| match condition {
            Condition::In(name, _) | Condition::Since(name, _) => name,
        });
        for name in query.columns.iter().chain(asked) {
            self.field(name).ok_or_else(|| Refusal::no_such_column(name, &self.object))?;
        }
        let found: Vec<Value> = self
            .records
            .iter()
            .filter(|record| query.conditions.iter().all(|condition| condition.holds(record)))
            .map(|record| query.row(record))
            .collect();
        Ok(answer(200, &json!({"totalSize": found.len(), "done": true, "records": found})))
    }
}

impl Query {
    fn row(&self, record: &SalesforceRecord) -> Value {
        let mut row = Map::new();
        row.insert("attributes".to_owned(), json!({"type": self.object}));
        for name in &self.columns {
            row.insert(name.clone(), value(record, name));
        }
        Value::Object(row)
    }
}

impl Condition {
    /// Texts are compared without regard to case, as SOQL does.
    fn holds(&self, record: &SalesforceRecord) -> bool {
        match self {
            Self::In(name, wanted) => {
                let value = value(record, name);
                value.as_str().is_some_and(|v| wanted.iter().any(|w| w.to_lowercase() == v.to_lowercase()))
            }
            Self::Since(_, time) => time.parse::<jiff::Timestamp>().is_ok_and(|time| record.created_at >= time),
        }
    }
}

fn value(record: &SalesforceRecord, name: &str) -> Value {
    match name {
        "Id" => record_id::long(&record.id).into(),
        // With an offset that has no colon, as Salesforce writes it.
        "CreatedDate" => record.created_at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string().into(),
        _ => record.values.get(name).cloned().unwrap_or_default(),
    }
}

fn parse(soql: &str) -> Option<Query> {
    let rest = soql.strip_prefix("SELECT ")?;
    let (columns, rest) = rest.split_once(" FROM ")?;
    let (object, mut rest) = rest.split_once(" WHERE ")?;
    let mut conditions = Vec::new();
    loop {
        let (condition, more) = condition(rest)?;
        conditions.push(condition);
        match more.strip_prefix(" AND ") {
            Some(more) => rest = more,
            None if more.is_empty() => break,
            None => return None,
        }
    }
    let columns = columns.split(',').map(|column| column.trim().to_owned()).collect();
    Some(Query { columns, object: object.to_owned(), conditions })
}

fn condition(text: &str) -> Option<(Condition, &str)> {
    let (name, rest) = text.split_once(' ')?;
    if let Some(rest) = rest.strip_prefix(">= ") {
        let end = rest.find(' ').unwrap_or(rest.len());
        return Some((Condition::Since(name.to_owned(), rest[..end].to_owned()), &rest[end..]));
    }
    if let Some(rest) = rest.strip_prefix("= ") {
        let (value, rest) = literal(rest)?;
        return Some((Condition::In(name.to_owned(), vec![value]), rest));
    }
    let mut rest = rest.strip_prefix("IN (")?;
    let mut values = Vec::new();
    loop {
        let (value, more) = literal(rest)?;
        values.push(value);
        match more.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some((Condition::In(name.to_owned(), values), more.strip_prefix(')')?)),
        }
    }
}

/// A text in quotes, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.strip_prefix('\'')?.chars();
    loop {
        match rest.next()? {
            '\'' => return Some((value, rest.as_str())),
            '\\' => value.push(match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_value_ends_nothing() {
        let query = parse(
            r"SELECT Id, Email FROM Lead WHERE LastName IN ('O\'Brien','a\\b') AND CreatedDate >= 2026-11-23T12:00:00Z",
        );
        let query = query.expect("a query");
        assert_eq!((query.columns.len(), query.object.as_str(), query.conditions.len()), (2, "Lead", 2));
        let Condition::In(_, values) = &query.conditions[0] else { panic!("a list") };
        assert_eq!(values, &["O'Brien", r"a\b"]);
        assert!(parse("SELECT Id FROM Lead WHERE LastName IN ('O'Brien')").is_none());
    }
}
