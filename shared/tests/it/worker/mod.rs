//! The worker with a connector that does what a test tells it to.

mod attempts;
mod desk;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Loader};
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::control::Control;
use leadrelay_shared::delivery::{Delivery, Parked, Receipt};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::event::Fact;
use leadrelay_shared::fields::{Field, Fields};
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::queue::{Queue, Topic, embedded};
use leadrelay_shared::service::{Ctx, RunError, Status, Stop};
use leadrelay_shared::worker;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a fake destination does, found by the name in its settings: a connector is made from settings alone.
#[derive(Debug)]
pub(crate) struct Script {
    act: fn(&Delivery, usize) -> Act,
    /// Attempts wait here when they are told to.
    pub(crate) gate: Semaphore,
    pub(crate) delivered: Mutex<Vec<Delivery>>,
    pub(crate) calls: Mutex<Vec<usize>>,
    attempts: AtomicUsize,
    running: AtomicUsize,
    pub(crate) most_running: AtomicUsize,
}

/// What one attempt does.
pub(crate) enum Act {
    Take,
    Fail(ErrorKind),
    Panic,
    /// Never answers.
    Hang,
    /// Waits for the gate, then takes it.
    Wait,
    /// Waits for the gate, then fails.
    FailLate(ErrorKind),
}

static SCRIPTS: LazyLock<Mutex<HashMap<String, Arc<Script>>>> = LazyLock::new(Mutex::default);

/// A connector for tests; `Batched` takes up to 5 deliveries in a call.
#[derive(Debug)]
pub(crate) struct Fake<const BATCH: usize>(Arc<Script>);

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    script: String,
}

impl<const BATCH: usize> Connector for Fake<BATCH> {
    const NAME: &'static str = "fake";
    const BATCH: usize = BATCH;
    type Settings = Settings;

    fn new(settings: Settings, _: Context) -> Result<Self, String> {
        let scripts = SCRIPTS.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.get(&settings.script).cloned().map(Self).ok_or_else(|| "no such script".to_owned())
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let script = &self.0;
        let number = script.attempts.fetch_add(1, Ordering::SeqCst);
        let running = script.running.fetch_add(1, Ordering::SeqCst) + 1;
        script.most_running.fetch_max(running, Ordering::SeqCst);
        let _running = Running(script);
        match (script.act)(delivery, number) {
            Act::Take => {}
            Act::Fail(kind) => return Err(DeliveryError::new(kind, "no")),
            Act::Panic => panic!("the connector is broken"),
            Act::Hang => std::future::pending().await,
            Act::Wait => script.gate.acquire().await.expect("the gate is never closed").forget(),
            Act::FailLate(kind) => {
                script.gate.acquire().await.expect("the gate is never closed").forget();
                return Err(DeliveryError::new(kind, "no"));
            }
        }
        script.delivered.lock().expect("records").push(delivery.clone());
        Ok(Receipt::default())
    }

    async fn deliver_many(&self, deliveries: &[Delivery]) -> Vec<Outcome> {
        self.0.calls.lock().expect("calls").push(deliveries.len());
        let mut outcomes = Vec::new();
        for delivery in deliveries {
            outcomes.push(self.deliver(delivery).await);
        }
        outcomes
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        Ok(Self::documented_fields())
    }

    fn documented_fields() -> Fields {
        let lastname = Field { max_length: Some(10), writable: true, ..Field::default() };
        Fields([("lastname".to_owned(), lastname)].into())
    }
}

struct Running<'a>(&'a Script);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A worker at work, and what it works on.
pub(crate) struct Bench {
    pub(crate) script: Arc<Script>,
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    pub(crate) stop: Stop,
    worker: Option<JoinHandle<Result<(), RunError>>>,
    /// Facts that came together with one that was asked for.
    told: Mutex<VecDeque<Fact>>,
    _dir: TempDir,
}

impl Bench {
    /// A worker with these settings beside the script's name, delivering one by one.
    pub(crate) async fn one_by_one(more: &str, act: fn(&Delivery, usize) -> Act) -> Self {
        Self::on::<1>(tempfile::tempdir().expect("a directory"), more, act).await
    }

    /// A worker that delivers up to five in a call.
    pub(crate) async fn batched(more: &str, act: fn(&Delivery, usize) -> Act) -> Self {
        Self::on::<5>(tempfile::tempdir().expect("a directory"), more, act).await
    }

