//! What leads cost two simulated CRMs: calls where leads wait, the pace where a CRM is slow, and calls into a pause.

use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Dataverse, Salesforce};
use serde_json::Value;

use crate::accept::rate;
use crate::process::Server;
use crate::{Figure, Wanted, child, say, stopwatch};

/// Leads that wait.
const BACKLOG: u64 = 2_000;
/// Leads that are paced, and how many of them are not measured: every slot is busy by then.
const PACED: u64 = 1_200;
const WARMING: u64 = 200;
/// How long a slow CRM takes.
const LATENCY: Duration = Duration::from_millis(150);
/// The default of `concurrency`.
const CONCURRENCY: f64 = 16.0;

/// A destination as it stands in a configuration, with nothing but what leads to it, and a route for everything.
fn destination(name: &str, connector: &str, settings: &Value, fields: &str) -> String {
    let keys = settings.as_object().expect("a table").iter();
    let keys: String = keys.map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!(
        "[destinations.{name}]\nconnector = \"{connector}\"\nallow_private_addresses = true\n{keys}\
         [destinations.{name}.retry]\nfirst_delay = \"100ms\"\nmax_delay = \"500ms\"\n\
         [[routes]]\nname = \"{name}\"\nto = \"{name}\"\n[routes.fields]\n{fields}"
    )
}

fn dynamics(crm: &Dataverse) -> String {
    let fields = "subject = \"{{ lead.offer_title }}\"\nlastname = \"{{ lead.last_name }}\"\nemailaddress1 = \"{{ lead.email }}\"\n";
    destination("crm", "dynamics", &crm.settings(), fields)
}

fn salesforce(crm: &Salesforce) -> String {
    let fields =
        "LastName = \"{{ lead.last_name }}\"\nCompany = \"{{ lead.company }}\"\nEmail = \"{{ lead.email }}\"\n";
    destination("sales", "salesforce", &crm.settings(), fields)
}

async fn relay(destinations: &str) -> (Server, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("leadrelay.toml"), child::config(destinations)).expect("written");
    (Server::start("relay", dir.path()).await, dir)
}

/// Waits until a CRM holds so many leads; when that was is known to a millisecond.
async fn reaches(crm: &impl World, leads: u64) {
    let began = stopwatch::start();
    while (crm.total() as u64) < leads {
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(began.elapsed().as_secs() < 120, "{} of {leads} after two minutes", crm.total());
    }
}

/// Calls for 1,000 leads that have waited for the CRM, tokens and descriptions included.
pub(crate) async fn calls() -> Vec<Figure> {
    let (crm, sales) = (Dataverse::on(Clock::real()).await, Salesforce::on(Clock::real()).await);
    for server in [&crm.server, &crm.login, &sales.server, &sales.login] {
        server.refuse().await;
    }
    let (relay, _dir) = relay(&format!("{}{}", dynamics(&crm), salesforce(&sales))).await;
    rate(&relay.door, 0, BACKLOG).await;
    for server in [&crm.server, &crm.login, &sales.server, &sales.login] {
        server.welcome().await;
    }
    reaches(&crm, BACKLOG).await;
    reaches(&sales, BACKLOG).await;
    relay.stop().await;
    let per_thousand = |calls: u64| calls as f64 * 1000.0 / BACKLOG as f64;
    let figure = |what, calls: u64, at_most: f64| Figure {
        what,
        value: per_thousand(calls),
        unit: "",
        wanted: Wanted::AtMost(at_most),
        detail: format!("{calls} calls for {BACKLOG} leads that waited"),
    };
    // A login, and the description of the table in ten calls, are beside the leads.
    let beside = 1000.0 + 12.0 * 1000.0 / BACKLOG as f64;
    vec![
        figure("calls of Dynamics 365 for 1,000 leads", crm.server.requests() + crm.login.requests(), beside),
        figure("calls of Salesforce for 1,000 leads", sales.server.requests() + sales.login.requests(), 10.0),
    ]
}

/// Deliveries a second where the CRM takes its time, against as many as there are slots.
pub(crate) async fn pace() -> Figure {
    let crm = Dataverse::on(Clock::real()).await;
    let (relay, _dir) = relay(&dynamics(&crm)).await;
    crm.server.answer_after(LATENCY);
    rate(&relay.door, 0, PACED).await;
    reaches(&crm, WARMING).await;
    let began = stopwatch::start();
    reaches(&crm, PACED).await;
    let pace = (PACED - WARMING) as f64 / began.elapsed().as_secs_f64();
    relay.stop().await;
    let limit = CONCURRENCY / LATENCY.as_secs_f64();
    say(&format!("crm pace: {pace:.1}/s of {limit:.1}/s"));
    Figure {
        what: "deliveries to a CRM that takes 150 ms, against concurrency / latency",
        value: pace / limit,
        unit: "",
        wanted: Wanted::AtLeast(0.9),
        detail: format!("{pace:.1}/s of {limit:.1}/s, default settings"),
    }
}

/// Calls that come although an answer has said how long to wait.
pub(crate) async fn pause() -> Figure {
    let crm = Dataverse::on(Clock::real()).await;
    crm.server.answer_after(Duration::from_millis(5));
    let (relay, _dir) = relay(&dynamics(&crm)).await;
    crm.environment.throttle(Duration::from_secs(2));
    rate(&relay.door, 0, 500).await;
    reaches(&crm, 200).await;
    crm.environment.throttle(Duration::from_secs(3));
    reaches(&crm, 500).await;
    relay.stop().await;
    let into_pause = crm.environment.calls().into_pause;
    Figure {
        what: "calls into a pause that the CRM has asked for",
        value: into_pause as f64,
        unit: "",
        wanted: Wanted::AtMost(0.0),
        detail: format!("two pauses, 500 leads, {} calls", crm.server.requests()),
    }
}
