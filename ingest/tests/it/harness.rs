//! A door on a port of its own, and what it has put on the queue.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Loader};
use leadrelay_shared::event::Event;
use leadrelay_shared::lead::Lead;
use leadrelay_shared::queue::embedded::Settings;
use leadrelay_shared::queue::{Queue, Topic};
use leadrelay_shared::service::{Ctx, RunError, Status, Stop};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// In every token and every lead of these tests, and in no line of the log.
pub(crate) const CANARY: &str = "CANARY";
pub(crate) const TOKEN: &str = "CANARY-token-0123456789";
pub(crate) const LEAD: &str = r#"{"UserDetails":{"FirstName":"CANARY","Email":"CANARY@example.com"},"LeadSource":"AzureMarketplace","ActionCode":"INS","OfferTitle":"Contoso Test"}"#;

/// One source that keeps what is not a lead and one that refuses it.
pub(crate) const SOURCES: &str = r#"
[sources.addon]
tokens = ["CANARY-token-0123456789"]
[sources.strict]
tokens = ["CANARY-token-0123456789"]
on_invalid = "refuse"
"#;

pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) queue: Queue,
    pub(crate) stop: Stop,
    pub(crate) ctx: Ctx,
    pub(crate) client: reqwest::Client,
    pub(crate) dir: Arc<TempDir>,
    running: JoinHandle<Result<(), RunError>>,
}

pub(crate) fn manual() -> Clock {
    Clock::manual("2026-01-01T12:00:00Z".parse().expect("a time"))
}

pub(crate) fn loaded(dir: &Path, text: &str) -> Loaded {
    let workers = if text.contains("workers = ") { "" } else { "workers = 1\n" };
    let text = format!("[ingest]\nlisten = \"127.0.0.1:0\"\n{workers}{text}");
    let config = Loader::default().parse(&text, dir, std::iter::empty()).expect("a configuration");
    Loaded { config, file: dir.join("leadrelay.toml"), base_dir: dir.to_owned() }
}

impl Door {
    /// With the two sources and no more settings.
    pub(crate) async fn open() -> Self {
        Self::with(SOURCES).await
    }

    /// With this after `[ingest]`'s address, on a clock that stands.
    pub(crate) async fn with(text: &str) -> Self {
        Self::on(Arc::new(TempDir::new().expect("a directory")), manual(), text).await
    }

    pub(crate) async fn on(dir: Arc<TempDir>, clock: Clock, text: &str) -> Self {
        Self::sized(dir, clock, text, 1 << 30).await
    }

    pub(crate) async fn sized(dir: Arc<TempDir>, clock: Clock, text: &str, max_size: u64) -> Self {
        let settings = Settings { dir: dir.path().join("queue"), max_size, min_free: 0 };
        let queue = Queue::embedded(settings, clock.clone()).expect("a queue");
        let loaded = loaded(dir.path(), text);
        Self::start(dir, clock, loaded, queue).await.expect("it listens")
    }

    /// Starts the service on a queue, and waits until it listens or ends.
    pub(crate) async fn start(dir: Arc<TempDir>, clock: Clock, loaded: Loaded, queue: Queue) -> Result<Self, RunError> {
        log();
        let ctx = Ctx {
            loaded: Arc::new(loaded),
            clock: clock.clone(),
            queue: queue.clone(),
            accounts: Default::default(),
            stop: Stop::default(),
            status: Status::default(),
        };
        let mut running = tokio::spawn(leadrelay_ingest::run(ctx.clone()));
        let address = tokio::select! {
            address = ctx.status.address(leadrelay_ingest::PART) => address,
            ended = &mut running => return Err(ended.expect("no panic").expect_err("it ended by itself")),
        };
        ctx.status.ready(&[leadrelay_ingest::PART]).await;
        Ok(Self { address, clock, queue, stop: ctx.stop.clone(), ctx, client: client(None), dir, running })
    }

