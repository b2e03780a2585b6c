//! The services as processes of their own on one broker, leads that are posted to them all the while, and what became of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use leadrelay_testkit::broker::{Broker, free_port};
use leadrelay_testkit::samples::lead_json;
use leadrelay_testkit::{Fault, How, Plan};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::report::Row;
use crate::support::chance::Moments;
use crate::support::partner::Partner;
use crate::support::poster::{self, Answer, Door};
use crate::support::process::Process;
use crate::support::service;
use crate::support::world::{self, World};

pub(crate) const INGEST: &str = "leadrelay-ingest";
pub(crate) const ROUTER: &str = "leadrelay-router";
pub(crate) const LEDGER: &str = "leadrelay-ledger";
pub(crate) const WEBHOOK: &str = "leadrelay-connector-webhook";
/// In the order in which they are started.
pub(crate) const SERVICES: [&str; 4] = [LEDGER, ROUTER, WEBHOOK, INGEST];

/// How long whatever was accepted may take to arrive once everything works again.
const ARRIVAL: Duration = Duration::from_secs(180);
/// What is posted at once, and how often.
const BATCH: u64 = 8;
const PACE: Duration = Duration::from_millis(20);
/// Numbers that each posting has for itself.
const BLOCK: u64 = 1 << 32;

/// What is shown of each service when a test fails.
const LAST_LINES: usize = 30;

/// Services, the broker that they share, and the partner behind them.
pub(crate) struct Fleet<'a> {
    pub(crate) brokers: &'a [Broker],
    pub(crate) vhost: String,
    pub(crate) partner: Partner,
    pub(crate) dir: TempDir,
    variables: Vec<(String, String)>,
    running: BTreeMap<&'static str, Process>,
    door: Door,
    pub(crate) acked: BTreeSet<String>,
    refused: u64,
    postings: u64,
    heard: BTreeMap<(&'static str, &'static str), usize>,
    began: Instant,
}

/// Leads that are being posted.
pub(crate) struct Posting {
    stop: CancellationToken,
    task: JoinHandle<Vec<Answer>>,
}

impl<'a> Fleet<'a> {
    /// A fleet on a virtual host of its own, which reaches the broker at these ports. Nothing is started yet.
    pub(crate) async fn on(brokers: &'a [Broker], ports: &[u16]) -> Self {
        // They are built when they are first asked for, which is not what is measured.
        service::program(INGEST);
        let vhost = brokers[0].vhost().await;
        let partner = Partner::start(world::SECRET).await;
        let dir = world::directory(&partner.url(), "");
        let listen = format!("127.0.0.1:{}", free_port());
        let mut fleet = Self {
            brokers,
            vhost,
            partner,
            dir,
            door: Door {
                address: listen.parse().expect("an address"),
                path: format!("/v1/leads/addon/{}", world::TOKEN),
            },
            variables: Vec::new(),
            running: BTreeMap::new(),
            acked: BTreeSet::new(),
            refused: 0,
            postings: 0,
            heard: BTreeMap::new(),
            began: Instant::now(),
        };
        fleet.set("INGEST__LISTEN", &listen);
        fleet.configure(ports, r#"["200ms","500ms","2s"]"#, world::ALL_TO_PARTNER);
        fleet
    }

    /// Writes the configuration: where the broker is, the steps of delays, and more.
    pub(crate) fn configure(&self, ports: &[u16], tiers: &str, more: &str) {
        let urls: Vec<String> =
            ports.iter().map(|port| format!("\"amqp://guest:guest@127.0.0.1:{port}/{}\"", self.vhost)).collect();
        let more = format!("[queue]\nurl = [{}]\ndelay_tiers = {tiers}\n{more}", urls.join(", "));
        let written = world::directory(&self.partner.url(), &more);
        let name = "leadrelay.toml";
        std::fs::copy(written.path().join(name), self.dir.path().join(name)).expect("copied");
    }

    /// Sets a key of the configuration for what is started from now on.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.variables.push((format!("LEADRELAY_{key}"), value.to_owned()));
    }

