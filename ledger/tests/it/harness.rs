//! A ledger that runs on an embedded queue, and a client of its API.

use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Loader};
use leadrelay_shared::delivery::Parked;
use leadrelay_shared::event::Event;
use leadrelay_shared::queue::{Message, Queue, Topic, TopicStats, embedded};
use leadrelay_shared::service::{Ctx, RunError, Status, Stop};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::fixtures::start;
use crate::stand::Stand;

/// Longer than anything here takes; only a hang meets it.
const HANG: Duration = Duration::from_secs(30);

const CONFIG: &str = r#"
[ingest]
max_body = "16KiB"
[sources.addon]
tokens = ["0123456789abcdef"]
[destinations.crm]
connector = "file"
[destinations.partner]
connector = "file"
"#;

pub(crate) struct Ledger<S> {
    pub(crate) stand: Arc<S>,
    pub(crate) ctx: Ctx,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    running: JoinHandle<Result<(), RunError>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// The head in the case in which it came.
    pub(crate) whole: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn ok<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The detail of a problem of this status.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        self.json::<Value>()["detail"].as_str().expect("a detail").to_owned()
    }
}

impl<S: Stand> Ledger<S> {
    pub(crate) async fn start() -> Self {
        Self::with("", Clock::manual(start())).await
    }

    /// Started with `more` at the end of the configuration.
    pub(crate) async fn with(more: &str, clock: Clock) -> Self {
        Self::at(Arc::new(S::new()), more, clock).await
    }

    /// Started on this, which may know an earlier ledger's leads.
    pub(crate) async fn at(stand: Arc<S>, more: &str, clock: Clock) -> Self {
        let ctx = Self::ctx(&stand, more, clock);
        let mut running = tokio::spawn(leadrelay_ledger::run(ctx.clone()));
        let ready = async {
            ctx.status.ready(&["ledger"]).await;
            ctx.status.address("admin").await
        };
        let address = tokio::select! {
            address = ready => address,
            ended = &mut running => panic!("the ledger ended: {ended:?}"),
        };
        let token = std::fs::read_to_string(ctx.loaded.admin_token_file()).unwrap_or_default().trim().to_owned();
        Self { stand, ctx, address, token, running }
    }

    /// Why it does not start with `more` at the end of the configuration.
    pub(crate) async fn refused(more: &str, clock: Clock) -> String {
        let ctx = Self::ctx(&Arc::new(S::new()), more, clock);
        let ended = tokio::time::timeout(HANG, leadrelay_ledger::run(ctx)).await.expect("it does not start");
        ended.expect_err("it does not start").to_string()
    }

    fn ctx(stand: &Arc<S>, more: &str, clock: Clock) -> Ctx {
        let base_dir = stand.dir().to_owned();
        let listen = if more.contains("[admin]") { "" } else { "\n[admin]\nlisten = \"127.0.0.1:0\"\n" };
        let lines = format!("[ledger]\n{}", stand.lines());
        let more =
            if more.contains("[ledger]\n") { more.replace("[ledger]\n", &lines) } else { format!("{more}\n{lines}") };
        let text = format!("{CONFIG}{more}{listen}");
        let config = Loader::default().parse(&text, &base_dir, std::iter::empty()).expect("a configuration");
        let loaded = Loaded { config, file: base_dir.join("leadrelay.toml"), base_dir };
        let settings = embedded::Settings {
            dir: loaded.data_dir(),
            max_size: loaded.config.queue.max_size.0,
            min_free: loaded.config.queue.min_free.0,
        };
        let queue = Queue::embedded(settings, clock.clone()).expect("a queue");
        Ctx {
            loaded: Arc::new(loaded),
            clock,
            queue,
            accounts: Default::default(),
            stop: Stop::default(),
            status: Status::default(),
        }
    }

    /// Stops it in order, and the queue with it.
    pub(crate) async fn stop(self) -> Arc<S> {
        self.ctx.stop.drain();
        tokio::time::timeout(HANG, self.running).await.expect("it stops").expect("no panic").expect("no error");
        self.ctx.queue.close().await;
        self.stand
    }

