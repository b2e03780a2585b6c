//! What an administrator's program may change: a custom field (Tooling API), and who may see it.
//!
//! A field that is made so is visible to nobody until a permission set that the user has grants it.

use serde_json::{Map, Value};

use super::fields::FieldDef;
use super::org::{Org, State};
use super::record_id;
use super::refusal::Refusal;

/// A permission set.
#[derive(Clone, Debug)]
pub(super) struct PermissionSet {
    id: String,
    name: String,
    /// Fields that may be edited by whoever has it.
    fields: Vec<String>,
    /// The user that calls has it.
    assigned: bool,
}

impl State {
    /// `POST tooling/sobjects/CustomField`.
    pub(super) fn make_field(&mut self, given: &Map<String, Value>) -> Result<String, Refusal> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let full_name = text(given.get("FullName"));
        let name = full_name.strip_prefix(&format!("{}.", self.object)).filter(|name| name.ends_with("__c"));
        let name = name.ok_or_else(|| Refusal::of_field("INVALID_FIELD", "bad full name", "FullName"))?;
        if self.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name)) {
            let message = format!("There is already a field named {name} on {}.", self.object);
            return Err(Refusal::of_field("DUPLICATE_DEVELOPER_NAME", message, "DeveloperName"));
        }
        let metadata = given.get("Metadata").and_then(Value::as_object).cloned().unwrap_or_default();
        if metadata.get("type").and_then(Value::as_str) != Some("Text") || text(metadata.get("label")).is_empty() {
            return Err(Refusal::of_field("FIELD_INTEGRITY_EXCEPTION", "a label and a type are needed", "Metadata"));
        }
        let is = |key: &str| metadata.get(key).and_then(Value::as_bool).unwrap_or_default();
        let length = metadata.get("length").and_then(Value::as_u64).unwrap_or_default();
        self.fields.push(FieldDef {
            external_id: is("externalId"),
            unique: is("unique"),
            visible: false,
            ..FieldDef::new(name, "string", usize::try_from(length).unwrap_or_default())
        });
        Ok(record_id::short("00N", self.fields.len()))
    }

    /// `POST sobjects/PermissionSet`.
    pub(super) fn make_set(&mut self, given: &Map<String, Value>) -> Result<String, Refusal> {
        let name = given.get("Name").and_then(Value::as_str).unwrap_or_default();
        if self.sets.iter().any(|set| set.name == name) {
            return Err(Refusal::new(
                400,
                "DUPLICATE_DEVELOPER_NAME",
                "There is already a permission set of this name.",
            ));
        }
        let id = record_id::short("0PS", self.sets.len() + 1);
        let set = PermissionSet { id: id.clone(), name: name.to_owned(), fields: Vec::new(), assigned: false };
        self.sets.push(set);
        Ok(id)
    }

    /// `POST sobjects/FieldPermissions`.
    pub(super) fn grant(&mut self, given: &Map<String, Value>) -> Result<String, Refusal> {
        let edits = given.get("PermissionsEdit").and_then(Value::as_bool).unwrap_or_default();
        let field = given.get("Field").and_then(Value::as_str).unwrap_or_default().to_owned();
        let set = self.set(given.get("ParentId"))?;
        if edits {
            set.fields.push(field);
        }
        self.show_granted();
        Ok(record_id::short("01k", 1))
    }

    /// `POST sobjects/PermissionSetAssignment`.
    pub(super) fn assign(&mut self, given: &Map<String, Value>) -> Result<String, Refusal> {
        let is_us = given.get("AssigneeId").and_then(Value::as_str) == Some(Org::USER_ID);
        let set = self.set(given.get("PermissionSetId"))?;
        set.assigned |= is_us;
        self.show_granted();
        Ok(record_id::short("0Pa", 1))
    }

    /// The ids of the permission sets of these names.
    pub(super) fn set_named(&self, names: &[String]) -> impl Iterator<Item = &str> {
        self.sets.iter().filter(|set| names.contains(&set.name)).map(|set| set.id.as_str())
    }

    fn set(&mut self, id: Option<&Value>) -> Result<&mut PermissionSet, Refusal> {
        let id = id.and_then(Value::as_str).unwrap_or_default().to_owned();
        let found = self.sets.iter_mut().find(|set| id.starts_with(&set.id));
        found.ok_or_else(|| Refusal::new(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))
    }

    fn show_granted(&mut self) {
        let granted: Vec<_> = self.sets.iter().filter(|set| set.assigned).flat_map(|set| set.fields.clone()).collect();
        for field in &mut self.fields {
            field.visible |= granted.contains(&format!("{}.{}", self.object, field.name));
        }
    }
}
