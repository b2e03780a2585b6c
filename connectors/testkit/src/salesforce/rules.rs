//! What a record must be like: its fields, their values, and the rules of the org.
//!
//! The order is that of Salesforce: the request must be read before anything is looked at, system checks come before the
//! organisation's rules, and uniqueness is the database's and comes last (Apex Developer Guide, "Triggers and Order of
//! Execution"). So a duplicate rule speaks before the unique external id does.

use leadrelay_shared::fields::utf16_len;
use serde_json::{Map, Value};

use super::fields::FieldDef;
use super::org::{DuplicateRule, State};
use super::refusal::Refusal;

impl State {
    /// The record under the org's own names, if every value can be read.
    pub(super) fn read(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
        let mut values = Map::new();
        for (name, value) in given.iter().filter(|(name, _)| *name != "attributes") {
            let field = self.field(name).ok_or_else(|| Refusal::no_such_column(name, &self.object))?;
            readable(field, value)?;
            if !value.is_null() {
                values.insert(field.name.clone(), value.clone());
            }
        }
        Ok(values)
    }

    /// Holds a new record against the fields and the rules.
    pub(super) fn judge(&self, values: &Map<String, Value>, may_save: bool) -> Result<(), Refusal> {
        let set = values.keys().filter_map(|name| self.field(name));
        if let Some(field) = set.clone().find(|field| !field.createable) {
            let message = format!(
                "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
                field.name
            );
            return Err(Refusal::of_field("INVALID_FIELD_FOR_INSERT_UPDATE", message, &field.name));
        }
        self.nothing_is_missing(values)?;
        set.clone().try_for_each(|field| fits(field, &values[&field.name]))?;
        if let Some(field) = self.forbidden.as_ref().filter(|field| values.contains_key(*field)) {
            let message = format!("We do not take {} here.", values[field]);
            return Err(Refusal::of_field("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, field));
        }
        self.is_no_duplicate(values, may_save)
    }

    fn nothing_is_missing(&self, values: &Map<String, Value>) -> Result<(), Refusal> {
        let required = self.fields.iter().filter(|f| f.createable && !f.nillable && !f.defaulted);
        let is_missing =
            |f: &&FieldDef| values.get(&f.name).and_then(Value::as_str).is_none_or(|text| text.trim().is_empty());
        let missing: Vec<String> = required.filter(is_missing).map(|f| f.name.clone()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("Required fields are missing: [{}]", missing.join(", "));
        Err(Refusal { fields: missing, ..Refusal::new(400, "REQUIRED_FIELD_MISSING", message) })
    }

    fn is_no_duplicate(&self, values: &Map<String, Value>, may_save: bool) -> Result<(), Refusal> {
        let refuses = match self.duplicate_rule {
            DuplicateRule::Off => false,
            DuplicateRule::Alert => !may_save,
            DuplicateRule::Block => true,
        };
        let email = values.get("Email");
        let is_known = email.is_some() && self.records.iter().any(|record| record.values.get("Email") == email);
        if refuses && is_known {
            let message = "You're creating a duplicate record. We recommend you use an existing record instead.";
            return Err(Refusal::new(400, "DUPLICATES_DETECTED", message));
        }
        Ok(())
    }

    /// The database's own check.
    pub(super) fn is_unique(&self, values: &Map<String, Value>) -> Result<(), Refusal> {
        for field in self.fields.iter().filter(|field| field.unique) {
            let Some(value) = values.get(&field.name) else { continue };
            let holder = self.records.iter().find(|record| record.values.get(&field.name) == Some(value));
            match holder {
                Some(_) if self.reticent => return Err(Refusal::duplicate("<unknown>", "<unknown>")),
                Some(record) => return Err(Refusal::duplicate(&field.name, &record.id)),
                None => {}
            }
        }
        Ok(())
    }
}

/// Whether the JSON can be read into the field; if not, the whole request cannot.
fn readable(field: &FieldDef, value: &Value) -> Result<(), Refusal> {
    let wanted = match field.kind {
        "boolean" if !value.is_boolean() => "boolean",
        "int" | "double" if !value.is_number() => "double",
        _ if value.is_object() || value.is_array() => "string",
        _ => return Ok(()),
    };
    if value.is_null() {
        return Ok(());
    }
    let message = format!(
        "Cannot deserialize instance of {wanted} from VALUE_STRING value {value} or request may be missing a required field at [line:1, column:2]"
    );
    Err(Refusal::new(400, "JSON_PARSER_ERROR", message))
}

fn fits(field: &FieldDef, value: &Value) -> Result<(), Refusal> {
    let name = &field.name;
    let Some(text) = value.as_str() else { return Ok(()) };
    if field.length > 0 && utf16_len(text) > field.length {
        let message = format!("{name}: data value too large: {text} (max length={})", field.length);
        return Err(Refusal::of_field("STRING_TOO_LONG", message, name));
    }
    if field.kind == "email" && !is_email(text) {
        let message = format!("{name}: invalid email address: {text}");
        return Err(Refusal::of_field("INVALID_EMAIL_ADDRESS", message, name));
    }
    if field.restricted && !field.values.iter().any(|value| value == text) {
        let message = format!("{name}: bad value for restricted picklist field: {text}");
        return Err(Refusal::of_field("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, name));
    }
    Ok(())
}

fn is_email(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
    text.split_once('@').is_some_and(|(name, host)| is_word(name) && is_word(host) && host.contains('.'))
}
