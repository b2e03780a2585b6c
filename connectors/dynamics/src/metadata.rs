//! The table as Dataverse describes it: its columns, their lengths, the options of choices, and its lookups
//! (learn.microsoft.com, "Query table definitions using the Web API").

use std::collections::{BTreeMap, HashSet};

use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::{Field, Fields};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::call::{Ask, Environment};
use crate::options::Options;

/// The bytes of a description that are kept: a table may have a thousand columns, and a choice as many options.
const KEEP: usize = 8 * 1024 * 1024;

/// The kinds of columns whose options are known by labels, with the members in which they are told.
const CHOICES: [&str; 4] = ["Picklist", "State", "Status", "MultiSelectPicklist"];

/// A table's description.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) entity_set: String,
    /// The privileges to create and to read its rows, by name.
    privileges: Vec<String>,
    pub(crate) fields: Fields,
    pub(crate) options: Options,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entity {
    entity_set_name: String,
    #[serde(default)]
    privileges: Vec<Privilege>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Privilege {
    privilege_type: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Many<T> {
    value: Vec<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Column {
    logical_name: String,
    attribute_type: String,
    required_level: Level,
    is_valid_for_create: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Level {
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Length {
    logical_name: String,
    max_length: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Relationship {
    referencing_attribute: String,
    referencing_entity_navigation_property_name: String,
}

/// Asks what the table is like; changes nothing.
///
/// # Errors
/// The failure, classified.
pub(crate) async fn describe(environment: &Environment, table: &str) -> Result<Description, DeliveryError> {
    let definition = format!("EntityDefinitions(LogicalName='{table}')");
    let reader = Reader { environment, definition: &definition };
    let entity: Entity = reader.read(&[], &[("$select", "EntitySetName,Privileges")]).await?;
    let select = "LogicalName,AttributeType,RequiredLevel,IsValidForCreate";
    let columns: Vec<Column> = reader.all(&["Attributes"], &[("$select", select)]).await?;
    let mut lengths = BTreeMap::new();
    for kind in ["String", "Memo"] {
        let found: Vec<Length> =
            reader.all(&["Attributes", &cast(kind)], &[("$select", "LogicalName,MaxLength")]).await?;
        lengths.extend(found.into_iter().filter_map(|length| Some((length.logical_name, length.max_length?))));
    }
    let options = reader.options().await?;
    let select = "ReferencingAttribute,ReferencingEntityNavigationPropertyName";
    let lookups: Vec<Relationship> = reader.all(&["ManyToOneRelationships"], &[("$select", select)]).await?;
    let wanted = |privilege: &Privilege| matches!(privilege.privilege_type.as_str(), "Create" | "Read");
    Ok(Description {
        entity_set: entity.entity_set_name,
        privileges: entity.privileges.into_iter().filter(wanted).map(|privilege| privilege.name).collect(),
        fields: fields(columns, &lengths, &options, &lookups),
        options,
    })
}

/// Asks for the options of the table's choices alone.
///
/// # Errors
/// The failure, classified.
pub(crate) async fn options(environment: &Environment, table: &str) -> Result<Options, DeliveryError> {
    let definition = format!("EntityDefinitions(LogicalName='{table}')");
    Reader { environment, definition: &definition }.options().await
}

/// Whether the application user may do what is needed (learn.microsoft.com, "RetrieveUserPrivileges Function").
///
/// # Errors
/// The failure, classified; a missing privilege is `Misconfigured`, and named.
pub(crate) async fn judge_privileges(
    environment: &Environment,
    description: &Description,
) -> Result<(), DeliveryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Me {
        user_id: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Mine {
        role_privileges: Vec<RolePrivilege>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct RolePrivilege {
        privilege_name: Option<String>,
    }
    let me: Me = environment.read(&Ask::get(&["WhoAmI"], &[])).await?;
    let user = format!("systemusers({})", me.user_id);
    let path = [user.as_str(), "Microsoft.Dynamics.CRM.RetrieveUserPrivileges"];
    let mine: Mine = environment.read(&Ask::get(&path, &[]).keeping(KEEP)).await?;
    let names: Vec<String> = mine.role_privileges.into_iter().filter_map(|mine| mine.privilege_name).collect();
    let mine: HashSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    // Older versions tell ids without names; then only the first lead will tell.
    let missing = description.privileges.iter().find(|name| !mine.is_empty() && !mine.contains(&name.to_lowercase()));
    missing.map_or(Ok(()), |name| {
        let message = format!("the application user lacks the privilege {name}; add it to its security role");
        Err(DeliveryError::new(ErrorKind::Misconfigured, message))
    })
}

struct Reader<'a> {
    environment: &'a Environment,
    definition: &'a str,
}

impl Reader<'_> {
    async fn read<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, DeliveryError> {
        let mut whole = vec![self.definition];
        whole.extend(path);
        self.environment.read(&Ask::get(&whole, query).keeping(KEEP)).await
    }

    /// Descriptions come in one page.
    async fn all<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<T>, DeliveryError> {
        Ok(self.read::<Many<T>>(path, query).await?.value)
    }

    async fn options(&self) -> Result<Options, DeliveryError> {
        let mut options = Options::at(self.environment.clock.now());
        let query = [("$select", "LogicalName"), ("$expand", "OptionSet,GlobalOptionSet")];
        for kind in CHOICES {
            options.add(self.all(&["Attributes", &cast(kind)], &query).await?, kind == "MultiSelectPicklist");
        }
        Ok(options)
    }
}

fn cast(kind: &str) -> String {
    format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata")
}

/// The fields as the mapping is held against them. A lookup is written under the name of its navigation property.
fn fields(
    columns: Vec<Column>,
    lengths: &BTreeMap<String, usize>,
    options: &Options,
    lookups: &[Relationship],
) -> Fields {
    let mut fields = BTreeMap::new();
    for column in columns {
        let field = Field {
            // The forms demand these and the API does not; a lead without them is one that nobody can open and save.
            required: column.is_valid_for_create && column.required_level.value == "ApplicationRequired",
            writable: column.is_valid_for_create,
            max_length: lengths.get(&column.logical_name).copied(),
            allowed: options.words(&column.logical_name),
            kind: column.attribute_type.to_lowercase(),
        };
        match field.kind.as_str() {
            "lookup" | "owner" | "customer" => {
                let of = lookups.iter().filter(|lookup| lookup.referencing_attribute == column.logical_name);
                let names = of.map(|lookup| &lookup.referencing_entity_navigation_property_name);
                // One that leads to several tables has a name for each, and is set by any of them.
                let several = names.clone().count() > 1;
                for name in names {
                    let field = Field { required: field.required && !several, ..field.clone() };
                    fields.insert(format!("{name}@odata.bind"), field);
                }
            }
            _ => {
                fields.insert(column.logical_name, field);
            }
        }
    }
    Fields(fields)
}

/// The lengths of a lead's columns (learn.microsoft.com, "Lead table/entity reference"). Only texts: they are what is cut.
pub(crate) fn documented() -> Fields {
    const LENGTHS: [(&str, usize); 24] = [
        ("subject", 300),
        ("lastname", 50),
        ("firstname", 50),
        ("middlename", 50),
        ("salutation", 100),
        ("companyname", 100),
        ("emailaddress1", 100),
        ("emailaddress2", 100),
        ("emailaddress3", 100),
        ("telephone1", 50),
        ("telephone2", 50),
        ("telephone3", 50),
        ("mobilephone", 20),
        ("fax", 50),
        ("jobtitle", 100),
        ("address1_line1", 250),
        ("address1_line2", 250),
        ("address1_line3", 250),
        ("address1_city", 80),
        ("address1_stateorprovince", 50),
        ("address1_postalcode", 20),
        ("address1_country", 80),
        ("description", 2000),
        ("websiteurl", 200),
    ];
    let field = |(name, length): (&str, usize)| {
        let required = matches!(name, "subject" | "lastname");
        let kind = if name == "description" { "memo" } else { "string" }.to_owned();
        (name.to_owned(), Field { kind, required, writable: true, max_length: Some(length), allowed: Vec::new() })
    };
    Fields(BTreeMap::from_iter(LENGTHS.into_iter().map(field)))
}

#[cfg(test)]
mod tests;