    /// Starts a service and does not wait for it.
    pub(crate) fn begin(&mut self, name: &'static str, more: &[(&str, &str)]) -> &mut Process {
        let variables: Vec<(&str, &str)> =
            self.variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).chain(more.iter().copied()).collect();
        let process = Process::run(&service::program(name), &[], self.dir.path(), &variables);
        self.running.insert(name, process);
        self.process(name)
    }

    /// Starts a service and waits until it is ready.
    pub(crate) async fn start(&mut self, name: &'static str) {
        self.begin(name, &[]).said(&format!("ready: {name}")).await;
    }

    /// Starts every service that does not run.
    pub(crate) async fn start_all(&mut self) {
        for name in SERVICES {
            if !self.running.contains_key(name) {
                self.start(name).await;
            }
        }
    }

    pub(crate) fn process(&mut self, name: &str) -> &mut Process {
        self.running.get_mut(name).expect("it runs")
    }

    /// Ends a service as a power cut would.
    pub(crate) async fn kill(&mut self, name: &str) {
        let mut process = self.running.remove(name).expect("it runs");
        process.signal(libc::SIGKILL);
        process.ended().await;
    }

    /// Forgets a service that ends by itself, once it has.
    pub(crate) async fn ended(&mut self, name: &str) {
        self.running.remove(name).expect("it ran").ended().await;
    }

    /// Waits until a service says this once more than when it was last asked for it.
    pub(crate) async fn says_anew(&mut self, name: &'static str, text: &'static str) {
        let heard = self.heard.entry((name, text)).or_default();
        *heard += 1;
        let times = *heard;
        self.process(name).said_times(text, times).await;
    }

    /// What a service has said so far.
    pub(crate) fn output(&mut self, name: &str) -> String {
        self.process(name).output.lock().expect("its output").clone()
    }

    /// Has the partner fail now and then.
    pub(crate) fn trouble(&self, moments: &mut Moments) {
        let faults = vec![
            Fault::before(How::Status(503)),
            Fault::after(How::Status(500)),
            Fault::before(How::Cut),
            Fault::after(How::Cut),
        ];
        self.partner.plan(Plan::Share { seed: moments.next(1 << 30), percent: 5, faults });
    }

    /// Posts leads from now on, whether or not they are taken.
    pub(crate) fn post(&mut self) -> Posting {
        let (stop, door) = (CancellationToken::new(), self.door.clone());
        let (stopped, mut next) = (stop.clone(), self.postings * BLOCK);
        self.postings += 1;
        let task = tokio::spawn(async move {
            let mut answers = Vec::new();
            while !stopped.is_cancelled() {
                answers.extend(poster::post(&door, 4, next..next + BATCH, lead_json).await);
                next += BATCH;
                tokio::time::sleep(PACE).await;
            }
            answers
        });
        Posting { stop, task }
    }

    /// Ends posting, and keeps what was answered.
    pub(crate) async fn posted(&mut self, posting: Posting) {
        posting.stop.cancel();
        let answers = posting.task.await.expect("posting ends");
        self.keep(&answers);
    }

    /// Posts so many leads, and gives the ids of those that were accepted.
    pub(crate) async fn post_some(&mut self, count: u64) -> Vec<String> {
        let first = self.postings * BLOCK;
        self.postings += 1;
        let answers = poster::post(&self.door, 1, first..first + count, lead_json).await;
        self.keep(&answers)
    }

    fn keep(&mut self, answers: &[Answer]) -> Vec<String> {
        let accepted = |a: &&Answer| (200..300).contains(&a.status);
        let ids: Vec<String> = answers.iter().filter(accepted).map(|a| a.id().expect("an id")).collect();
        self.refused += (answers.len() - ids.len()) as u64;
        self.acked.extend(ids.iter().cloned());
        ids
    }

    /// Waits until the door is open.
    pub(crate) async fn door_is_open(&self) {
        let address = self.door.address;
        world::eventually("ingest listens", async || tokio::net::TcpStream::connect(address).await.is_ok()).await;
    }

    /// What the broker holds, by queue, as a node that runs tells.
    pub(crate) fn messages(&self) -> BTreeMap<String, u64> {
        self.brokers.iter().find(|b| b.runs()).expect("a node that runs").messages(&self.vhost)
    }

    /// Asks the ledger.
    pub(crate) async fn ledger(&mut self, path: &str) -> serde_json::Value {
        let url = format!("http://{}{path}", self.process(LEDGER).admin().await);
        world::send(world::client().get(url).bearer_auth(world::ADMIN)).await.1
    }

    /// Those of the accepted leads that the partner does not have.
    fn missing(&self) -> Vec<String> {
        let arrived = |id: &&String| self.partner.has(&World::delivery(id, "partner"));
        self.acked.iter().filter(|id| !arrived(id)).cloned().collect()
    }

    /// Those of the missing leads that the ledger calls parked.
    async fn parked(&mut self, missing: &[String]) -> usize {
        let mut parked = 0;
        for id in missing {
            let lead = self.ledger(&format!("/api/v1/leads/{id}")).await;
            parked += usize::from(lead["lead"]["state"] == "parked");
        }
        parked
    }

    /// Waits until every accepted lead is delivered or parked and no queue holds anything, and tells what became of them.
    pub(crate) async fn judged(&mut self, family: &'static str, faults: u64) -> Row {
        self.start_all().await;
        let until = Instant::now() + ARRIVAL;
        let (mut missing, mut parked);
        loop {
            missing = self.missing();
            // A few are asked for at once, because most are only on their way.
            parked = if missing.len() < 50 { self.parked(&missing).await } else { 0 };
            if missing.len() == parked || Instant::now() > until {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut waiting = self.messages();
        while !waiting.is_empty() && Instant::now() < until {
            waiting = self.messages();
        }
        Row {
            family,
            faults,
            accepted: self.acked.len(),
            refused: self.refused,
            delivered: self.acked.len() - missing.len(),
            parked,
            waiting,
            copies: self.partner.world.copies() - self.partner.distinct() as u64,
            doubled: self.partner.ids_by_lead().values().filter(|ids| ids.len() > 1).count(),
            took: self.began.elapsed(),
        }
    }
}

impl Drop for Fleet<'_> {
    /// What the services said is the best hint at why a test fails.
    #[expect(clippy::print_stderr, reason = "it is for whoever reads of the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (name, process) in &self.running {
                let output = process.output.lock().unwrap_or_else(PoisonError::into_inner);
                let last = output.lines().rev().take(LAST_LINES).collect::<Vec<_>>();
                eprintln!("{name}, the last of what it said first:\n{}\n", last.join("\n"));
            }
        }
    }
}
