//! `leadrelay-ingest` as a program: ended by SIGKILL with a full spool.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::Queue;
use leadrelay_shared::queue::embedded::Settings;
use reqwest::StatusCode;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{LEAD, TOKEN, client};

/// How long it may take to start: far more than it needs on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, and where it takes leads.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    /// Starts it on the configuration in `dir`, with a spool of at most this size, and waits until it takes leads.
    async fn start(dir: &Path, max_size: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_leadrelay-ingest"))
            .arg("--config")
            .arg(dir.join("leadrelay.toml"))
            .env("LEADRELAY_QUEUE__MAX_SIZE", max_size)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it says where it listens");
            let line = line.expect("text").expect("it runs");
            if let Some(url) = line.strip_prefix("listening for leads at ") {
                return Self { child, url: format!("{url}/v1/leads/addon/{TOKEN}") };
            }
        }
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }
}

/// A configuration whose broker nobody is.
fn directory() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    // Bound and not listened to, so that nobody answers there.
    let nobody = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let port = nobody.local_addr().expect("an address").port();
    drop(nobody);
    let config = format!(
        r#"
data_dir = "data"
[ingest]
listen = "127.0.0.1:0"
rate_limit = 100000
[admin]
listen = "127.0.0.1:0"
[queue]
url = "amqp://127.0.0.1:{port}"
[sources.addon]
tokens = ["{TOKEN}"]
"#
    );
    std::fs::write(dir.path().join("leadrelay.toml"), config).expect("written");
    dir
}

/// Posts from several connections until one is refused; the ids of those that were accepted.
async fn post_until_full(url: &str, next: &Arc<AtomicUsize>) -> BTreeSet<String> {
    let mut posting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, url, next) = (client(None), url.to_owned(), next.clone());
        posting.spawn(async move {
            let mut ids = Vec::new();
            loop {
                let body = LEAD.replace("Contoso Test", &next.fetch_add(1, Ordering::Relaxed).to_string());
                let answer = client.post(&url).body(body).send().await.expect("an answer");
                if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                    return ids;
                }
                assert_eq!(answer.status(), StatusCode::ACCEPTED);
                let answer = answer.text().await.expect("a text");
                let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
                ids.push(answer["id"].as_str().expect("an id").to_owned());
            }
        });
    }
    posting.join_all().await.into_iter().flatten().collect()
}

/// What is in the spool.
async fn spooled(dir: &Path) -> BTreeSet<String> {
    let settings = Settings { dir: dir.join("data/spool"), max_size: 1 << 30, min_free: 0 };
    let queue = Queue::embedded(settings, Clock::real()).expect("nobody has it");
    let (mut held, mut carrier) = (Vec::new(), queue.carrier("leads"));
    let count = queue.stats().await.expect("stats").iter().map(leadrelay_shared::queue::TopicStats::total).sum::<u64>();
    while (held.len() as u64) < count {
        held.extend(carrier.next(500).await.expect("claimed"));
    }
    let ids: BTreeSet<String> = held.iter().map(|carried| carried.message.id().to_string()).collect();
    assert_eq!(ids.len(), held.len(), "nothing is there twice");
    drop(held);
    queue.close().await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_it_with_a_full_spool_loses_nothing() {
    let dir = directory();
    let next = Arc::new(AtomicUsize::new(0));
    let process = Process::start(dir.path(), "400KiB").await;
    let accepted = post_until_full(&process.url, &next).await;
    assert!(accepted.len() > 50, "{}", accepted.len());
    process.kill().await;
    assert!(spooled(dir.path()).await.is_superset(&accepted));

    // With more room it takes more, beside what is there.
    let process = Process::start(dir.path(), "800KiB").await;
    let more = post_until_full(&process.url, &next).await;
    process.kill().await;
    let spooled = spooled(dir.path()).await;
    assert!(spooled.is_superset(&accepted) && spooled.is_superset(&more), "what was answered 202 is there");
    assert!(more.len() > 50 && spooled.len() >= accepted.len() + more.len(), "{} and {}", accepted.len(), more.len());
}
