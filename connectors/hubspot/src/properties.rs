//! The properties of contacts and leads, live (developers.hubspot.com, "Properties").

use std::collections::BTreeMap;

use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::fields::{Field, Fields};
use serde::Deserialize;

use crate::call::{Ask, Portal};
use crate::connector::unusable;
use crate::error::Reading;
use crate::record::OF_LEAD;

/// The bytes of a list that are kept: an account may have a thousand properties, each with its options.
const KEEP: usize = 8 * 1024 * 1024;

#[derive(Debug, Deserialize)]
struct Properties {
    results: Vec<Property>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    name: String,
    r#type: String,
    field_type: String,
    #[serde(default)]
    options: Vec<Choice>,
    #[serde(default)]
    calculated: bool,
    #[serde(default)]
    external_options: bool,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(default)]
    modification_metadata: Modification,
}

#[derive(Debug, Deserialize)]
struct Choice {
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Modification {
    read_only_value: bool,
}

/// Asks which properties contacts and leads have; changes nothing.
///
/// # Errors
/// The failure, classified; `Misconfigured` where ids have no property, or one whose values need not be unique.
pub(crate) async fn describe(portal: &Portal, id_property: &str) -> Result<Fields, DeliveryError> {
    let contacts = list(portal, id_property, "contacts").await?;
    let leads = list(portal, id_property, "leads").await?;
    if !leads.iter().any(|property| property.name == id_property && property.has_unique_value) {
        return Err(unusable(id_property));
    }
    let leads = leads.into_iter().map(|property| Property { name: format!("{OF_LEAD}{}", property.name), ..property });
    Ok(Fields(contacts.into_iter().chain(leads).map(|property| (property.name.clone(), field(property))).collect()))
}

async fn list(portal: &Portal, id_property: &str, object: &str) -> Result<Vec<Property>, DeliveryError> {
    let answer = portal.call(Ask::get(&["properties", object], &[]).keeping(KEEP)).await?;
    let reading = Reading { record: None, id_property, now: portal.clock.now() };
    Ok(reading.json::<Properties>(&answer)?.results)
}

fn field(property: Property) -> Field {
    // Options from elsewhere (owners, stages) are not told here, and several are told in one text.
    let is_closed = property.r#type == "enumeration" && !property.external_options && property.field_type != "checkbox";
    Field {
        required: property.name == "email",
        writable: !property.modification_metadata.read_only_value && !property.calculated,
        max_length: None,
        allowed: if is_closed { property.options.into_iter().map(|option| option.value).collect() } else { Vec::new() },
        kind: property.r#type,
    }
}

/// What every account has and a lead cannot do without.
pub(crate) fn documented() -> Fields {
    let email = Field { kind: "string".to_owned(), required: true, writable: true, ..Field::default() };
    Fields(BTreeMap::from([("email".to_owned(), email)]))
}
