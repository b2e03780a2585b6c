//! Judges whether a body is a lead of its source: pure, bounded, and without ever repeating a value of the body.
//!
//! The door asks it of every body, and the ledger asks it again of a repaired one. A body is parsed once. A fault says where
//! (a JSON pointer in the names as they were sent) and what; there are at most [`FAULTS_MAX`] of them.

mod depth;
mod names;
mod place;
mod schema;
mod words;

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::config::{Loaded, Mistake, SourceConfig};
use crate::lead::{Fault, Format};
use names::Renamed;
use words::{fault, kind_of};

/// The most faults that are told of one body.
pub const FAULTS_MAX: usize = 20;

/// The deepest nesting that a lead may have. Messages wrap the body in a few levels of their own, and their reader stops at 128.
pub const DEPTH_MAX: usize = 100;

/// Of a body larger than this only the first fault is told: telling all of them costs memory for each.
const ALL_FAULTS_UP_TO: usize = 64 << 10;

/// Knows what one source may send.
#[derive(Debug)]
pub struct Judge {
    format: Format,
    max_depth: usize,
    /// Absent where any object will do.
    validator: Option<Validator>,
}

impl Judge {
    /// A judge for `source`, with the source's own schema where it has one.
    ///
    /// A marketplace source without its own is held against the schema that Microsoft gives to publishers; its own is held
    /// against the body with the marketplace's names in the case in which that schema writes them.
    ///
    /// # Errors
    /// When the schema is wrong or refers to another document; the text says where.
    pub fn new(source: &SourceConfig, max_depth: usize, schema: Option<Value>) -> Result<Self, String> {
        let validator = match (schema, source.format) {
            (Some(schema), _) => Some(schema::compile(&schema)?),
            (None, Format::Marketplace) => Some(schema::marketplace()?),
            (None, Format::Json) => None,
        };
        Ok(Self { format: source.format, max_depth: max_depth.min(DEPTH_MAX), validator })
    }

    /// The judge of the source `name`, with its schema file read.
    ///
    /// # Errors
    /// When there is no such source, or its schema cannot be read or is wrong.
    pub fn for_source(loaded: &Loaded, name: &str) -> Result<Self, Mistake> {
        let sources = &loaded.config.sources;
        let Some(source) = sources.get(name) else {
            let mistake = Mistake::new(format!("sources.{name}"), "there is no such source");
            return Err(mistake.nearest(name, sources.keys().map(String::as_str)));
        };
        let wrong = |reason| Mistake::new(format!("sources.{name}.schema"), reason);
        let schema = source.schema.as_ref().map(|path| schema::read(&loaded.path(path))).transpose().map_err(wrong)?;
        Self::new(source, loaded.config.ingest.max_depth, schema).map_err(wrong)
    }

    /// Judges a body.
    ///
    /// # Errors
    /// What keeps it from being a lead: at least one fault and at most [`FAULTS_MAX`].
    pub fn judge(&self, body: &[u8]) -> Result<(), Vec<Fault>> {
        let mut object = object(body, self.max_depth).map_err(|fault| vec![fault])?;
        let renamed = match self.format {
            Format::Json => Renamed::default(),
            Format::Marketplace => names::canonical(&mut object).map_err(|reason| vec![fault("", reason)])?,
        };
        let Some(validator) = &self.validator else { return Ok(()) };
        let value = Value::Object(object);
        if validator.is_valid(&value) {
            return Ok(());
        }
        let mut faults: Vec<Fault> = if body.len() > ALL_FAULTS_UP_TO {
            validator.validate(&value).err().iter().flat_map(|error| words::told(error, &renamed)).collect()
        } else {
            validator.iter_errors(&value).flat_map(|error| words::told(&error, &renamed)).take(FAULTS_MAX).collect()
        };
        faults.truncate(FAULTS_MAX);
        if faults.is_empty() {
            faults.push(fault("", "does not satisfy the schema"));
        }
        Err(faults)
    }
}

/// Parses a body that must be one JSON object, nested no deeper than `max_depth`.
fn object(body: &[u8], max_depth: usize) -> Result<Map<String, Value>, Fault> {
    let text = text(body)?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => depth::within(object, max_depth),
        Ok(other) => Err(fault("", format!("is {}, and a lead is an object", kind_of(&other)))),
        Err(error) => Err(place::syntax(text, &error, max_depth)),
    }
}

/// The body as text, without a byte order mark.
fn text(body: &[u8]) -> Result<&str, Fault> {
    if body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") {
        return Err(fault("", "is UTF-16; a lead is sent as UTF-8"));
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|e| {
        fault("", format!("is not UTF-8: the byte at offset {} does not belong there", e.valid_up_to()))
    })?;
    if text.trim_ascii().is_empty() { Err(fault("", "is empty")) } else { Ok(text) }
}

#[cfg(test)]
mod tests;
