//! A process of its own for tests that end one: this test binary again, with one role to play.
//!
//! What it prints on standard output, a line at a time, is what was acknowledged to it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::queue::Queue;

use super::harness::{message, number, topic};
use super::opener::settings;

const ROLE: &str = "LEADRELAY_TEST_ROLE";
const DIR: &str = "LEADRELAY_TEST_DIR";

/// The process.
pub(crate) struct Child {
    process: std::process::Child,
    lines: mpsc::Receiver<String>,
}

impl Child {
    /// Starts one that plays `role` on the queue in `dir`, with these failure points.
    pub(crate) fn start(role: &str, dir: &Path, failpoints: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "queue::child::plays_its_role", "--nocapture"])
            .env(ROLE, role)
            .env(DIR, dir)
            .env("FAILPOINTS", failpoints)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let mut out = BufReader::new(process.stdout.take().expect("a pipe"));
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // A line without its end was cut off.
            while out.read_line(&mut line).is_ok_and(|n| n > 0) && line.ends_with('\n') {
                if send.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self { process, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it says next; `None` when it has ended.
    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(Duration::from_secs(60)) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the child says nothing"),
        }
    }

    /// What it has said and was not read yet.
    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it is killed");
    }

    /// Waits for its end; answers its exit code and the signal that ended it.
    pub(crate) fn end(mut self) -> (Option<i32>, Option<i32>) {
        let status = self.process.wait().expect("it ends");
        (status.code(), status.signal())
    }
}

impl Drop for Child {
    /// A failing test leaves no process behind. One that has ended cannot be killed, and need not be.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Not a test of its own: the entry of the child process, which does nothing when nobody gave it a role.
#[test]
fn plays_its_role() {
    let (Ok(role), Ok(dir)) = (std::env::var(ROLE), std::env::var(DIR)) else { return };
    let scenario = fail::FailScenario::setup();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let dir = Path::new(&dir);
    match role.as_str() {
        "load" => runtime.block_on(load(dir)),
        "refused" => runtime.block_on(super::disk::a_commit_is_refused(dir)),
        "unknown" => runtime.block_on(super::disk::a_commit_has_an_unknown_end(dir)),
        "panic" => runtime.block_on(super::disk::the_writer_panics(dir)),
        "full" => runtime.block_on(super::disk::the_disk_is_full(dir)),
        role => panic!("no role {role}"),
    }
    scenario.teardown();
}

/// Publishes to `in`, moves from `in` to `out`, and says what was acknowledged, until it is ended.
async fn load(dir: &Path) {
    let queue = Queue::embedded(settings(dir), Clock::real()).expect("the queue opens");
    let mut tasks = tokio::task::JoinSet::new();
    for publisher in 0..16 {
        let queue = queue.clone();
        tasks.spawn(async move {
            for n in publisher * 1_000_000.. {
                queue.publish(vec![message(&topic("in"), n)]).await.expect("published");
                say(&format!("in {n}"));
            }
        });
    }
    for _ in 0..4 {
        let queue = queue.clone();
        tasks.spawn(async move {
            let mut claims = queue.claims(&topic("in"));
            loop {
                for claim in claims.next(8).await.expect("claimed") {
                    let n = number(&claim);
                    claim.settle(vec![message(&topic("out"), n)]).await.expect("settled");
                    say(&format!("out {n}"));
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no task fails");
    }
}

pub(crate) fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("the parent listens");
}
