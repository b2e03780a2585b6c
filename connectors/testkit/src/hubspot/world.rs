//! An account with its face, and what leads to it.

use leadrelay_shared::delivery::Delivery;
use serde_json::{Value, json};

use super::{Portal, Property};
use crate::Server;
use crate::conformance::{Editable, FieldWorld, HttpWorld, World};

/// The world of the HubSpot connector.
#[derive(Debug)]
pub struct HubSpot {
    /// What is in it.
    pub portal: Portal,
    /// Where the API is.
    pub server: Server,
}

impl HubSpot {
    /// An account whose contacts have the fields of [`samples::delivery`](crate::samples::delivery) beside the usual ones.
    pub async fn new() -> Self {
        let portal = Portal::new();
        for (name, kind) in
            [("telephone", "string"), ("description", "string"), ("seats", "number"), ("consent", "bool")]
        {
            portal.add_contact_property(Property::new(name, kind));
        }
        Self { server: Server::start(portal.clone()).await, portal }
    }
}

impl World for HubSpot {
    async fn start() -> Self {
        Self::new().await
    }

    fn settings(&self) -> Value {
        json!({"url": self.server.url(), "token": Portal::TOKEN})
    }

    fn records(&self, delivery: &Delivery) -> usize {
        let id = delivery.id.to_string();
        self.portal.leads().iter().filter(|lead| lead.properties[Portal::ID_PROPERTY] == id.as_str()).count()
    }

    fn total(&self) -> usize {
        self.portal.leads().len()
    }

    fn secrets(&self) -> Vec<String> {
        vec![Portal::TOKEN.to_owned()]
    }
}

impl HttpWorld for HubSpot {
    fn server(&self) -> &Server {
        &self.server
    }

    /// The contact comes first.
    fn calls_before_the_record(&self) -> usize {
        1
    }
}

impl FieldWorld for HubSpot {
    fn remove_field(&self, name: &str) {
        self.portal.remove_property(name);
    }
}

impl Editable for HubSpot {
    fn edit(&self, delivery: &Delivery) {
        self.portal.edit(Portal::ID_PROPERTY, &delivery.id.to_string(), "hs_lead_label", "HOT");
        let email = delivery.record["email"].as_str().unwrap_or_default();
        self.portal.edit("email", email, "company", "Edited by a person");
    }

    fn is_as_edited(&self, delivery: &Delivery) -> bool {
        let id = delivery.id.to_string();
        let is_it = |name: &str, value: &str, edited: (&str, &str)| {
            let records = self.portal.contacts().into_iter().chain(self.portal.leads());
            let mut of = records.filter(|record| record.properties.get(name).is_some_and(|v| v == value));
            of.any(|record| record.properties.get(edited.0).is_some_and(|v| v == edited.1))
        };
        is_it(Portal::ID_PROPERTY, &id, ("hs_lead_label", "HOT"))
            && is_it("email", delivery.record["email"].as_str().unwrap_or_default(), ("company", "Edited by a person"))
    }
}
