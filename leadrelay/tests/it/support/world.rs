//! A relay in this process, the receivers it delivers to, and the rule that a test may not end with a message in a queue.

use std::ops::AsyncFnOnce;
use std::path::Path;
use std::time::Duration;

use leadrelay::relay::Relay;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Loader};
use leadrelay_shared::id::DeliveryId;
use leadrelay_shared::queue::{Queue, embedded};
use serde_json::Value;
use tempfile::TempDir;

use super::partner::Partner;

pub(crate) const TOKEN: &str = "test-token-0123456789abcdef";
pub(crate) const ADMIN: &str = "admin-token-0123456789abcdef";
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// How long anything may take before a test fails: far more than it needs on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a test looks at.
pub(crate) struct World {
    pub(crate) relay: Relay,
    pub(crate) receiver: Partner,
    pub(crate) clock: Clock,
    pub(crate) dir: TempDir,
    http: reqwest::Client,
}

/// Runs a test in a world with one source `addon`, the webhook destination `partner` and what `more` adds to the
/// configuration; then drains, and fails if anything is left in a queue.
pub(crate) async fn run(more: &str, test: impl AsyncFnOnce(&mut World)) {
    run_with(Clock::real(), more, test).await;
}

/// The same, at a time that the test moves.
pub(crate) async fn run_with(clock: Clock, more: &str, test: impl AsyncFnOnce(&mut World)) {
    let receiver = Partner::start(SECRET).await;
    let dir = directory(&receiver.url(), more);
    let relay = start(dir.path(), clock.clone()).await;
    let mut world = World { relay, receiver, clock, dir, http: client() };
    test(&mut world).await;
    world.is_empty().await;
    world.relay.drain().await.expect("it drains");
}

/// A directory with a configuration in it: source `addon`, destination `partner` at `url`, and `more`.
pub(crate) fn directory(url: &str, more: &str) -> TempDir {
    directory_with(url, TOKEN, ADMIN, SECRET, more)
}

/// The same, with these secrets.
pub(crate) fn directory_with(url: &str, token: &str, admin: &str, secret: &str, more: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let config = format!(
        r#"
data_dir = "data"
[ingest]
listen = "127.0.0.1:0"
rate_limit = 1000000
[admin]
listen = "127.0.0.1:0"
token = "{admin}"
[sources.addon]
tokens = ["{token}"]
[destinations.partner]
connector = "webhook"
url = "{url}"
secret = "{secret}"
allow_private_addresses = true
[destinations.partner.retry]
first_delay = "50ms"
max_delay = "200ms"
{more}"#
    );
    std::fs::write(dir.path().join("leadrelay.toml"), config).expect("written");
    dir
}

/// A route that sends everything to `partner`.
pub(crate) const ALL_TO_PARTNER: &str = "[[routes]]\nname = \"all\"\nto = \"partner\"\n";

async fn start(dir: &Path, clock: Clock) -> Relay {
    let relay = Relay::start(load(dir), clock).await.expect("a relay");
    relay.ready().await.expect("every service works");
    relay
}

pub(crate) fn load(dir: &Path) -> Loaded {
    Loader { connectors: leadrelay::connectors::infos(), all_connectors: true }
        .load(&dir.join("leadrelay.toml"))
        .unwrap_or_else(|e| panic!("{e}"))
}

/// The tests' own HTTP client, for loopback.
#[expect(clippy::disallowed_methods, reason = "the tests' own client, for loopback")]
pub(crate) fn client() -> reqwest::Client {
    // Fails when the process has chosen a provider already, and that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

/// Sends a request; the status, and the answer where it is JSON.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.expect("a body")).unwrap_or_default())
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let done = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            turn().await;
        }
    });
    done.await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

/// Fails when the queue of a relay that has ended holds anything.
pub(crate) async fn assert_drained(dir: &Path) {
    let settings = embedded::Settings { dir: dir.join("data/queue"), max_size: u64::MAX, min_free: 0 };
    let queue = Queue::embedded(settings, Clock::real()).expect("the queue opens");
    let topics = queue.stats().await.expect("stats");
    let left: Vec<_> = topics.into_iter().filter(|t| t.total() > 0).collect();
    queue.close().await;
    assert!(left.is_empty(), "left in the queue: {left:?}");
}

impl World {
    /// Posts a body as source `addon`, and gives the status and the answer.
    pub(crate) async fn post(&self, body: impl Into<String>) -> (u16, Value) {
        let address = self.relay.ctx.status.address("ingest").await;
        let url = format!("http://{address}/v1/leads/addon/{TOKEN}");
        send(self.http.post(url).body(body.into())).await
    }

    /// Posts a lead that must be accepted, and gives its id.
    pub(crate) async fn accepted(&self, body: impl Into<String>) -> String {
        let (status, answer) = self.post(body).await;
        assert_eq!(status, 202, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Asks the admin API.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let address = self.relay.ctx.status.address("admin").await;
        let method = method.parse().expect("a method");
        let request = self.http.request(method, format!("http://{address}{path}")).bearer_auth(ADMIN);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        send(request).await
    }

    /// A page as text, without a token.
    pub(crate) async fn text(&self, url: &str) -> String {
        self.http.get(url).send().await.expect("an answer").text().await.expect("text")
    }

    /// Waits until the lead is in this state, and gives it with its story.
    pub(crate) async fn until(&self, id: &str, state: &str) -> Value {
        let path = format!("/api/v1/leads/{id}");
        let mut last = Value::Null;
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let (_, lead) = self.api("GET", &path, None).await;
                if lead["lead"]["state"] == state {
                    return lead;
                }
                last = lead;
                turn().await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("lead {id} is not {state}: {last:#}"))
    }

    /// Waits until the lead is in this state and what waits of it is in the parked list, which is told by another message.
    pub(crate) async fn until_parked(&self, id: &str, state: &str) -> Value {
        self.eventually("it is in the parked list", async |world| {
            let (_, parked) = world.api("GET", "/api/v1/parked", None).await;
            parked["items"].as_array().is_some_and(|items| items.iter().any(|item| item["lead"] == id))
        })
        .await;
        self.until(id, state).await
    }

    /// Waits until something holds.
    pub(crate) async fn eventually(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        eventually(what, async || holds(self).await).await;
    }

    /// Stops the relay at once, with whatever it has in flight, and starts it again on the same directory.
    pub(crate) async fn restart(&mut self) {
        self.relay.stop_now();
        // Its services may say that they were cut short; that is what this is about.
        let _ = self.relay.drain().await;
        self.relay = start(self.dir.path(), self.clock.clone()).await;
    }

    /// The id that the delivery of `lead` to `destination` has.
    pub(crate) fn delivery(lead: &str, destination: &str) -> String {
        DeliveryId::of(lead.parse().expect("an id"), destination).to_string()
    }

    /// Waits until no queue holds anything; a test that leaves something fails here.
    async fn is_empty(&self) {
        let mut left = Vec::new();
        let empty = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let topics = self.relay.ctx.queue.stats().await.expect("stats");
                left = topics.into_iter().filter(|t| t.total() > 0).collect();
                if left.is_empty() {
                    return;
                }
                turn().await;
            }
        });
        if empty.await.is_err() {
            panic!("the test ends with messages in the queue: {left:?}");
        }
    }
}

/// Lets others work before something is looked at again: the state of another task's store has no signal.
pub(crate) async fn turn() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
