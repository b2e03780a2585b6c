//! An environment and a connector to it.

use std::path::PathBuf;
use std::time::Duration;

use leadrelay_connector_dynamics::DynamicsConnector;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::{Connector, Context};
use leadrelay_shared::delivery::{Delivery, Receipt};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Dataverse, DataverseRow, Environment, samples};
use serde_json::{Value, json};

pub(crate) struct Rig {
    pub(crate) world: Dataverse,
    pub(crate) clock: Clock,
    pub(crate) connector: DynamicsConnector,
}

impl Rig {
    /// With the usual settings.
    pub(crate) async fn new() -> Self {
        Self::with(&json!({})).await
    }

    /// With these settings beside the usual ones.
    pub(crate) async fn with(more: &Value) -> Self {
        let world = Dataverse::start().await;
        let settings = merged(world.settings(), more);
        Self::of(world, settings)
    }

    /// With these settings and no others.
    pub(crate) fn of(world: Dataverse, settings: Value) -> Self {
        let clock = world.environment.clock().clone();
        let connector = connector(settings, &clock);
        Self { world, clock, connector }
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.world.environment
    }

    pub(crate) async fn delivers(&self, delivery: &Delivery) -> Receipt {
        self.connector.deliver(delivery).await.expect("it is delivered")
    }

    pub(crate) async fn fails_as(&self, kind: ErrorKind, delivery: &Delivery) -> DeliveryError {
        let error = self.connector.deliver(delivery).await.expect_err("it fails");
        assert_eq!(error.kind, kind, "{error:?}");
        let shown = format!("{error:?}");
        let texts = delivery.record.values().filter_map(Value::as_str).filter(|text| text.len() > 3);
        for text in texts.chain([Environment::TOKEN, Environment::CLIENT_SECRET]) {
            assert!(!shown.contains(text), "`{text}` is shown by {shown}");
        }
        error
    }

    pub(crate) fn row(&self, delivery: &Delivery) -> DataverseRow {
        self.environment().row(&delivery.id.to_string()).expect("its row is there")
    }
}

pub(crate) fn merged(mut settings: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().expect("a table") {
        settings[key] = value.clone();
    }
    settings
}

pub(crate) fn connector(settings: Value, clock: &Clock) -> DynamicsConnector {
    let client = http::Settings { timeout: Duration::from_secs(60), allow_private_addresses: true };
    let context = Context {
        destination: "crm".to_owned(),
        http: http::Client::new(client).expect("a client"),
        clock: clock.clone(),
        base_dir: PathBuf::from("."),
        accounts: Default::default(),
    };
    DynamicsConnector::new(serde_json::from_value(settings).expect("settings"), context).expect("a connector")
}

/// The `n`th lead in Dataverse's own names, with these values beside the usual ones.
pub(crate) fn lead(n: u64, more: &Value) -> Delivery {
    let record = json!({
        "subject": format!("Offer {n}"), "lastname": format!("Lee-{n}"), "companyname": format!("Contoso {n}"),
        "emailaddress1": format!("lead-{n}@example.com")
    });
    samples::delivery_of(n, merged(record, more).as_object().cloned().expect("a record"))
}
