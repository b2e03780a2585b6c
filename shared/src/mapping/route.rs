//! One route, compiled: whether it is for a lead, and the record it makes.

use std::collections::HashMap;

use crate::config::{Mistake, RouteConfig};
use crate::delivery::Record;
use crate::fields::Note;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use super::scope::Scope;
use super::template::{Code, Failure, Language};
use super::value::{self, RECORD_BYTES, is_too_deep};

/// How TOML's dates and times look once they are JSON.
const TOML_DATETIME: &str = "$__toml_private_datetime";

/// One route.
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) to: String,
    from: Option<Vec<String>>,
    when: Option<Code>,
    fields: Option<Vec<(String, Field)>>,
}

/// What one field is made from. Texts inside lists and tables are templates too; what is empty is left out of them.
enum Field {
    Constant(Json),
    Code(Code),
    List(Vec<Field>),
    Table(Vec<(String, Field)>),
}

/// What a route says to one lead.
pub(crate) enum Verdict {
    /// It makes this record; the notes say what was left out.
    Delivers { record: Record, notes: Vec<Note> },
    /// It is for other sources.
    OtherSource,
    /// Its condition is not true.
    NotMet,
    /// It applies, and an earlier route, named here, has the destination.
    Yields(String),
    /// Its condition or one of its values failed.
    Failed { key: String, reason: String },
}

impl Route {
    /// Compiles a route. The result is of use only if no mistake was added.
    pub(crate) fn compile(
        config: &RouteConfig,
        key: &str,
        language: &mut Language,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let when = config.when.as_ref().and_then(|when| language.condition(when, &format!("{key}.when"), mistakes));
        let fields = config.fields.as_ref().map(|fields| {
            let key = format!("{key}.fields");
            if fields.is_empty() {
                let mistake = Mistake::new(&key, "names no field, so that every record would be empty");
                mistakes
                    .push(mistake.remedy("name some, or leave `fields` out to send the lead in leadrelay's own names"));
            }
            table(fields, &key, language, mistakes)
        });
        Self { name: config.name.clone(), to: config.to.clone(), from: config.from.clone(), when, fields }
    }

    /// Applies the route. `taken` says which route has a destination already; a route that fails has it as well, because
    /// what a later route would send is not what the rules want.
    pub(crate) fn apply<'r>(
        &'r self,
        language: &Language,
        scope: &Scope,
        lead: &Value,
        source: &str,
        taken: &mut HashMap<&'r str, &'r str>,
    ) -> Verdict {
        if self.from.as_ref().is_some_and(|from| !from.iter().any(|name| name == source)) {
            return Verdict::OtherSource;
        }
        let met = self.when.as_ref().map_or(Ok(true), |when| language.is_true(when, lead));
        if met == Ok(false) {
            return Verdict::NotMet;
        }
        if let Some(first) = taken.get(self.to.as_str()) {
            return Verdict::Yields((*first).to_owned());
        }
        taken.insert(&self.to, &self.name);
        match met {
            Err(Failure(reason)) => Verdict::Failed { key: "when".to_owned(), reason },
            Ok(_) => self.record(language, scope, lead),
        }
    }

    fn record(&self, language: &Language, scope: &Scope, lead: &Value) -> Verdict {
        let Some(fields) = &self.fields else {
            return deliverable(scope.record(), Vec::new());
        };
        let mut maker = Maker { language, lead, budget: RECORD_BYTES };
        match maker.table(fields, "fields") {
            Ok(record) => {
                let left_out = fields.iter().filter(|(name, _)| !record.contains_key(name));
                let notes = left_out.map(|(name, _)| Note::new(name, "empty, left out")).collect();
                deliverable(record, notes)
            }
            Err((key, Failure(reason))) => Verdict::Failed { key, reason },
        }
    }
}

/// A record that could not be read again is a failure of the route, and told as one.
fn deliverable(record: Record, notes: Vec<Note>) -> Verdict {
    if is_too_deep(&record) {
        return Verdict::Failed {
            key: "fields".to_owned(),
            reason: "the record is nested deeper than 110 levels".to_owned(),
        };
    }
    Verdict::Delivers { record, notes }
}

fn table(
    fields: &Map<String, Json>,
    key: &str,
    language: &mut Language,
    mistakes: &mut Vec<Mistake>,
) -> Vec<(String, Field)> {
    let field = |(name, json): (&String, &Json)| {
        Some((name.clone(), field(json, &format!("{key}.{name}"), language, mistakes)?))
    };
    fields.iter().filter_map(field).collect()
}

fn field(json: &Json, key: &str, language: &mut Language, mistakes: &mut Vec<Mistake>) -> Option<Field> {
    Some(match json {
        Json::Null => {
            mistakes.push(Mistake::new(key, "is a number that a record cannot hold"));
            return None;
        }
        Json::String(text) if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) => {
            Field::Constant(json.clone())
        }
        Json::String(text) => Field::Code(language.value(text, key, mistakes)?),
        Json::Array(items) => {
            let field = |(n, item): (usize, &Json)| field(item, &format!("{key}[{n}]"), language, mistakes);
            Field::List(items.iter().enumerate().filter_map(field).collect())
        }
        Json::Object(members) => match members.get(TOML_DATETIME) {
            Some(time) if members.len() == 1 => Field::Constant(time.clone()),
            _ => Field::Table(table(members, key, language, mistakes)),
        },
        Json::Bool(_) | Json::Number(_) => Field::Constant(json.clone()),
    })
}

/// Makes the values of one record.
struct Maker<'r> {
    language: &'r Language,
    lead: &'r Value,
    /// What the record may still take, in bytes.
    budget: usize,
}

impl Maker<'_> {
    fn table(&mut self, fields: &[(String, Field)], key: &str) -> Result<Record, (String, Failure)> {
        let mut record = Record::new();
        for (name, field) in fields {
            let made = self.field(field, &format!("{key}.{name}"))?;
            if let Some(made) = made {
                record.insert(name.clone(), made);
            }
        }
        Ok(record)
    }

    /// The value of a field; `None` where it is empty. A list or table that has lost all it held is empty too.
    fn field(&mut self, field: &Field, key: &str) -> Result<Option<Json>, (String, Failure)> {
        let made = match field {
            Field::Constant(json) => json.clone(),
            Field::Code(code) => self.language.json(code, self.lead).map_err(|failure| (key.to_owned(), failure))?,
            Field::List(items) => {
                let mut made = Vec::with_capacity(items.len());
                for (n, item) in items.iter().enumerate() {
                    made.extend(self.field(item, &format!("{key}[{n}]"))?);
                }
                return Ok((!made.is_empty() || items.is_empty()).then_some(Json::Array(made)));
            }
            Field::Table(fields) => {
                let made = self.table(fields, key)?;
                return Ok((!made.is_empty() || fields.is_empty()).then_some(Json::Object(made)));
            }
        };
        if value::is_empty(&made) {
            return Ok(None);
        }
        let too_large = |_| (key.to_owned(), Failure("the record is larger than 1 MiB with it".to_owned()));
        value::spend(&mut self.budget, value::size(&made)).map_err(too_large)?;
        Ok(Some(made))
    }
}
