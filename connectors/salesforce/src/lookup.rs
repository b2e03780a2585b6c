//! Looking before leaping: which records are there already.
//!
//! By the external id: before a lead is parked it is asked whether an earlier attempt has arrived. That is needed and not
//! only kind: duplicate rules run before uniqueness is checked, so a redelivery is told that it duplicates itself.
//!
//! By likeness, where there is no external id: a record that was made since the lead was accepted and has the same e-mail
//! address, name, company and source.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::delivery::{Delivery, Receipt, Record};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::Url;
use serde_json::Value;

use crate::call::{Ask, Org};
use crate::error::{Reading, Refusal};
use crate::record::{id_in, receipt};

/// What tells one lead from another. A query can filter by none of the long texts.
const LIKENESS: [&str; 4] = ["Email", "LastName", "Company", "LeadSource"];

/// Salesforce's clock may be so much behind ours.
const SKEW: SignedDuration = SignedDuration::from_mins(2);

/// The longest list of values in one query: a URL holds 16,384 bytes, and a value may be encoded in three for each.
const LIST_MAX: usize = 4_000;

/// The bytes of an answer: rows of four short texts, of which Salesforce gives up to 2,000 in one answer.
const KEEP: usize = 4 * 1024 * 1024;

/// Receipts for the records that hold the ids of `deliveries` in the field `key`, by that id.
///
/// # Errors
/// The failure, classified.
pub(crate) async fn by_key(
    org: &Org,
    object: &str,
    key: &str,
    deliveries: &[&Delivery],
) -> Result<HashMap<String, Receipt>, DeliveryError> {
    let mut found = HashMap::new();
    let ids: Vec<String> = deliveries.iter().map(|delivery| delivery.id.to_string()).collect();
    for list in lists(ids) {
        let soql = format!("SELECT Id, {key} FROM {object} WHERE {key} IN ({list})");
        let (instance, rows) = rows(org, &soql).await?;
        for row in rows {
            // Salesforce writes a field's name as it was made, and the settings may write it otherwise.
            let named = row.as_object().into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case(key));
            if let Some(id) = named.and_then(|(_, id)| id.as_str()) {
                found.insert(id.to_lowercase(), receipt(&instance, object, id_of(&row), true, 200));
            }
        }
    }
    Ok(found)
}

/// For each delivery a receipt for the record that is like it and was made since, if there is one.
///
/// # Errors
/// `Rejected` where a delivery has nothing to be known by; else the failure, classified.
pub(crate) async fn by_likeness(
    org: &Org,
    object: &str,
    deliveries: &[&Delivery],
) -> Result<Vec<Option<Receipt>>, DeliveryError> {
    let likes: Option<Vec<Like<'_>>> = deliveries.iter().map(|delivery| Like::of(delivery)).collect();
    let Some(likes) = likes else {
        let message = "nothing tells this lead from another: map Email or LastName, or use `external_id_field`";
        return Err(DeliveryError::new(ErrorKind::Rejected, message));
    };
    let since = likes.iter().map(|like| like.since).min().unwrap_or(Timestamp::MAX);
    let columns: Vec<&str> = LIKENESS.into_iter().filter(|name| likes.iter().any(|like| like.has(name))).collect();
    let mut found: Vec<Option<Receipt>> = vec![None; likes.len()];
    for name in &columns {
        let values = likes.iter().filter(|like| like.values[0].0 == *name).map(|like| like.values[0].1.to_owned());
        for list in lists(values.collect()) {
            let columns = columns.join(", ");
            let since = since.round(jiff::Unit::Second).unwrap_or(since);
            let soql = format!(
                "SELECT Id, CreatedDate, {columns} FROM {object} WHERE {name} IN ({list}) AND CreatedDate >= {since}"
            );
            let (instance, rows) = rows(org, &soql).await?;
            for (found, like) in found.iter_mut().zip(&likes).filter(|(found, _)| found.is_none()) {
                let row = rows.iter().find(|row| like.is(row));
                *found = row.map(|row| receipt(&instance, object, id_of(row), true, 200));
            }
        }
    }
    Ok(found)
}

fn id_of(row: &Value) -> Option<String> {
    row.get("Id").and_then(Value::as_str).and_then(id_in)
}

/// What a delivery is known by.
struct Like<'d> {
    /// Not empty; the first is what is asked for.
    values: Vec<(&'static str, &'d str)>,
    since: Timestamp,
}

impl<'d> Like<'d> {
    fn of(delivery: &'d Delivery) -> Option<Self> {
        let value = |name: &'static str| Some((name, text_of(&delivery.record, name)?));
        let values: Vec<_> = LIKENESS.into_iter().filter_map(value).collect();
        let since = delivery.accepted_at.checked_sub(SKEW).unwrap_or(Timestamp::MIN);
        (!values.is_empty()).then_some(Self { values, since })
    }

    fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(known, _)| *known == name)
    }

    /// Whether a row is like it: each value the same, but for case, and made since.
    fn is(&self, row: &Value) -> bool {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let same =
            |(name, value): &(&str, &str)| text(name).is_some_and(|t| t.trim().to_lowercase() == value.to_lowercase());
        // Salesforce writes the offset without a colon.
        let made = text("CreatedDate").and_then(|time| time.replace("+0000", "Z").parse::<Timestamp>().ok());
        self.values.iter().all(same) && made.is_some_and(|made| made >= self.since)
    }
}

fn text_of<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    let (_, value) = record.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// Values as lists for a query, none too long for a URL.
fn lists(mut values: Vec<String>) -> Vec<String> {
    values.sort_unstable();
    values.dedup();
    let mut lists: Vec<String> = Vec::new();
    for value in values.iter().map(|value| quoted(value)) {
        match lists.last_mut().filter(|list| list.len() + value.len() < LIST_MAX) {
            Some(list) => {
                list.push(',');
                list.push_str(&value);
            }
            None => lists.push(value),
        }
    }
    lists
}

/// A text as SOQL writes it (SOQL and SOSL Reference, "Reserved Characters").
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// The rows of one query, and the address of the org that has them.
pub(crate) async fn rows(org: &Org, soql: &str) -> Result<(Url, Vec<Value>), DeliveryError> {
    let ask = Ask { soql: Some(soql), ..Ask::get(&["query"], KEEP) };
    let reply = org.call(&ask).await?;
    let reading = Reading { key: None, now: org.clock.now() };
    if let Some(Refusal::Failed(error)) = reading.parse_error(&reply.answer) {
        return Err(error);
    }
    let mut told: Value = serde_json::from_slice(reply.answer.whole()?).unwrap_or_default();
    let unclear = |message| DeliveryError::new(ErrorKind::Uncertain, message).status(reply.answer.status);
    let Some(Value::Array(rows)) = told.get_mut("records").map(Value::take) else {
        return Err(unclear("the answer to a query is none"));
    };
    if told.get("done") != Some(&Value::Bool(true)) {
        return Err(unclear("a query has more answers than fit into one"));
    }
    Ok((reply.instance, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        assert_eq!(quoted(r"O'Brien\"), r"'O\'Brien\\'");
        assert_eq!(quoted("a\nb"), r"'a\nb'");
    }

    #[test]
    fn lists_hold_every_value_once_and_none_is_too_long() {
        let values: Vec<String> = (0..1000).map(|n| format!("value-{:03}", n % 500)).collect();
        let lists = lists(values);
        assert!(lists.len() > 1 && lists.iter().all(|list| list.len() <= LIST_MAX));
        assert_eq!(lists.iter().map(|list| list.split(',').count()).sum::<usize>(), 500);
    }
}
