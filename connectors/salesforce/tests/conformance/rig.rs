//! An org and a connector to it.

use std::path::PathBuf;
use std::time::Duration;

use leadrelay_connector_salesforce::SalesforceConnector;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::Delivery;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Org, Salesforce, samples};
use serde_json::{Value, json};

pub(crate) struct Rig {
    pub(crate) world: Salesforce,
    pub(crate) clock: Clock,
    pub(crate) connector: SalesforceConnector,
}

impl Rig {
    /// With the usual settings.
    pub(crate) async fn new() -> Self {
        Self::with(&json!({})).await
    }

    /// With these settings beside the usual ones.
    pub(crate) async fn with(more: &Value) -> Self {
        let world = Salesforce::start().await;
        let settings = merged(world.settings(), more);
        Self::of(world, settings)
    }

    /// With these settings and no others.
    pub(crate) fn of(world: Salesforce, settings: Value) -> Self {
        let clock = world.org.clock().clone();
        let connector = connector(settings, &clock);
        Self { world, clock, connector }
    }

    pub(crate) fn org(&self) -> &Org {
        &self.world.org
    }

    pub(crate) async fn delivers(&self, delivery: &Delivery) -> leadrelay_shared::delivery::Receipt {
        self.connector.deliver(delivery).await.expect("it is delivered")
    }

    pub(crate) async fn fails_as(&self, kind: ErrorKind, delivery: &Delivery) -> DeliveryError {
        let error = self.connector.deliver(delivery).await.expect_err("it fails");
        assert_eq!(error.kind, kind, "{error:?}");
        discreet(&Err(error.clone()), delivery);
        error
    }
}

/// Fails if a failure shows a value of its delivery, or a token.
pub(crate) fn discreet(outcome: &Outcome, delivery: &Delivery) {
    let shown = format!("{outcome:?}");
    let texts = delivery.record.values().filter_map(Value::as_str).filter(|text| text.len() > 3);
    for text in texts.chain([Org::TOKEN, Org::CLIENT_SECRET]) {
        assert!(!shown.contains(text), "`{text}` is shown by {shown}");
    }
}

pub(crate) fn merged(mut settings: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().expect("a table") {
        settings[key] = value.clone();
    }
    settings
}

pub(crate) fn context(clock: &Clock) -> Context {
    let client = http::Settings { timeout: Duration::from_secs(60), allow_private_addresses: true };
    Context {
        destination: "sales".to_owned(),
        http: http::Client::new(client).expect("a client"),
        clock: clock.clone(),
        base_dir: PathBuf::from("."),
        accounts: Default::default(),
    }
}

pub(crate) fn connector(settings: Value, clock: &Clock) -> SalesforceConnector {
    SalesforceConnector::new(serde_json::from_value(settings).expect("settings"), context(clock)).expect("a connector")
}

/// The `n`th lead in Salesforce's own names, with these values beside the usual ones.
pub(crate) fn lead(n: u64, more: &Value) -> Delivery {
    let record = json!({"LastName": format!("Lee-{n}"), "Company": format!("Contoso {n}"), "Email": format!("lead-{n}@example.com")});
    samples::delivery_of(n, merged(record, more).as_object().cloned().expect("a record"))
}

pub(crate) fn leads(count: u64) -> Vec<Delivery> {
    (0..count).map(|n| lead(n, &json!({}))).collect()
}
