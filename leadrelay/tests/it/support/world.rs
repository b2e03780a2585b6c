//! A relay in this process, the receivers it delivers to, and the rule that a test may not end with a message in a queue.

use std::ops::AsyncFnOnce;
use std::path::Path;
use std::time::Duration;

use leadrelay::relay::Relay;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Loader};
use leadrelay_shared::http;
use leadrelay_shared::id::DeliveryId;
use leadrelay_testkit::receiver::Receiver;
use serde_json::Value;
use tempfile::TempDir;

pub const TOKEN: &str = "test-token-0123456789abcdef";
pub const ADMIN: &str = "admin-token-0123456789abcdef";
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// How long anything may take before a test fails: far more than it needs on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a test looks at.
pub struct World {
    pub relay: Relay,
    pub receiver: Receiver,
    pub clock: Clock,
    pub dir: TempDir,
    http: reqwest::Client,
}

/// Runs a test in a world with one source `addon`, the webhook destination `partner` and what `more` adds to the
/// configuration; then drains, and fails if anything is left in a queue.
pub async fn run(more: &str, test: impl AsyncFnOnce(&mut World)) {
    run_with(Clock::real(), more, test).await;
}

/// The same, at a time that the test moves.
pub async fn run_with(clock: Clock, more: &str, test: impl AsyncFnOnce(&mut World)) {
    let receiver = Receiver::start(SECRET).await;
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("leadrelay.toml"), config(&receiver.url(), more)).expect("written");
    let relay = start(dir.path(), clock.clone()).await;
    let mut world = World { relay, receiver, clock, dir, http: client() };
    test(&mut world).await;
    world.is_empty().await;
    world.relay.drain().await.expect("it drains");
}

fn config(url: &str, more: &str) -> String {
    format!(
        r#"
data_dir = "data"
[ingest]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
token = "{ADMIN}"
[sources.addon]
tokens = ["{TOKEN}"]
[destinations.partner]
connector = "webhook"
url = "{url}"
secret = "{SECRET}"
allow_private_addresses = true
[destinations.partner.retry]
first_delay = "50ms"
max_delay = "200ms"
{more}"#
    )
}

/// A route that sends everything to `partner`.
pub const ALL_TO_PARTNER: &str = "[[routes]]\nname = \"all\"\nto = \"partner\"\n";

async fn start(dir: &Path, clock: Clock) -> Relay {
    let relay = Relay::start(load(dir), clock).await.expect("a relay");
    relay.ready().await;
    relay
}

pub fn load(dir: &Path) -> Loaded {
    Loader { connectors: leadrelay::connectors::infos(), all_connectors: true }
        .load(&dir.join("leadrelay.toml"))
        .unwrap_or_else(|e| panic!("{e}"))
}

#[expect(clippy::disallowed_methods, reason = "the test's own client, on loopback")]
fn client() -> reqwest::Client {
    let _ = http::Settings { timeout: PATIENCE, allow_private_addresses: true };
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

impl World {
    /// Posts a body as source `addon`, and gives the status and the answer.
    pub async fn post(&self, body: impl Into<String>) -> (u16, Value) {
        let address = self.relay.ctx.status.address("ingest").await;
        let url = format!("http://{address}/v1/leads/addon/{TOKEN}");
        let answer = self.http.post(url).body(body.into()).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.expect("a body")).unwrap_or_default())
    }

    /// Posts a lead that must be accepted, and gives its id.
    pub async fn accepted(&self, body: impl Into<String>) -> String {
        let (status, answer) = self.post(body).await;
        assert_eq!(status, 202, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Asks the admin API.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let address = self.relay.ctx.status.address("admin").await;
        let method = method.parse().expect("a method");
        let request = self.http.request(method, format!("http://{address}{path}")).bearer_auth(ADMIN);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.expect("a body")).unwrap_or_default())
    }

    /// Waits until the lead is in this state, and gives it with its story.
    pub async fn until(&self, id: &str, state: &str) -> Value {
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

    /// Waits until something holds.
    pub async fn eventually(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let done = tokio::time::timeout(PATIENCE, async {
            while !holds(self).await {
                turn().await;
            }
        });
        done.await.unwrap_or_else(|_| panic!("never happened: {what}"));
    }

    /// Ends the relay at once, as a crash of its process would, and starts it again on the same directory.
    pub async fn restart(&mut self) {
        self.relay.stop_now().await;
        self.relay = start(self.dir.path(), self.clock.clone()).await;
    }

    /// The id that the delivery of `lead` to `destination` has.
    pub fn delivery(lead: &str, destination: &str) -> String {
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
pub async fn turn() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
