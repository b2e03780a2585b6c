//! What a receiver gets, beside the contract in `tests/conformance.rs`.

use std::path::PathBuf;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::{Connector, Context};
use leadrelay_shared::error::ErrorKind;
use leadrelay_shared::http;
use leadrelay_testkit::{Fault, How, Plan, Receiver, Server, samples};
use serde_json::{Value, json};

use crate::WebhookConnector;

const SECRET: &str = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";

struct World {
    receiver: Receiver,
    server: Server,
    clock: Clock,
}

impl World {
    async fn new() -> Self {
        let receiver = Receiver::new(SECRET);
        let server = Server::start(receiver.clone()).await;
        Self { receiver, server, clock: Clock::manual(samples::start()) }
    }

    fn make(&self, settings: Value) -> Result<WebhookConnector, String> {
        let client = http::Settings { timeout: Duration::from_secs(60), allow_private_addresses: true };
        let context = Context {
            destination: "partner".to_owned(),
            http: http::Client::new(client).expect("a client"),
            clock: self.clock.clone(),
            base_dir: PathBuf::from("."),
            accounts: Default::default(),
        };
        WebhookConnector::new(serde_json::from_value(settings).expect("settings"), context)
    }

    fn connector(&self) -> WebhookConnector {
        self.make(json!({"url": self.server.url(), "secret": SECRET})).expect("a connector")
    }
}

#[tokio::test]
async fn the_payload_is_an_event_with_the_record_in_it() {
    let world = World::new().await;
    let delivery = samples::delivery(1);
    let receipt = world.connector().deliver(&delivery).await.expect("delivered");
    assert_eq!((receipt.status, receipt.existed), (Some(200), false));
    let record = world.receiver.record(&delivery.id.to_string()).expect("a record under the delivery's id");
    let expected = json!({
        "type": "lead.routed",
        "timestamp": "2026-11-23T12:00:00.001Z",
        "data": {
            "id": delivery.id,
            "lead": delivery.lead,
            "destination": "crm",
            "route": "customers",
            "record": delivery.record
        }
    });
    assert_eq!(serde_json::from_slice::<Value>(&record.body).expect("JSON"), expected);
}

#[tokio::test]
async fn id_and_body_are_constant_over_attempts_and_the_timestamp_is_fresh() {
    let world = World::new().await;
    let connector = world.connector();
    let mut delivery = samples::delivery(1);
    world.server.plan(Plan::once(Fault::after(How::Status(503))));
    assert_eq!(connector.deliver(&delivery).await.expect_err("503").kind, ErrorKind::Unavailable);
    world.clock.advance(Duration::from_secs(90));
    delivery.attempt = 1;
    delivery.first_attempt_at = Some(samples::start());
    connector.deliver(&delivery).await.expect("delivered");
    let record = world.receiver.record(&delivery.id.to_string()).expect("a record");
    let start = samples::start().as_second();
    assert_eq!((record.copies, record.changed, record.timestamps), (2, false, (start, start + 90)));
    assert_eq!(world.receiver.unverified(), 0);
}

#[tokio::test]
async fn a_wrong_secret_is_unauthorized() {
    let world = World::new().await;
    let other = json!({"url": world.server.url(), "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="});
    let connector = world.make(other).expect("a connector");
    assert_eq!(connector.deliver(&samples::delivery(1)).await.expect_err("refused").kind, ErrorKind::Unauthorized);
    assert_eq!((world.receiver.ids(), world.receiver.unverified()), (0, 1));
}

#[tokio::test]
async fn a_503_names_its_time() {
    let world = World::new().await;
    world.server.plan(Plan::once(Fault::before(How::Wait(503, "600".to_owned()))));
    let error = world.connector().deliver(&samples::delivery(1)).await.expect_err("503");
    assert_eq!(error.retry_at, Some(samples::start() + Duration::from_secs(600)));
}

#[tokio::test]
async fn a_2xx_counts_although_its_body_breaks_off() {
    let world = World::new().await;
    world.server.plan(Plan::once(Fault::after(How::CutAnswer)));
    assert_eq!(world.connector().deliver(&samples::delivery(1)).await.expect("delivered").status, Some(200));
}

#[tokio::test]
async fn the_check_asks_and_posts_nothing() {
    let world = World::new().await;
    let connector = world.connector();
    // The receiver answers 405 to anything but POST, as many do.
    connector.check().await.expect("it is there");
    for (how, kind) in [
        (How::Redirect("https://example.com/".to_owned()), ErrorKind::Misconfigured),
        (How::Status(502), ErrorKind::Uncertain),
        (How::Status(503), ErrorKind::Unavailable),
    ] {
        world.server.plan(Plan::once(Fault::before(how)));
        assert_eq!(connector.check().await.expect_err("not there").kind, kind);
    }
    for status in [200, 204, 401, 404, 405, 500, 501] {
        world.server.plan(Plan::once(Fault::before(How::Status(status))));
        connector.check().await.expect("it is there");
    }
    assert_eq!((world.receiver.ids(), world.receiver.unverified()), (0, 0));
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_when_the_connector_is_made() {
    let world = World::new().await;
    for (settings, key) in [
        (json!({"url": "partner", "secret": SECRET}), "`url`"),
        (json!({"url": "https://partner.example.com", "secret": "t0ken"}), "`secret`"),
        (
            json!({"url": "https://partner.example.com", "secret": SECRET, "headers": {"host": "t0ken"}}),
            "`headers.host`",
        ),
    ] {
        let error = world.make(settings).expect_err(key);
        assert!(error.starts_with(key) && !error.contains("t0ken"), "{error}");
    }
}
