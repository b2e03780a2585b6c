//! An environment with its two faces, login and API, and what leads to it.

use leadrelay_shared::clock::Clock;
use leadrelay_shared::delivery::Delivery;
use serde_json::{Value, json};

use super::{Column, Environment};
use crate::conformance::{Editable, FieldWorld, HttpWorld, TokenWorld, World};
use crate::{Server, samples};

/// The world of the Dynamics 365 connector.
#[derive(Debug)]
pub struct Dataverse {
    /// What is in it.
    pub environment: Environment,
    /// Where tokens are given. Faults of the API do not hit it.
    pub login: Server,
    /// Where the API is.
    pub server: Server,
}

impl Dataverse {
    /// An environment on this clock, whose leads have the fields of [`samples::delivery`] beside the usual ones.
    pub async fn on(clock: Clock) -> Self {
        let environment = Environment::new(clock);
        for (name, kind, length) in [
            ("email", "String", 100),
            ("telephone", "String", 50),
            ("company", "String", 100),
            ("seats", "Integer", 0),
            ("consent", "Boolean", 0),
        ] {
            environment.add_column(Column::new(name, kind, length));
        }
        let (login, server) = (Server::start(environment.clone()).await, Server::start(environment.clone()).await);
        environment.at(server.url());
        Self { environment, login, server }
    }

    /// Settings with a certificate in place of the secret.
    pub fn settings_with_certificate(&self) -> Value {
        let mut settings = self.settings();
        if let Some(settings) = settings.as_object_mut() {
            settings.remove("client_secret");
        }
        settings["certificate"] = Environment::certificate().into();
        settings["private_key"] = Environment::app_key().into();
        settings
    }
}

impl World for Dataverse {
    async fn start() -> Self {
        Self::on(Clock::manual(samples::start())).await
    }

    fn settings(&self) -> Value {
        json!({
            "url": self.server.url(), "login_url": self.login.url(), "tenant_id": Environment::TENANT_ID,
            "client_id": Environment::CLIENT_ID, "client_secret": Environment::CLIENT_SECRET
        })
    }

    fn records(&self, delivery: &Delivery) -> usize {
        self.environment.row(&delivery.id.to_string()).is_some().into()
    }

    fn total(&self) -> usize {
        self.environment.rows().len()
    }

    fn secrets(&self) -> Vec<String> {
        vec![Environment::CLIENT_SECRET.to_owned()]
    }
}

impl HttpWorld for Dataverse {
    fn server(&self) -> &Server {
        &self.server
    }
}

impl TokenWorld for Dataverse {
    fn login(&self) -> &Server {
        &self.login
    }

    fn logins(&self) -> u64 {
        self.environment.calls().tokens
    }

    fn wrong_settings(&self) -> Value {
        let mut settings = self.settings();
        settings["client_secret"] = "wr0ng".into();
        settings
    }

    fn end_tokens(&self) {
        self.environment.end_tokens();
    }

    fn revoke(&self) {
        self.environment.revoke();
    }

    fn one_login_at_a_time(&self) {
        self.environment.one_login_at_a_time();
    }
}

impl FieldWorld for Dataverse {
    fn remove_field(&self, name: &str) {
        self.environment.remove_column(name);
    }
}

impl Editable for Dataverse {
    fn edit(&self, delivery: &Delivery) {
        self.environment.edit(&delivery.id.to_string(), "lastname", &json!("Edited by a person"));
    }

    fn is_as_edited(&self, delivery: &Delivery) -> bool {
        let row = self.environment.row(&delivery.id.to_string());
        row.is_some_and(|row| row.values["lastname"] == "Edited by a person")
    }
}
