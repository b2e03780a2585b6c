//! The contract, for a webhook.

use leadrelay_connector_webhook::WebhookConnector;
use leadrelay_shared::delivery::Delivery;
use leadrelay_testkit::conformance::{HttpTarget, Target};
use leadrelay_testkit::{Receiver, Server};

const SECRET: &str = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";

struct Partner(Receiver, Server);

impl Target for Partner {
    type Connector = WebhookConnector;

    async fn start() -> Self {
        let receiver = Receiver::new(SECRET);
        Self(receiver.clone(), Server::start(receiver).await)
    }
    fn settings(&self) -> serde_json::Value {
        let url = format!("{}/leads/url-t0ken?sig=url-t0ken", self.1.url());
        serde_json::json!({"url": url, "secret": SECRET, "headers": {"x-api-key": "key-t0ken"}})
    }
    fn records(&self, delivery: &Delivery) -> usize {
        self.0.record(&delivery.id.to_string()).is_some().into()
    }
    fn secrets(&self) -> Vec<String> {
        [SECRET, "url-t0ken", "key-t0ken"].map(str::to_owned).into()
    }
}

impl HttpTarget for Partner {
    fn server(&self) -> &Server {
        &self.1
    }
}

leadrelay_testkit::conformance!(Partner, http);
