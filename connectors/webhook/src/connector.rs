//! One attempt: the delivery as a signed POST, the answer by its status.

use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt, Record};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::Fields;
use leadrelay_shared::http::header::HeaderMap;
use leadrelay_shared::http::{Client, Method, Request, Url};
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::webhook::Signer;
use serde::Serialize;

use crate::error::parse_error;
use crate::settings::Settings;

/// Delivers to a webhook, by the rules of Standard Webhooks.
#[derive(Debug)]
pub struct WebhookConnector {
    url: Url,
    headers: HeaderMap,
    signer: Signer,
    http: Client,
    clock: Clock,
}

/// What is posted. The same bytes in every attempt: nothing in it depends on when it is sent.
#[derive(Serialize)]
struct Payload<'d> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: Lead<'d>,
}

#[derive(Serialize)]
struct Lead<'d> {
    id: DeliveryId,
    lead: LeadId,
    destination: &'d str,
    route: &'d str,
    record: &'d Record,
}

impl Connector for WebhookConnector {
    const NAME: &'static str = "webhook";

    type Settings = Settings;

    fn new(settings: Settings, context: Context) -> Result<Self, String> {
        Ok(Self {
            url: settings.url()?,
            headers: settings.headers()?,
            signer: Signer::new(&settings.secret)?,
            http: context.http,
            clock: context.clock,
        })
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let body = payload(delivery)?;
        let id = delivery.id.to_string();
        let timestamp = self.clock.now().as_second();
        let request = self.signer.signed(self.request(Method::POST), &id, timestamp, body);
        let request = request.map_err(|reason| DeliveryError::new(ErrorKind::Unexpected, reason))?;
        let answer = request.send().await?;
        match parse_error(&answer, self.clock.now()) {
            Some(error) => Err(error),
            None => Ok(Receipt { status: Some(answer.status), ..Receipt::default() }),
        }
    }

    /// Asks with OPTIONS, which changes nothing by definition: any answer proves name, address, port and certificate. A
    /// status says little, because receivers that only know POST refuse the question in many ways; a redirect would meet a
    /// lead as well, and a gateway that finds nobody behind it says so.
    async fn check(&self) -> Result<Fields, DeliveryError> {
        let answer = self.request(Method::OPTIONS).send().await?;
        match (answer.status, parse_error(&answer, self.clock.now())) {
            (300..=399 | 502..=504, Some(error)) => Err(error),
            _ => Ok(Fields::any()),
        }
    }
}

impl WebhookConnector {
    fn request(&self, method: Method) -> Request {
        let request = self.http.request(method, self.url.clone());
        self.headers.iter().fold(request, |request, (name, value)| request.header(name.clone(), value.clone()))
    }
}

fn payload(delivery: &Delivery) -> Result<Vec<u8>, DeliveryError> {
    let Delivery { id, lead, destination, route, record, accepted_at, .. } = delivery;
    let data = Lead { id: *id, lead: *lead, destination, route, record };
    // The error's own words could hold a value of the record.
    serde_json::to_vec(&Payload { r#type: "lead.routed", timestamp: *accepted_at, data })
        .map_err(|_| DeliveryError::new(ErrorKind::Rejected, "the record cannot be written as JSON"))
}
