//! The fields of an object, and its `describe`.

use serde_json::{Value, json};

/// One field of the org's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDef {
    /// Its API name.
    pub name: String,
    /// Its type, in the words of `describe`: `string`, `email`, `boolean`, `picklist`, ..
    pub kind: &'static str,
    /// The longest text, in characters; 0 where it is no text.
    pub length: usize,
    /// It may be set on create.
    pub createable: bool,
    /// It may be empty.
    pub nillable: bool,
    /// Salesforce fills it where it is left out.
    pub defaulted: bool,
    /// It is marked as an external id.
    pub external_id: bool,
    /// No two records may have the same value in it.
    pub unique: bool,
    /// It takes no value that is not in `values`.
    pub restricted: bool,
    /// The values of a picklist.
    pub values: Vec<String>,
    /// The user that calls may see and set it.
    pub visible: bool,
}

impl FieldDef {
    /// A field that may be set and left out.
    pub fn new(name: &str, kind: &'static str, length: usize) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            length,
            createable: true,
            nillable: true,
            defaulted: false,
            external_id: false,
            unique: false,
            restricted: false,
            values: Vec::new(),
            visible: true,
        }
    }

    /// A text field that is unique and marked as an external id.
    pub fn external_id(name: &str) -> Self {
        Self { external_id: true, unique: true, ..Self::new(name, "string", 36) }
    }

    /// With these values for its picklist.
    #[must_use]
    pub fn of(mut self, values: &[&str], restricted: bool) -> Self {
        self.values = values.iter().map(|value| (*value).to_owned()).collect();
        self.restricted = restricted;
        self
    }

    fn required(name: &str, length: usize) -> Self {
        Self { nillable: false, ..Self::new(name, "string", length) }
    }

    fn boolean(name: &str) -> Self {
        Self { nillable: false, defaulted: true, ..Self::new(name, "boolean", 0) }
    }

    fn read_only(name: &str, kind: &'static str, length: usize) -> Self {
        Self { createable: false, nillable: false, defaulted: true, ..Self::new(name, kind, length) }
    }

    /// As `describe` tells it.
    fn described(&self) -> Value {
        let values = self.values.iter().map(|value| json!({"value": value, "label": value, "active": true}));
        json!({
            "name": self.name, "label": self.name, "type": self.kind, "length": self.length,
            "createable": self.createable, "nillable": self.nillable, "defaultedOnCreate": self.defaulted,
            "externalId": self.external_id, "unique": self.unique, "caseSensitive": false,
            "restrictedPicklist": self.restricted, "picklistValues": values.collect::<Vec<_>>()
        })
    }
}

/// What `describe` answers.
pub(super) fn describe(object: &str, fields: &[FieldDef]) -> Value {
    let fields: Vec<_> = fields.iter().filter(|field| field.visible).map(FieldDef::described).collect();
    json!({"name": object, "label": object, "createable": true, "queryable": true, "fields": fields})
}

/// The standard fields of a lead, with their documented lengths (Object Reference, "Lead").
pub(super) fn lead() -> Vec<FieldDef> {
    let text = |name, length| FieldDef::new(name, "string", length);
    let source = ["Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"];
    vec![
        FieldDef::read_only("Id", "id", 18),
        FieldDef::required("LastName", 80),
        text("FirstName", 40),
        FieldDef::required("Company", 255),
        FieldDef::new("Email", "email", 80),
        FieldDef::new("Phone", "phone", 40),
        FieldDef::new("MobilePhone", "phone", 40),
        FieldDef::new("Fax", "phone", 40),
        text("Title", 128),
        FieldDef::new("Street", "textarea", 255),
        text("City", 40),
        text("State", 80),
        text("PostalCode", 20),
        text("Country", 80),
        FieldDef::new("Website", "url", 255),
        FieldDef::new("Description", "textarea", 32_000),
        FieldDef::new("LeadSource", "picklist", 255).of(&source, false),
        FieldDef { nillable: false, defaulted: true, ..FieldDef::new("Status", "picklist", 255) }
            .of(&["Open - Not Contacted", "Working - Contacted"], false),
        FieldDef::new("Rating", "picklist", 255).of(&["Hot", "Warm", "Cold"], false),
        FieldDef::new("NumberOfEmployees", "int", 0),
        FieldDef::boolean("HasOptedOutOfEmail"),
        FieldDef::boolean("HasOptedOutOfFax"),
        FieldDef::boolean("DoNotCall"),
        FieldDef::read_only("CreatedDate", "datetime", 0),
    ]
}
