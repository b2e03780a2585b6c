//! The table's description (learn.microsoft.com, "Query table definitions using the Web API").

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::columns::Column;
use super::environment::State;
use super::refusal::Refusal;
use crate::answers::answer;

impl State {
    /// What is told of the table at this place below its definition.
    pub(super) fn describe(&mut self, path: &[&str]) -> Result<Response<Bytes>, Refusal> {
        self.calls.metadata += 1;
        let value = match path {
            [] => self.definition(),
            ["Attributes"] => many(self.columns.iter().map(plain)),
            ["Attributes", cast] => {
                let kind =
                    cast.strip_prefix("Microsoft.Dynamics.CRM.").and_then(|c| c.strip_suffix("AttributeMetadata"));
                let kind = kind.ok_or_else(|| Refusal::no_such_segment(cast))?;
                many(self.columns.iter().filter(|column| column.kind == kind).map(whole))
            }
            ["ManyToOneRelationships"] => many(self.columns.iter().flat_map(relationships)),
            [.., segment] => return Err(Refusal::no_such_segment(segment)),
        };
        Ok(answer(200, &value))
    }

    fn definition(&self) -> Value {
        let rights = ["Create", "Read", "Write", "Delete"];
        let privileges =
            rights.map(|right| json!({"PrivilegeType": right, "Name": format!("prv{right}{}", self.table)}));
        json!({
            "LogicalName": self.table, "EntitySetName": self.entity_set, "PrimaryIdAttribute": self.key(),
            "Privileges": privileges
        })
    }

    /// Who calls.
    pub(super) fn who_am_i(&mut self) -> Response<Bytes> {
        self.calls.metadata += 1;
        let id = Self::USER_ID;
        answer(200, &json!({"BusinessUnitId": id, "UserId": id, "OrganizationId": id}))
    }

    /// What whoever calls may do.
    pub(super) fn user_privileges(&mut self) -> Response<Bytes> {
        self.calls.metadata += 1;
        let held = self.privileges.iter().map(|name| json!({"Depth": "Global", "PrivilegeName": name}));
        answer(200, &json!({"RolePrivileges": held.collect::<Vec<_>>()}))
    }

    /// The application's user.
    pub(super) const USER_ID: &str = "9d3e6f10-5550-4c00-8000-0000c0470503";
}

fn many(values: impl Iterator<Item = Value>) -> Value {
    json!({"value": values.collect::<Vec<_>>()})
}

/// What every column has. Lengths and options are told of its own type alone.
fn plain(column: &Column) -> Value {
    // A choice that takes several is `Virtual` here, and says what it is in `AttributeTypeName`.
    let kind = if column.kind == "MultiSelectPicklist" { "Virtual" } else { column.kind };
    json!({
        "LogicalName": column.name, "AttributeType": kind, "IsValidForCreate": column.createable,
        "RequiredLevel": {"Value": column.level, "CanBeChanged": true, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"}
    })
}

fn whole(column: &Column) -> Value {
    let mut told = plain(column);
    if column.length > 0 {
        told["MaxLength"] = column.length.into();
    }
    if !column.options.is_empty() {
        let option = |(number, label): &(i64, String)| {
            let label = json!({"Label": label, "LanguageCode": 1033});
            json!({"Value": number, "Label": {"UserLocalizedLabel": label, "LocalizedLabels": [label]}})
        };
        let options: Vec<Value> = column.options.iter().map(option).collect();
        told["OptionSet"] = json!({"Options": options});
        told["GlobalOptionSet"] = Value::Null;
    }
    told
}

fn relationships(column: &Column) -> impl Iterator<Item = Value> {
    column.navigation.iter().map(|(navigation, set)| {
        json!({
            "ReferencingAttribute": column.name, "ReferencingEntityNavigationPropertyName": navigation,
            "ReferencedEntity": set.trim_end_matches('s')
        })
    })
}