    /// Stops it and starts it on the same files.
    pub(crate) async fn restart(self, more: &str) -> Self {
        let clock = self.ctx.clock.clone();
        let stand = self.stop().await;
        Self::at(stand, more, clock).await
    }

    /// Puts facts and parked messages on the queue.
    pub(crate) async fn publish(&self, events: &[Event], parked: &[Parked]) {
        let mut messages: Vec<Message> = events.iter().map(|e| Topic::events().told(&vec![e.clone()])).collect();
        for (n, one) in parked.iter().enumerate() {
            let name = format!("{n} {:?} {}", one.what, one.at);
            let id = leadrelay_shared::id::LeadId::derive(&[b"parked", name.as_bytes()]);
            messages.push(Topic::parked().message(id.uuid(), one));
        }
        self.ctx.queue.publish(messages).await.expect("published");
    }

    /// Puts facts and parked messages on the queue, and waits until they are recorded and settled.
    pub(crate) async fn tell(&self, events: &[Event], parked: &[Parked]) {
        self.publish(events, parked).await;
        self.recorded().await;
    }

    /// Waits until everything on the queue for the ledger is settled.
    pub(crate) async fn recorded(&self) {
        self.until("everything is recorded", async || {
            let topics = self.ctx.queue.stats().await.expect("stats");
            topics.iter().filter(|t| matches!(t.topic.as_str(), "events" | "parked")).all(|t| t.total() == 0)
        })
        .await;
    }

    /// Asks until the answer is yes.
    pub(crate) async fn until(&self, what: &str, asked: impl AsyncFn() -> bool) {
        let asking = async {
            while !asked().await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(HANG, asking).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// Claims and settles what is on a topic, at least one message.
    pub(crate) async fn take<T: DeserializeOwned>(&self, topic: &Topic<T>) -> Vec<T> {
        let mut claims = self.ctx.queue.claims(topic);
        let claimed = tokio::time::timeout(HANG, claims.next(1000)).await.expect("a message").expect("a queue");
        let (mut bodies, mut handles) = (Vec::new(), Vec::new());
        for claim in claimed {
            let (envelope, handle) = claim.into_parts();
            bodies.push(envelope.body);
            handles.push(handle);
        }
        leadrelay_shared::queue::settle_all(handles, Vec::new()).await.expect("settled");
        bodies
    }

    /// How many messages are on a topic.
    pub(crate) async fn depth(&self, topic: &str) -> u64 {
        let topics = self.ctx.queue.stats().await.expect("stats");
        topics.iter().find(|t| t.topic == topic).map_or(0, TopicStats::total)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &self.bearer(), "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &self.bearer(), &body.to_string()).await
    }

    /// Asks another ledger that has the same token.
    pub(crate) async fn post_at(&self, address: SocketAddr, path: &str, body: &Value) -> Answer {
        http(address, "POST", path, &format!("Host: ledger\r\n{}", self.bearer()), &body.to_string()).await
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// One request, as it goes over the wire.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        http(self.address, method, path, &format!("Host: ledger\r\n{headers}"), body).await
    }
}

/// One request to whatever listens there.
pub(crate) async fn http(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let length = body.len();
    let text =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    // A server that refuses a large body may close before it has read all of it.
    let _ = stream.write_all(text.as_bytes()).await;
    let mut bytes = Vec::new();
    let whole = async {
        // Some servers leave a connection open that they were asked to close.
        while !is_whole(&bytes) && stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {}
    };
    tokio::time::timeout(HANG, whole).await.expect("an answer");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    Answer { status, head: head.to_lowercase(), whole: head.to_owned(), body: body.to_owned() }
}

/// Whether an answer has as many bytes as it says.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).and_then(|n| n.trim().parse().ok());
    length.is_some_and(|length: usize| bytes.len() >= end + 4 + length)
}

/// Failure points are the whole process's: a test that arms one holds this.
pub(crate) static FAILURE_POINTS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The mode bits of a file.
#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("the file").permissions().mode() & 0o777
}
