//! The properties of contacts and of leads.

use serde_json::{Value, json};

/// One property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its internal name.
    pub name: String,
    /// `string`, `number`, `bool`, `enumeration` or `datetime`.
    pub kind: &'static str,
    /// It cannot be set.
    pub read_only: bool,
    /// No two records have the same value.
    pub unique: bool,
    /// Its options; none where any value will do.
    pub options: Vec<&'static str>,
}

impl Property {
    /// A property that may be set to anything of its kind.
    pub fn new(name: &str, kind: &'static str) -> Self {
        Self { name: name.to_owned(), kind, read_only: false, unique: false, options: Vec::new() }
    }

    /// With values that are unique.
    #[must_use]
    pub fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    /// With these options.
    #[must_use]
    pub fn of(self, options: &[&'static str]) -> Self {
        Self { options: options.to_vec(), ..self }
    }

    /// As the API tells of it.
    pub(super) fn told(&self) -> Value {
        let field_type = match self.kind {
            "enumeration" => "select",
            "bool" => "booleancheckbox",
            "number" => "number",
            "datetime" => "date",
            _ => "text",
        };
        let options: Vec<Value> = self.options.iter().map(|value| json!({"label": value, "value": value})).collect();
        json!({
            "name": self.name, "label": self.name, "type": self.kind, "fieldType": field_type, "options": options,
            "calculated": false, "externalOptions": false, "hasUniqueValue": self.unique,
            "modificationMetadata": {"archivable": true, "readOnlyDefinition": false, "readOnlyValue": self.read_only}
        })
    }

    /// What is wrong with `value`, by the code that HubSpot has for it.
    pub(super) fn objection(&self, value: &str) -> Option<&'static str> {
        let is_email = || value.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
        match self.kind {
            _ if self.read_only => Some("READ_ONLY_VALUE"),
            _ if self.name == "email" && !is_email() => Some("INVALID_EMAIL"),
            "number" if value.parse::<f64>().is_err() => Some("INVALID_INTEGER"),
            "bool" if !matches!(value, "true" | "false") => Some("INVALID_OPTION"),
            "enumeration" if !self.options.contains(&value) => Some("INVALID_OPTION"),
            _ => None,
        }
    }
}

/// What every account's contacts have.
pub(super) fn of_contacts() -> Vec<Property> {
    let texts =
        ["email", "firstname", "lastname", "phone", "company", "jobtitle", "country", "city", "website", "message"];
    let mut properties: Vec<Property> = texts.into_iter().map(|name| Property::new(name, "string")).collect();
    properties.push(Property::new("lifecyclestage", "enumeration").of(&["subscriber", "lead", "customer"]));
    properties.push(Property { read_only: true, ..Property::new("createdate", "datetime") });
    properties
}

/// What an account's leads have once somebody has added the property for ids.
pub(super) fn of_leads(id_property: &str) -> Vec<Property> {
    vec![
        Property::new("hs_lead_name", "string"),
        Property::new("hs_lead_type", "enumeration").of(&["NEW BUSINESS", "UPSELL", "RE-ATTEMPTING"]),
        Property::new("hs_lead_label", "enumeration").of(&["HOT", "WARM", "COLD"]),
        Property::new(id_property, "string").unique(),
    ]
}