    pub(crate) fn url(&self, source: &str, token: &str) -> String {
        format!("http://{}/v1/leads/{source}/{token}", self.address)
    }

    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> Answer {
        self.post_to("addon", body).await
    }

    pub(crate) async fn post_to(&self, source: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.client.post(self.url(source, TOKEN)).body(body).send().await.expect("an answer")).await
    }

    /// Writes bytes and reads until the door closes the connection.
    pub(crate) async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        // The door may refuse and close before it has read all of it.
        let _ = stream.write_all(request.as_ref()).await;
        rest(&mut stream).await
    }

    /// A request's head as it goes over the wire.
    pub(crate) fn head(&self, more: &str) -> String {
        format!("POST /v1/leads/addon/{TOKEN} HTTP/1.1\r\nHost: leads.example.com\r\n{more}\r\n")
    }

    /// Stops, and gives what waits on the queue: all of it, and nothing is left.
    pub(crate) async fn finish(self) -> (Vec<Lead>, Vec<Event>) {
        self.stop.drain();
        self.running.await.expect("no panic").expect("a clean end");
        let found = (take(&self.queue, &Topic::leads()).await, take(&self.queue, &Topic::events()).await.concat());
        self.queue.close().await;
        found
    }

    /// Stops, and leaves on the queue what is there.
    pub(crate) async fn closed(self) {
        self.stop.drain();
        self.ended().await.close().await;
    }

    /// Waits for the service to end by itself.
    pub(crate) async fn ended(self) -> Queue {
        self.running.await.expect("no panic").expect("a clean end");
        self.queue
    }
}

async fn take<T: serde::de::DeserializeOwned>(queue: &Queue, topic: &Topic<T>) -> Vec<T> {
    let mut claims = queue.claims(topic);
    let mut found = Vec::new();
    while waiting(queue, topic.name()).await > 0 {
        for claim in claims.next(100).await.expect("an open queue") {
            let (envelope, handle) = claim.into_parts();
            found.push(envelope.body);
            leadrelay_shared::queue::settle_all(vec![handle], Vec::new()).await.expect("a settled claim");
        }
    }
    found
}

/// Messages on a topic.
pub(crate) async fn waiting(queue: &Queue, topic: &str) -> u64 {
    let stats = queue.stats().await.expect("stats");
    stats.iter().filter(|t| t.topic == topic).map(leadrelay_shared::queue::TopicStats::total).sum()
}

/// Reads until the other side closes, or resets.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a text") }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The lead's id, where it was answered 202 with `status`.
    #[track_caller]
    pub(crate) fn id(&self, status: &str) -> String {
        assert_eq!(self.status, StatusCode::ACCEPTED, "{self:?}");
        assert_eq!(self.json()["status"], status, "{self:?}");
        self.json()["id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(
            problem["title"].is_string() && problem["detail"].is_string() && problem["type"].is_string(),
            "{problem}"
        );
        problem
    }
}

/// A client that trusts `root` alone, and takes `leads.example.com` to be at its address.
#[expect(clippy::disallowed_methods, reason = "the sender's side of the test, and not a destination")]
pub(crate) fn client(root: Option<(&str, SocketAddr)>) -> reqwest::Client {
    // Only the first call in a process has an effect.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
    if let Some((pem, address)) = root {
        let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        builder = builder.tls_certs_only([root]).resolve("leads.example.com", address);
    }
    builder.build().expect("a client")
}

/// Log lines that hold the canary, and how many lines there were.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<(usize, Vec<String>)>>);

impl Log {
    pub(crate) fn lines(&self) -> usize {
        self.0.lock().expect("the log").0
    }
    pub(crate) fn leaks(&self) -> Vec<String> {
        self.0.lock().expect("the log").1.clone()
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut log = self.0.lock().expect("the log");
        log.0 += 1;
        if text.contains(CANARY) {
            log.1.push(text.into_owned());
        }
        Ok(line.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log of this process, at every level.
pub(crate) fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
        subscriber.try_init().expect("the first subscriber");
        log
    })
}
