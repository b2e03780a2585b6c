//! The account: its contacts and leads, their properties, and who may call it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::property::{self, Property};
use super::refusal::Refusal;

/// An account with contacts and leads; clones share it.
#[derive(Clone, Debug)]
pub struct Portal(Arc<Mutex<State>>);

/// What is in the account.
#[derive(Debug)]
pub(super) struct State {
    pub(super) contacts: Vec<HubSpotRecord>,
    pub(super) leads: Vec<HubSpotRecord>,
    pub(super) contact_properties: Vec<Property>,
    pub(super) lead_properties: Vec<Property>,
    pub(super) token: String,
    /// A scope that the app lacks.
    pub(super) missing_scope: Option<String>,
    /// The limit that the next calls meet, and how many of them.
    pub(super) limit: Option<(String, u32)>,
    pub(super) calls: HubSpotCalls,
    next_id: u64,
}

/// A contact or a lead.
#[derive(Clone, Debug, PartialEq)]
pub struct HubSpotRecord {
    /// Its id.
    pub id: String,
    /// Its properties.
    pub properties: Map<String, Value>,
    /// The contact that a lead belongs to.
    pub contact: Option<String>,
    /// Times it was changed through the API.
    pub updates: u32,
}

/// Calls that the account has answered, by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubSpotCalls {
    /// To write a contact or a lead.
    pub writes: u64,
    /// To read one.
    pub reads: u64,
    /// To read properties.
    pub properties: u64,
}

/// The objects that the account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Contact,
    Lead,
}

impl Default for Portal {
    fn default() -> Self {
        Self::new()
    }
}

impl Portal {
    /// The token of the private app.
    pub const TOKEN: &str = "pat-t0ken-5550100";
    /// The property of leads that ids are in.
    pub const ID_PROPERTY: &str = "leadrelay_id";

    /// An account with nothing in it.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            contacts: Vec::new(),
            leads: Vec::new(),
            contact_properties: property::of_contacts(),
            lead_properties: property::of_leads(Self::ID_PROPERTY),
            token: Self::TOKEN.to_owned(),
            missing_scope: None,
            limit: None,
            calls: HubSpotCalls::default(),
            next_id: 101,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its contacts.
    pub fn contacts(&self) -> Vec<HubSpotRecord> {
        self.state().contacts.clone()
    }

    /// Its leads.
    pub fn leads(&self) -> Vec<HubSpotRecord> {
        self.state().leads.clone()
    }

    /// Calls so far.
    pub fn calls(&self) -> HubSpotCalls {
        self.state().calls
    }

    /// Contacts get a property.
    pub fn add_contact_property(&self, property: Property) {
        self.state().contact_properties.push(property);
    }

    /// Contacts and leads lose a property.
    pub fn remove_property(&self, name: &str) {
        let mut state = self.state();
        state.contact_properties.retain(|property| property.name != name);
        state.lead_properties.retain(|property| property.name != name);
    }

    /// A person changes a property of a contact, or of a lead, wherever it has `value` in `by`.
    pub fn edit(&self, by: &str, value: &str, name: &str, edited: &str) {
        let mut state = self.state();
        let State { contacts, leads, .. } = &mut *state;
        let of =
            contacts.iter_mut().chain(leads).filter(|record| record.properties.get(by).is_some_and(|v| v == value));
        of.for_each(|record| drop(record.properties.insert(name.to_owned(), edited.into())));
    }

    /// The token counts no more.
    pub fn revoke(&self) {
        self.state().token = "rotated".to_owned();
    }

    /// The app loses a scope, and can write nothing.
    pub fn take_scope(&self, scope: &str) {
        self.state().missing_scope = Some(scope.to_owned());
    }

    /// The next `calls` meet this limit.
    pub fn throttle(&self, policy: &str, calls: u32) {
        self.state().limit = Some((policy.to_owned(), calls));
    }

    /// A contact is deleted.
    pub fn delete_contact(&self, id: &str) {
        self.state().contacts.retain(|contact| contact.id != id);
    }
}

impl State {
    pub(super) fn of(&mut self, object: Object) -> (&mut Vec<HubSpotRecord>, &[Property]) {
        match object {
            Object::Contact => (&mut self.contacts, &self.contact_properties),
            Object::Lead => (&mut self.leads, &self.lead_properties),
        }
    }

    /// A new record of what `properties` say.
    pub(super) fn create(
        &mut self,
        object: Object,
        properties: Map<String, Value>,
        contact: Option<String>,
    ) -> Result<HubSpotRecord, Refusal> {
        self.judge(object, &properties)?;
        let id = self.next_id.to_string();
        self.next_id += 1;
        let record = HubSpotRecord { id, properties, contact, updates: 0 };
        self.of(object).0.push(record.clone());
        Ok(record)
    }

    /// Whether a record may have these properties.
    pub(super) fn judge(&mut self, object: Object, properties: &Map<String, Value>) -> Result<(), Refusal> {
        let (records, known) = self.of(object);
        for (name, value) in properties {
            let value = value.as_str().ok_or_else(|| Refusal::new(400, "VALIDATION_ERROR", "Invalid input JSON"))?;
            let Some(property) = known.iter().find(|property| property.name == *name) else {
                return Err(Refusal::property("PROPERTY_DOESNT_EXIST", name, value));
            };
            if let Some(code) = property.objection(value) {
                return Err(Refusal::property(code, name, value));
            }
            if property.unique && records.iter().any(|record| record.properties.get(name).is_some_and(|v| v == value)) {
                return Err(Refusal::property("CONFLICTING_UNIQUE_VALUE", name, value));
            }
        }
        Ok(())
    }
}

impl HubSpotRecord {
    /// As the API tells of it.
    pub(super) fn told(&self, object: Object) -> Value {
        let kind = if object == Object::Contact { "0-1" } else { "0-136" };
        let url = format!("https://app.hubspot.com/contacts/5550100/record/{kind}/{}", self.id);
        json!({"id": self.id, "properties": self.properties, "archived": false, "url": url})
    }
}