    /// A worker on a directory that may hold a queue already.
    pub(crate) async fn on<const BATCH: usize>(dir: TempDir, more: &str, act: fn(&Delivery, usize) -> Act) -> Self {
        let name = dir.path().to_string_lossy().into_owned();
        let script = Arc::new(Script {
            act,
            gate: Semaphore::new(0),
            delivered: Mutex::default(),
            calls: Mutex::default(),
            attempts: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
        });
        SCRIPTS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), script.clone());
        let text = format!("[destinations.crm]\nconnector = \"fake\"\nscript = {name:?}\n{more}");
        let config = Loader::default().parse(&text, dir.path(), std::iter::empty()).expect("a configuration");
        let clock = Clock::manual(now());
        let queue = queue(&dir, &clock);
        queue.publish_control(Control::default());
        let loaded = Arc::new(Loaded { config, file: "leadrelay.toml".into(), base_dir: dir.path().to_owned() });
        let stop = Stop::default();
        let ctx = Ctx {
            loaded,
            clock: clock.clone(),
            queue: queue.clone(),
            accounts: Default::default(),
            stop: stop.clone(),
            status: Status::default(),
        };
        let worker = Some(tokio::spawn(worker::run::<Fake<BATCH>>(ctx, "crm".to_owned())));
        Self { script, queue, clock, stop, worker, told: Mutex::default(), _dir: dir }
    }

    /// Hands over the deliveries with these numbers, in one transaction.
    pub(crate) async fn publish(&self, numbers: std::ops::Range<u8>) {
        let topic = Topic::deliver("crm");
        let messages = numbers.map(delivery).map(|d| topic.message(d.id.uuid(), &d)).collect();
        self.queue.publish(messages).await.expect("stored");
    }

    /// The next fact that the worker tells.
    pub(crate) async fn fact(&self) -> Fact {
        loop {
            match self.any_fact().await {
                // That the fields were asked for comes at any moment.
                Fact::Checked { unfit, .. } => assert!(unfit.is_empty(), "{unfit:?}"),
                fact => return fact,
            }
        }
    }

    async fn any_fact(&self) -> Fact {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some(fact) = told {
            return fact;
        }
        let mut claims = self.queue.claims(&Topic::events());
        let claimed =
            tokio::time::timeout(PATIENCE, claims.next(1)).await.expect("a fact is told").expect("the queue works");
        let claim = claimed.into_iter().next().expect("one claim");
        let mut facts: VecDeque<Fact> = claim.body().iter().map(|event| event.fact.clone()).collect();
        claim.settle(Vec::new()).await.expect("settled");
        let first = facts.pop_front().expect("a message tells a fact");
        self.told.lock().unwrap_or_else(PoisonError::into_inner).append(&mut facts);
        first
    }

    /// What is parked next.
    pub(crate) async fn parked(&self) -> Parked {
        let mut claims = self.queue.claims(&Topic::<Parked>::parked());
        let claimed =
            tokio::time::timeout(PATIENCE, claims.next(1)).await.expect("it is parked").expect("the queue works");
        let claim = claimed.into_iter().next().expect("one claim");
        let parked = claim.body().clone();
        claim.settle(Vec::new()).await.expect("settled");
        parked
    }

    /// Drains the worker, and says what is left of deliveries.
    pub(crate) async fn finish(mut self) -> u64 {
        self.stop.drain();
        let worker = self.worker.take().expect("it was started");
        tokio::time::timeout(PATIENCE, worker).await.expect("it drains").expect("without a panic").expect("and well");
        let topics = self.queue.stats().await.expect("stats");
        topics.iter().filter(|t| t.topic == "deliver.crm").map(leadrelay_shared::queue::TopicStats::total).sum()
    }
}

pub(crate) fn queue(dir: &TempDir, clock: &Clock) -> Queue {
    let settings = embedded::Settings { dir: dir.path().join("queue"), max_size: 1 << 30, min_free: 0 };
    Queue::embedded(settings, clock.clone()).expect("a queue")
}

pub(crate) fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().expect("a time")
}

/// The delivery with this number.
pub(crate) fn delivery(n: u8) -> Delivery {
    let lead = LeadId::derive(&[&[n]]);
    let record = serde_json::json!({"lastname": format!("Lee {n}"), "n": n}).as_object().cloned().expect("an object");
    Delivery {
        id: DeliveryId::of(lead, "crm"),
        lead,
        destination: "crm".to_owned(),
        route: "customers".to_owned(),
        record,
        notes: Vec::new(),
        accepted_at: now(),
        attempt: 0,
        first_attempt_at: None,
        round: 0,
    }
}
