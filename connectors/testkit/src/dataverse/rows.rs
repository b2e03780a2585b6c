//! Rows: written under an id with the conditions of a request, read, and looked for.

use bytes::Bytes;
use http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::environment::{DataverseRow, State};
use super::refusal::Refusal;
use crate::answers::{answer, empty, fields_of};

/// What the headers of a request say about writing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes {
    may_create: bool,
    may_update: bool,
    /// `MSCRM.SuppressDuplicateDetection: false`.
    detect: bool,
    now: Timestamp,
}

impl Wishes {
    pub(super) fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found.as_bytes() == value.as_bytes());
        Self {
            may_create: !is(IF_MATCH.as_str(), "*"),
            may_update: !is(IF_NONE_MATCH.as_str(), "*"),
            detect: is("mscrm.suppressduplicatedetection", "false"),
            now,
        }
    }
}

impl State {
    /// Creates or updates the row of this id, or that of this value in a key.
    pub(super) fn write(
        &mut self,
        address: &str,
        which: &str,
        given: &Map<String, Value>,
        wishes: Wishes,
    ) -> Result<Response<Bytes>, Refusal> {
        self.calls.writes += 1;
        let mut given = given.clone();
        let at = self.find(which, &mut given)?;
        match at {
            Some(_) => self.needs("Write")?,
            None => self.needs("Create")?,
        }
        if wishes.detect && self.rules_first {
            self.detect(&given, at)?;
        }
        if at.is_some() && !wishes.may_update {
            return Err(Refusal::new(412, "0x80060892", "A record with matching key values already exists."));
        }
        if at.is_none() && !wishes.may_create {
            return Err(Refusal::no_such_row(&self.table, which));
        }
        let values = self.read(&given)?;
        if wishes.detect && !self.rules_first {
            self.detect(&values, at)?;
        }
        self.is_lockable()?;
        let id = match at {
            Some(at) => {
                let row = &mut self.rows[at];
                row.values.extend(values);
                row.updates += 1;
                row.id.clone()
            }
            None => {
                self.judge_rules(&values)?;
                let id = if which.contains('=') { self.next_id() } else { which.to_owned() };
                self.rows.push(DataverseRow { id: id.clone(), values, created_at: wishes.now, updates: 0 });
                id
            }
        };
        let mut answer = empty(204);
        if let Ok(entity) = format!("{address}/api/data/v9.2/{}({id})", self.entity_set).parse() {
            answer.headers_mut().insert("OData-EntityId", entity);
        }
        Ok(answer)
    }

    /// The row that is meant. A value in a key is one of the values of the row.
    fn find(&self, which: &str, given: &mut Map<String, Value>) -> Result<Option<usize>, Refusal> {
        let Some((column, value)) = which.split_once('=') else {
            let is_id = which.len() == 36 && which.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
            let wrong = || Refusal::new(400, "0x80060888", format!("'{which}' is no identifier of a record."));
            return if is_id { Ok(self.rows.iter().position(|row| row.id == which)) } else { Err(wrong()) };
        };
        let key = self.column(column).filter(|known| known.is_key);
        let wrong = "The key in the request URI is not valid for the resource.";
        let key = key.ok_or_else(|| Refusal::new(400, "0x80060888", wrong))?;
        let value = Value::from(value.trim_matches('\''));
        given.insert(key.name.clone(), value.clone());
        Ok(self.rows.iter().position(|row| row.values.get(&key.name) == Some(&value)))
    }

    fn detect(&self, values: &Map<String, Value>, at: Option<usize>) -> Result<(), Refusal> {
        let is_other = |found: &usize| self.rules_first || Some(*found) != at;
        match self.detection {
            Some(status) if self.duplicates_of(values).iter().any(is_other) => {
                let message =
                    "A record was not created or updated because a duplicate of the current record already exists.";
                Err(Refusal::new(status, "0x80040333", message))
            }
            _ => Ok(()),
        }
    }

    fn is_lockable(&mut self) -> Result<(), Refusal> {
        if self.locks == 0 {
            return Ok(());
        }
        self.locks -= 1;
        let message = "Generic SQL error. Transaction was deadlocked on lock resources with another process.";
        Err(Refusal::new(500, "0x80044150", message))
    }

    fn needs(&self, right: &str) -> Result<(), Refusal> {
        let has = |privilege: &String| privilege.to_lowercase() == format!("prv{right}{}", self.table).to_lowercase();
        if self.privileges.iter().any(has) {
            return Ok(());
        }
        let mut name: Vec<char> = self.table.chars().collect();
        if let Some(first) = name.first_mut().filter(|_| !self.table.contains('_')) {
            *first = first.to_ascii_uppercase();
        }
        let name: String = name.into_iter().collect();
        let message = format!(
            "Principal user (Id=7a1d2c9e, type=8, roleCount=1) is missing prv{right}{name} privilege (Id=1) on OTC=4 for entity '{}'.",
            self.table
        );
        Err(Refusal::new(403, "0x80040220", message))
    }

    fn next_id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.rows.len() + 1)
    }

    /// Reads the row of this id.
    pub(super) fn show(&mut self, which: &str) -> Result<Response<Bytes>, Refusal> {
        self.calls.reads += 1;
        self.needs("Read")?;
        let row = self.rows.iter().find(|row| row.id == which);
        let row = row.ok_or_else(|| Refusal::no_such_row(&self.table, which))?;
        Ok(answer(200, &self.shown(row)))
    }

    /// The rows that rules take for the same as a record.
    pub(super) fn retrieve_duplicates(&mut self, request: &Request<Bytes>) -> Result<Response<Bytes>, Refusal> {
        self.calls.reads += 1;
        let query = fields_of(request.uri().query().unwrap_or_default().as_bytes());
        let parameter = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let wrong = || Refusal::new(400, "0x80060888", "a parameter of the function is missing or is not JSON");
        if parameter("@p2") != format!("'{}'", self.table) || serde_json::from_str::<Value>(parameter("@p3")).is_err() {
            return Err(wrong());
        }
        let mut entity: Map<String, Value> = serde_json::from_str(parameter("@p1")).map_err(|_| wrong())?;
        if entity.remove("@odata.type") != Some(format!("Microsoft.Dynamics.CRM.{}", self.table).into()) {
            return Err(wrong());
        }
        self.read(&entity)?;
        let rows: Vec<Value> = self.duplicates_of(&entity).iter().map(|at| self.shown(&self.rows[*at])).collect();
        Ok(answer(200, &json!({"value": rows})))
    }

    fn shown(&self, row: &DataverseRow) -> Value {
        let mut shown = row.values.clone();
        shown.insert(self.key(), row.id.clone().into());
        shown.insert("createdon".to_owned(), row.created_at.to_string().into());
        Value::Object(shown)
    }
}
