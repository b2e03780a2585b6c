//! A connector that breaks one line of the contract on purpose, and a small world for it: records by key, over HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::Fields;
use leadrelay_shared::http::{Method, kind_of_status};
use leadrelay_testkit::conformance::{Editable, HttpWorld, World};
use leadrelay_testkit::{Server, Simulated};
use serde_json::{Map, Value, json};

/// Breaks the line of the contract that `SIN` names.
pub(crate) struct Careless<const SIN: u8 = 0> {
    context: Context,
    url: String,
    attempts: AtomicU64,
}

impl Careless {
    pub(crate) const NOTHING: u8 = 0;
    pub(crate) const NEW_KEYS: u8 = 1;
    pub(crate) const UPDATES: u8 = 2;
    pub(crate) const BLABS: u8 = 3;
    pub(crate) const HASTES: u8 = 4;
    pub(crate) const IS_SURE: u8 = 5;
    pub(crate) const BLAMES_THE_LEAD: u8 = 6;
    pub(crate) const CHECKS_BY_POSTING: u8 = 7;
}

impl<const SIN: u8> Careless<SIN> {
    async fn send(&self, method: Method, key: &str, body: Vec<u8>) -> Outcome {
        let url = format!("{}/{key}", self.url).parse().expect("a url");
        let answer = self.context.http.request(method, url).body(body).send().await.map_err(|mut error| {
            if SIN == Careless::IS_SURE {
                error.kind = ErrorKind::Unavailable;
            }
            error
        })?;
        let Some(mut kind) = kind_of_status(answer.status) else { return Ok(Receipt::default()) };
        if SIN == Careless::BLAMES_THE_LEAD {
            kind = ErrorKind::Rejected;
        }
        let message = match SIN {
            Careless::BLABS => String::from_utf8_lossy(&answer.body).into_owned(),
            _ => "no".to_owned(),
        };
        let at = answer.retry_at(self.context.clock.now()).filter(|_| SIN != Careless::HASTES);
        Err(DeliveryError::new(kind, message).status(answer.status).retry_at(at))
    }
}

impl<const SIN: u8> Connector for Careless<SIN> {
    const NAME: &'static str = "careless";
    type Settings = Map<String, Value>;

    fn new(settings: Self::Settings, context: Context) -> Result<Self, String> {
        let url = settings["url"].as_str().ok_or("no url")?.to_owned();
        Ok(Self { context, url, attempts: AtomicU64::new(0) })
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let key = match SIN {
            Careless::NEW_KEYS => format!("{}-{}", delivery.id, self.attempts.fetch_add(1, Ordering::SeqCst)),
            _ => delivery.id.to_string(),
        };
        let method = if SIN == Careless::UPDATES { Method::PUT } else { Method::POST };
        self.send(method, &key, serde_json::to_vec(&delivery.record).expect("JSON")).await
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        let method = if SIN == Careless::CHECKS_BY_POSTING { Method::POST } else { Method::GET };
        self.send(method, "check", Vec::new()).await.map(|_| Fields::any())
    }
}

#[derive(Clone, Default)]
struct Records(Arc<Mutex<HashMap<String, Bytes>>>);

impl Records {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Bytes>> {
        self.0.lock().expect("no panic")
    }
}

impl Simulated for Records {
    fn answer(&self, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let key = request.uri().path().trim_start_matches('/').to_owned();
        match *request.method() {
            http::Method::POST => drop(self.all().entry(key).or_insert_with(|| request.body().clone()).clone()),
            http::Method::PUT => drop(self.all().insert(key, request.body().clone())),
            _ => {}
        }
        http::Response::default()
    }
}

/// The world of a [`Careless`].
pub(crate) struct Small {
    records: Records,
    server: Server,
}

impl World for Small {
    async fn start() -> Self {
        let records = Records::default();
        Self { records: records.clone(), server: Server::start(records).await }
    }
    fn settings(&self) -> Value {
        json!({"url": self.server.url()})
    }
    fn records(&self, delivery: &Delivery) -> usize {
        let id = delivery.id.to_string();
        self.records.all().keys().filter(|key| key.starts_with(&id)).count()
    }
    fn total(&self) -> usize {
        self.records.all().len()
    }
}

impl HttpWorld for Small {
    fn server(&self) -> &Server {
        &self.server
    }
}

impl Editable for Small {
    fn edit(&self, delivery: &Delivery) {
        self.records.all().insert(delivery.id.to_string(), Bytes::from_static(b"edited"));
    }
    fn is_as_edited(&self, delivery: &Delivery) -> bool {
        self.records.all().get(&delivery.id.to_string()).is_some_and(|body| body == "edited")
    }
}
