//! A connector that breaks one line of the contract on purpose, and a small world for it: records by key, over HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::{Field, Fields};
use leadrelay_shared::http::{Method, kind_of_status};
use leadrelay_testkit::conformance::{Editable, FieldWorld, HttpWorld, World};
use leadrelay_testkit::{Server, Simulated, samples};
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
    pub(crate) const NAMES_NO_FIELD: u8 = 8;
    pub(crate) const TELLS_NO_FIELDS: u8 = 9;
}

impl<const SIN: u8> Careless<SIN> {
    async fn send(&self, method: Method, key: &str, body: Vec<u8>) -> Result<String, DeliveryError> {
        let url = format!("{}/{key}", self.url).parse().expect("a url");
        let answer = self.context.http.request(method, url).body(body).send().await.map_err(|mut error| {
            if SIN == Careless::IS_SURE {
                error.kind = ErrorKind::Unavailable;
            }
            error
        })?;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        let Some(mut kind) = kind_of_status(answer.status) else {
            return Ok(said);
        };
        if SIN == Careless::BLAMES_THE_LEAD {
            kind = ErrorKind::Rejected;
        }
        let message = match SIN {
            Careless::BLABS => said.clone(),
            _ => "no".to_owned(),
        };
        let at = answer.retry_at(self.context.clock.now()).filter(|_| SIN != Careless::HASTES);
        let error = DeliveryError::new(kind, message).status(answer.status).retry_at(at);
        match said.strip_prefix(NO_FIELD) {
            Some(field) if SIN != Careless::NAMES_NO_FIELD => Err(error.field(field)),
            _ => Err(error),
        }
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
        self.send(method, &key, serde_json::to_vec(&delivery.record).expect("JSON")).await.map(|_| Receipt::default())
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        let method = if SIN == Careless::CHECKS_BY_POSTING { Method::POST } else { Method::GET };
        let told = self.send(method, "check", Vec::new()).await?;
        let names = told.split(' ').filter(|name| !name.is_empty() && SIN != Careless::TELLS_NO_FIELDS);
        let field = Field { writable: true, ..Field::default() };
        Ok(Fields(names.map(|name| (name.to_owned(), field.clone())).collect()))
    }
}

/// What a refusal begins with that is about a field.
const NO_FIELD: &str = "no such field: ";

#[derive(Clone, Default)]
struct Records {
    records: Arc<Mutex<HashMap<String, Bytes>>>,
    /// A field that is there no more.
    removed: Arc<Mutex<Option<String>>>,
}

impl Records {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Bytes>> {
        self.records.lock().expect("no panic")
    }

    fn removed(&self) -> Option<String> {
        self.removed.lock().expect("no panic").clone()
    }

    /// The fields of the sample deliveries, but for the one that was removed.
    fn fields(&self) -> String {
        let removed = self.removed();
        let fields = samples::delivery(1).record;
        fields.keys().filter(|name| Some(*name) != removed.as_ref()).cloned().collect::<Vec<_>>().join(" ")
    }

    /// Whether a new record with this body would have a field that is there no more.
    fn refuses(&self, key: &str, body: &Bytes) -> Option<String> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        self.removed().filter(|field| body.get(field).is_some() && !self.all().contains_key(key))
    }
}

impl Simulated for Records {
    fn answer(&self, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let key = request.uri().path().trim_start_matches('/').to_owned();
        if let Some(field) = self.refuses(&key, request.body()) {
            let mut answer = http::Response::new(format!("{NO_FIELD}{field}").into());
            *answer.status_mut() = http::StatusCode::UNPROCESSABLE_ENTITY;
            return answer;
        }
        match *request.method() {
            http::Method::GET => return http::Response::new(self.fields().into()),
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

impl FieldWorld for Small {
    fn remove_field(&self, name: &str) {
        *self.records.removed.lock().expect("no panic") = Some(name.to_owned());
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
