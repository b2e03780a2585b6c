//! The fields of the object: live from `describe`, and as documented.

use std::collections::BTreeMap;

use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::{Field, Fields};
use serde::Deserialize;

use crate::call::{Ask, Org};
use crate::error::{Reading, Refusal};

/// What `describe` tells, as much as is used (REST API Developer Guide, "sObject Describe").
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    createable: bool,
    fields: Vec<DescribedField>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedField {
    name: String,
    r#type: String,
    #[serde(default)]
    length: usize,
    createable: bool,
    nillable: bool,
    defaulted_on_create: bool,
    #[serde(default)]
    external_id: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    restricted_picklist: bool,
    #[serde(default)]
    picklist_values: Vec<PicklistValue>,
}

#[derive(Debug, Deserialize)]
struct PicklistValue {
    value: String,
    active: bool,
}

/// How the field that holds the delivery's id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyField {
    /// As it should be.
    Sound,
    /// Not there, or not visible to the user.
    Missing,
    /// There, but nothing stops two records from having the same value in it.
    NotUnique,
    /// There, but it cannot be set, or it is too short for an id.
    Unusable,
}

/// The length of a delivery's id as a text.
const ID_LENGTH: usize = 36;

impl Described {
    /// Whether the user may create the object.
    pub(crate) fn is_createable(&self) -> bool {
        self.createable
    }

    /// How the field `key` is.
    pub(crate) fn key_field(&self, key: &str) -> KeyField {
        match self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(key)) {
            None => KeyField::Missing,
            Some(field) if !field.unique || !field.external_id => KeyField::NotUnique,
            Some(field) if !field.createable || field.length < ID_LENGTH => KeyField::Unusable,
            Some(_) => KeyField::Sound,
        }
    }

    /// The fields as the mapping is held against them.
    pub(crate) fn into_fields(self) -> Fields {
        Fields(self.fields.into_iter().map(|field| (field.name.clone(), field.into_field())).collect())
    }
}

impl DescribedField {
    fn into_field(self) -> Field {
        let values = self.picklist_values.into_iter().filter(|value| value.active).map(|value| value.value);
        // A picklist takes values that are not in it unless it is restricted, and one of several values takes them together.
        let is_closed = self.restricted_picklist && self.r#type == "picklist";
        let allowed = if is_closed { values.collect() } else { Vec::new() };
        Field {
            required: self.createable && !self.nillable && !self.defaulted_on_create,
            writable: self.createable,
            max_length: (self.length > 0).then_some(self.length),
            kind: self.r#type,
            allowed,
        }
    }
}

/// The bytes of a `describe` that are kept: an object may have 800 fields, each with its picklist.
const KEEP: usize = 8 * 1024 * 1024;

/// Asks what the object is like; changes nothing.
///
/// # Errors
/// The failure, classified.
pub(crate) async fn describe(org: &Org, object: &str) -> Result<Described, DeliveryError> {
    let reply = org.call(&Ask::get(&["sobjects", object, "describe"], KEEP)).await?;
    let reading = Reading { key: None, now: org.clock.now() };
    if let Some(Refusal::Failed(error)) = reading.parse_error(&reply.answer) {
        return Err(error);
    }
    serde_json::from_slice(reply.answer.whole()?).map_err(|_| {
        let message = "the description of the object is not one of Salesforce";
        DeliveryError::new(ErrorKind::Uncertain, message).status(reply.answer.status)
    })
}

/// What is to be said of the field `key`, unless it is sound.
///
/// # Errors
/// `Misconfigured`, with the remedy.
pub(crate) fn judge_key(described: &Described, key: &str) -> Result<(), DeliveryError> {
    let message = match described.key_field(key) {
        KeyField::Sound => return Ok(()),
        KeyField::Missing => {
            "the external-id field is not there, or the user may not see it; `leadrelay setup salesforce` makes it, and \
             `external_id_field = \"none\"` does without"
        }
        KeyField::NotUnique => {
            "the external-id field is not unique, so that a lead could arrive twice; mark it as unique and as an external id"
        }
        KeyField::Unusable => "the external-id field cannot be set by the user, or is shorter than 36 characters",
    };
    Err(DeliveryError::new(ErrorKind::Misconfigured, message).field(key))
}

/// The lengths of a lead's fields (Object Reference for the Salesforce Platform, "Lead"). Only texts: they are what is cut.
pub(crate) fn documented() -> Fields {
    const LENGTHS: [(&str, usize); 16] = [
        ("LastName", 80),
        ("FirstName", 40),
        ("Company", 255),
        ("Email", 80),
        ("Phone", 40),
        ("MobilePhone", 40),
        ("Fax", 40),
        ("Title", 128),
        ("Street", 255),
        ("City", 40),
        ("State", 80),
        ("PostalCode", 20),
        ("Country", 80),
        ("Website", 255),
        ("Description", 32_000),
        ("LeadSource", 255),
    ];
    let field = |(name, length): (&str, usize)| {
        let required = matches!(name, "LastName" | "Company");
        let field = Field {
            kind: "string".to_owned(),
            required,
            writable: true,
            max_length: Some(length),
            allowed: Vec::new(),
        };
        (name.to_owned(), field)
    };
    Fields(BTreeMap::from_iter(LENGTHS.into_iter().map(field)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn described(field: &Value) -> Described {
        let mut all = json!({
            "name": "X__c", "type": "string", "length": 36, "createable": true, "nillable": true,
            "defaultedOnCreate": false, "externalId": true, "unique": true, "restrictedPicklist": false,
            "picklistValues": [{"value": "a", "active": true}, {"value": "b", "active": false}]
        });
        for (key, value) in field.as_object().expect("a table") {
            all[key] = value.clone();
        }
        serde_json::from_value(json!({"createable": true, "fields": [all]})).expect("a describe")
    }

    #[test]
    fn a_field_is_required_where_it_must_be_set_and_is_not_filled() {
        for (field, required) in [
            (json!({}), false),
            (json!({"nillable": false}), true),
            (json!({"nillable": false, "defaultedOnCreate": true}), false),
            (json!({"nillable": false, "createable": false}), false),
        ] {
            assert_eq!(described(&field).into_fields().0["X__c"].required, required, "{field}");
        }
    }

    #[test]
    fn only_a_restricted_picklist_limits_its_values() {
        let allowed = |field| described(&field).into_fields().0["X__c"].allowed.clone();
        assert_eq!(allowed(json!({"type": "picklist", "restrictedPicklist": true})), ["a"]);
        assert!(allowed(json!({"type": "picklist"})).is_empty());
        assert!(allowed(json!({"type": "multipicklist", "restrictedPicklist": true})).is_empty());
    }

    #[test]
    fn a_field_that_cannot_keep_ids_apart_is_told() {
        let of = |field: Value| described(&field).key_field("x__C");
        assert_eq!(of(json!({})), KeyField::Sound);
        assert_eq!(of(json!({"name": "Y__c"})), KeyField::Missing);
        assert_eq!(of(json!({"unique": false})), KeyField::NotUnique);
        assert_eq!(of(json!({"externalId": false})), KeyField::NotUnique);
        assert_eq!(of(json!({"createable": false})), KeyField::Unusable);
        assert_eq!(of(json!({"length": 18})), KeyField::Unusable);
    }
}
