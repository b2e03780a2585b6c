//! An account and a connector to it.

use std::path::PathBuf;
use std::time::Duration;

use leadrelay_connector_hubspot::HubSpotConnector;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::{Connector, Context};
use leadrelay_shared::delivery::{Delivery, Receipt};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{HubSpot, Portal, samples};
use serde_json::{Value, json};

pub(crate) struct Rig {
    pub(crate) world: HubSpot,
    pub(crate) clock: Clock,
    pub(crate) connector: HubSpotConnector,
}

impl Rig {
    /// With these settings beside the usual ones.
    pub(crate) async fn with(more: &Value) -> Self {
        let world = HubSpot::start().await;
        let clock = Clock::manual(samples::start());
        let connector = connector(merged(world.settings(), more), &clock);
        Self { world, clock, connector }
    }

    /// With the usual settings.
    pub(crate) async fn new() -> Self {
        Self::with(&json!({})).await
    }

    pub(crate) fn portal(&self) -> &Portal {
        &self.world.portal
    }

    pub(crate) async fn delivers(&self, delivery: &Delivery) -> Receipt {
        self.connector.deliver(delivery).await.expect("it is delivered")
    }

    pub(crate) async fn fails_as(&self, kind: ErrorKind, delivery: &Delivery) -> DeliveryError {
        let error = self.connector.deliver(delivery).await.expect_err("it fails");
        assert_eq!(error.kind, kind, "{error:?}");
        let shown = format!("{error:?}");
        let texts = delivery.record.values().filter_map(Value::as_str).filter(|text| text.len() > 3);
        for text in texts.chain([Portal::TOKEN]) {
            assert!(!shown.contains(text), "`{text}` is shown by {shown}");
        }
        error
    }
}

fn merged(mut settings: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().expect("a table") {
        settings[key] = value.clone();
    }
    settings
}

fn connector(settings: Value, clock: &Clock) -> HubSpotConnector {
    let client = http::Settings { timeout: Duration::from_secs(60), allow_private_addresses: true };
    let context = Context {
        destination: "crm".to_owned(),
        http: http::Client::new(client).expect("a client"),
        clock: clock.clone(),
        base_dir: PathBuf::from("."),
        accounts: Default::default(),
    };
    HubSpotConnector::new(serde_json::from_value(settings).expect("settings"), context).expect("a connector")
}

/// The `n`th lead of one person, in HubSpot's own names, with these values beside the usual ones.
pub(crate) fn lead(n: u64, more: &Value) -> Delivery {
    let record = json!({
        "email": "ann.lee@example.com", "firstname": "Ann", "lastname": "Lee-5550", "company": format!("Contoso {n}"),
        "lead.hs_lead_name": format!("Sample Offer {n}")
    });
    samples::delivery_of(n, merged(record, more).as_object().cloned().expect("a record"))
}
