//! Preparing an org: the external-id field, and the permission to see and set it.
//!
//! A field that is made through the Tooling API is visible to nobody, not to its maker either, until a profile or a permission
//! set grants it (Tooling API, "CustomField"; Object Reference, "FieldPermissions"). So there is a permission set for it, and
//! the user has it. Every step may be made again: what is there is taken as it is.

use std::fmt;

use leadrelay_shared::connector::{Connector as _, Context};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::{ANSWER_CAP, Method};
use serde_json::{Value, json};

use crate::SalesforceConnector;
use crate::call::{Ask, Reply};
use crate::describe::{KeyField, describe, judge_key};
use crate::error::{Reading, Refusal, says};
use crate::lookup::rows;
use crate::record::id_in;
use crate::settings::Settings;

/// The name of the permission set.
const SET: &str = "LeadRelay";

/// What Salesforce says where something of this name is there already.
const IS_THERE: [&str; 3] = ["DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE", "FIELD_INTEGRITY_EXCEPTION"];

/// Prepares the org of a destination.
#[derive(Debug)]
pub struct Setup {
    connector: SalesforceConnector,
    object: String,
    key: String,
}

/// One thing that is changed in the org. Its `Display` says it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The field is made.
    Field {
        /// `Lead.LeadRelay_Id__c`.
        name: String,
    },
    /// The permission set is made, grants the field, and is given to the user that leadrelay calls as.
    Permission {
        /// `Lead.LeadRelay_Id__c`.
        field: String,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { name } => write!(f, "make the field {name}: text of 36 characters, unique, external id"),
            Self::Permission { field } => {
                write!(
                    f,
                    "make the permission set {SET}, which may read and edit {field}, and give it to leadrelay's user"
                )
            }
        }
    }
}

impl Setup {
    /// Prepares the org that `settings` lead to; without I/O.
    ///
    /// # Errors
    /// A text that names the key and the remedy, when the settings make no sense or name no external-id field.
    pub fn new(settings: Settings, context: Context) -> Result<Self, String> {
        let object = settings.object()?;
        let key = settings.key()?.filter(|key| key.ends_with("__c"));
        let key = key.ok_or("`external_id_field` names no custom field (one ends in __c), so there is none to make")?;
        Ok(Self { connector: SalesforceConnector::new(settings, context)?, object, key })
    }

    /// What would be changed; nothing where the org is ready. Asks, and changes nothing.
    ///
    /// # Errors
    /// The failure, classified; also where a field of this name is there and cannot serve.
    pub async fn plan(&self) -> Result<Vec<Step>, DeliveryError> {
        let described = describe(&self.connector.org, &self.object).await?;
        match described.key_field(&self.key) {
            KeyField::Sound => Ok(Vec::new()),
            KeyField::Missing => {
                Ok(vec![Step::Field { name: self.full_name() }, Step::Permission { field: self.full_name() }])
            }
            // Changing somebody's field is not ours to do.
            KeyField::NotUnique | KeyField::Unusable => judge_key(&described, &self.key).map(|()| Vec::new()),
        }
    }

    /// Makes one step.
    ///
    /// # Errors
    /// The failure, classified.
    pub async fn make(&self, step: &Step) -> Result<(), DeliveryError> {
        match step {
            Step::Field { .. } => self.make_field().await,
            Step::Permission { .. } => self.grant().await,
        }
    }

    fn full_name(&self) -> String {
        format!("{}.{}", self.object, self.key)
    }

    async fn make_field(&self) -> Result<(), DeliveryError> {
        let field = json!({
            "FullName": self.full_name(),
            "Metadata": {
                "type": "Text", "label": "LeadRelay Id", "length": 36, "unique": true, "caseSensitive": false,
                "externalId": true, "required": false,
                "description": "The id under which leadrelay delivers a lead. It keeps a lead from arriving twice."
            }
        });
        self.post(&["tooling", "sobjects", "CustomField"], &field, &IS_THERE).await.map(drop)
    }

    async fn grant(&self) -> Result<(), DeliveryError> {
        let label = json!({"Name": SET, "Label": "leadrelay", "Description": "Reads and edits the id that leadrelay delivers under."});
        let made = self.post(&["sobjects", "PermissionSet"], &label, &IS_THERE).await?;
        let set = match made.as_ref().and_then(|saved| saved.get("id")?.as_str()).and_then(id_in) {
            Some(id) => id,
            None => self.find_set().await?,
        };
        let field = json!({
            "ParentId": set, "SobjectType": self.object, "Field": self.full_name(),
            "PermissionsRead": true, "PermissionsEdit": true
        });
        self.post(&["sobjects", "FieldPermissions"], &field, &IS_THERE).await?;
        let assignment = json!({"AssigneeId": self.user().await?, "PermissionSetId": set});
        self.post(&["sobjects", "PermissionSetAssignment"], &assignment, &IS_THERE).await.map(drop)
    }

    async fn find_set(&self) -> Result<String, DeliveryError> {
        let soql = format!("SELECT Id FROM PermissionSet WHERE Name = '{SET}'");
        let (_, rows) = rows(&self.connector.org, &soql).await?;
        let id = rows.first().and_then(|row| row.get("Id")?.as_str()).and_then(id_in);
        id.ok_or_else(|| {
            DeliveryError::new(ErrorKind::Unexpected, format!("the permission set {SET} is there and cannot be found"))
        })
    }

    /// The user that leadrelay calls as.
    async fn user(&self) -> Result<String, DeliveryError> {
        let reply = self.connector.org.call(&Ask::get(&["limits"], ANSWER_CAP)).await?;
        reply.user.ok_or_else(|| DeliveryError::new(ErrorKind::Unexpected, "the login does not say who logs in"))
    }

    /// What was saved; none where it is there already.
    async fn post(&self, path: &[&str], body: &Value, is_there: &[&str]) -> Result<Option<Value>, DeliveryError> {
        let org = &self.connector.org;
        let body = body.to_string().into_bytes();
        let ask = Ask { method: Method::POST, path, soql: None, body, headers: &[], keep: ANSWER_CAP };
        let Reply { answer, .. } = org.call(&ask).await?;
        match (Reading { key: None, now: org.clock.now() }).parse_error(&answer) {
            None => Ok(serde_json::from_slice(answer.whole()?).ok()),
            Some(_) if says(&answer, is_there) => Ok(None),
            Some(Refusal::Failed(error)) => Err(error),
            Some(Refusal::Exists(_)) => Ok(None),
        }
    }
}
