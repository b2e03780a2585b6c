//! Compiling a schema: draft 4 to 2020-12, and nothing that is not in the document itself.

use std::path::Path;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ReferencingError, ValidationError, Validator};
use serde_json::Value;

use super::names::Renamed;
use super::words;

/// How far a pattern of a schema may go back on one value: a pattern is the operator's, the value is anybody's.
const BACKTRACK_LIMIT: usize = 100_000;

/// The schema that Microsoft gives to publishers.
pub(super) fn marketplace() -> Result<Validator, String> {
    let schema = serde_json::from_str(include_str!("marketplace.schema.json")).map_err(|e| e.to_string())?;
    compile(&schema)
}

/// Reads a schema file.
pub(super) fn read(path: &Path) -> Result<Value, String> {
    let text =
        std::fs::read_to_string(path).map_err(|e| format!("the schema {} cannot be read: {e}", path.display()))?;
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|e| format!("the schema {} is not JSON: {e}", path.display()))
}

/// Compiles a schema. What it refers to must be in it.
pub(super) fn compile(schema: &Value) -> Result<Validator, String> {
    if !schema.is_object() {
        return Err(format!("a schema is an object, and this is {}", words::kind_of(schema)));
    }
    let patterns = PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_LIMIT);
    let options = jsonschema::options().offline().with_pattern_options(patterns);
    options.build(schema).map_err(|error| mistake(&error))
}

fn mistake(error: &ValidationError<'_>) -> String {
    let ValidationErrorKind::Referencing(error) = error.kind() else {
        let told = words::told(error, &Renamed::default());
        let first = told.first().map(|fault| format!("at {:?}: {}", fault.pointer, fault.reason));
        return format!("is not a JSON Schema of its draft, {}", first.unwrap_or_default());
    };
    match error {
        ReferencingError::Unretrievable { uri, .. } => {
            let target = uri.strip_prefix("json-schema:///").unwrap_or(uri);
            format!(
                "refers to {target:?}, which is not in the file and is not fetched; put it under \"$defs\" and refer to it there"
            )
        }
        ReferencingError::UnknownSpecification { specification } => {
            format!("is of {specification:?}; drafts 4, 6, 7, 2019-09 and 2020-12 are known")
        }
        other => format!("has a reference that leads nowhere: {other}"),
    }
}
