//! An org with its two faces, login and API, and what leads to it.

use leadrelay_shared::clock::Clock;
use leadrelay_shared::delivery::Delivery;
use serde_json::{Value, json};

use super::{FieldDef, Org};
use crate::conformance::{Editable, FieldWorld, HttpWorld, TokenWorld, World};
use crate::{Server, samples};

/// The world of the Salesforce connector.
#[derive(Debug)]
pub struct Salesforce {
    /// What is in it.
    pub org: Org,
    /// Where tokens are given. Faults of the API do not hit it.
    pub login: Server,
    /// Where the API is.
    pub server: Server,
}

impl Salesforce {
    /// An org on this clock, whose leads have the fields of [`samples::delivery`] beside the usual ones.
    pub async fn on(clock: Clock) -> Self {
        let org = Org::new(clock);
        for (name, kind, length) in [("telephone", "phone", 40), ("seats", "double", 0), ("consent", "boolean", 0)] {
            org.add_field(FieldDef::new(name, kind, length));
        }
        let (login, server) = (Server::start(org.clone()).await, Server::start(org.clone()).await);
        org.at(server.url());
        Self { org, login, server }
    }

    /// Settings with a signed assertion in place of the secret.
    pub fn settings_with_key(&self) -> Value {
        json!({
            "login_url": self.login.url(), "client_id": Org::CLIENT_ID, "username": Org::USERNAME,
            "private_key": Org::app_key(), "audience": Org::AUDIENCE
        })
    }
}

impl World for Salesforce {
    async fn start() -> Self {
        Self::on(Clock::manual(samples::start())).await
    }

    fn settings(&self) -> Value {
        json!({"login_url": self.login.url(), "client_id": Org::CLIENT_ID, "client_secret": Org::CLIENT_SECRET})
    }

    fn records(&self, delivery: &Delivery) -> usize {
        self.org.with("LeadRelay_Id__c", &delivery.id.to_string()).len()
    }

    fn total(&self) -> usize {
        self.org.records().len()
    }

    fn secrets(&self) -> Vec<String> {
        vec![Org::CLIENT_SECRET.to_owned()]
    }
}

impl HttpWorld for Salesforce {
    fn server(&self) -> &Server {
        &self.server
    }
}

impl TokenWorld for Salesforce {
    fn login(&self) -> &Server {
        &self.login
    }

    fn logins(&self) -> u64 {
        self.org.calls().tokens
    }

    fn wrong_settings(&self) -> Value {
        let mut settings = self.settings();
        settings["client_secret"] = "wr0ng".into();
        settings
    }

    fn end_tokens(&self) {
        self.org.end_sessions();
    }

    fn revoke(&self) {
        self.org.revoke();
    }

    fn one_login_at_a_time(&self) {
        self.org.one_login_at_a_time();
    }
}

impl FieldWorld for Salesforce {
    fn remove_field(&self, name: &str) {
        self.org.remove_field(name);
    }
}

impl Editable for Salesforce {
    fn edit(&self, delivery: &Delivery) {
        self.org.edit(&delivery.id.to_string(), "Company", &json!("Edited by a person"));
    }

    fn is_as_edited(&self, delivery: &Delivery) -> bool {
        let found = self.org.with("LeadRelay_Id__c", &delivery.id.to_string());
        found.first().is_some_and(|record| record.values["Company"] == "Edited by a person")
    }
}
