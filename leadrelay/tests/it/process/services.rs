//! Each service as a process of its own, on a real RabbitMQ: started, looked at, several at once, stopped.

use std::path::Path;

use leadrelay_testkit::broker::free_port;
use leadrelay_testkit::samples::lead_json;

use crate::support::partner::Partner;
use crate::support::poster::{self, Answer};
use crate::support::process::Process;
use crate::support::service::{self, PROGRAMS, once, start};
use crate::support::world::{self, World};

const NOWHERE: &str = "http://127.0.0.1:9/leads";

/// Stops a process as an operator would.
async fn stop(mut process: Process) {
    process.signal(libc::SIGTERM);
    let status = process.ended().await;
    assert!(status.success(), "{status}: {}", process.output.lock().expect("its output"));
}

/// What the ledger at this address says of a lead.
async fn state_of(ledger: &str, id: &str) -> String {
    let request = world::client().get(format!("{ledger}/api/v1/leads/{id}")).bearer_auth(world::ADMIN);
    let (_, lead) = world::send(request).await;
    lead["lead"]["state"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_becomes_ready_tells_how_it_is_and_stops_as_asked() {
    let dir = service::directory(NOWHERE).await;
    for name in PROGRAMS {
        let listen = format!("127.0.0.1:{}", free_port());
        let variables = [("LEADRELAY_ADMIN__LISTEN", listen.as_str())];
        let mut running = start(name, dir.path(), &variables).await;
        assert_eq!(running.line("listening for operators at").await, format!("http://{listen}"));
        let http = world::client();
        for path in ["healthz", "readyz", "metrics"] {
            let answer = http.get(format!("http://{listen}/{path}")).send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{name} /{path}");
        }
        assert_eq!(once(name, &["--healthcheck"], dir.path(), &variables).status.code(), Some(0), "{name}");
        stop(running).await;
        let asked = once(name, &["--healthcheck"], dir.path(), &variables);
        let reason = String::from_utf8_lossy(&asked.stderr);
        assert!(asked.status.code() == Some(1) && reason.contains("nothing answers at"), "{name}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_go_through_several_processes_of_each_kind() {
    let receiver = Partner::start(world::SECRET).await;
    let dir = service::directory(&receiver.url()).await;
    let mut ingest = start("leadrelay-ingest", dir.path(), &[]).await;
    let mut ledger = start("leadrelay-ledger", dir.path(), &[]).await;
    let mut others = Vec::new();
    for name in ["leadrelay-router", "leadrelay-connector-webhook"] {
        for _ in 0..2 {
            others.push(start(name, dir.path(), &[]).await);
        }
    }
    let operators = format!("http://{}", ledger.admin().await);
    let answers = poster::post(&ingest.door().await, 4, 0..40, lead_json).await;
    let ids: Vec<String> = answers.iter().filter_map(Answer::id).collect();
    assert_eq!(ids.len(), 40);
    for id in &ids {
        world::eventually("the ledger calls it delivered", async || state_of(&operators, id).await == "delivered")
            .await;
        assert!(receiver.has(&World::delivery(id, "partner")), "and it is: {id}");
    }
    assert_eq!(receiver.distinct(), ids.len(), "nothing came under another id");
    for process in [vec![ingest], others, vec![ledger]].into_iter().flatten() {
        stop(process).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_starts_hears_of_a_pause_before_it_delivers() {
    let receiver = Partner::start(world::SECRET).await;
    let dir = service::directory(&receiver.url()).await;
    let mut ingest = start("leadrelay-ingest", dir.path(), &[]).await;
    let mut ledger = start("leadrelay-ledger", dir.path(), &[]).await;
    let router = start("leadrelay-router", dir.path(), &[]).await;
    let operators = format!("http://{}", ledger.admin().await);
    let decide = async |what: &str| {
        let url = format!("{operators}/api/v1/destinations/partner/{what}");
        let request = world::client().post(url).bearer_auth(world::ADMIN).header("content-type", "application/json");
        let (status, answer) = world::send(request.body("{}")).await;
        assert!((200..300).contains(&status), "{what}: {status} {answer}");
    };
    decide("pause").await;
    let connector = start("leadrelay-connector-webhook", dir.path(), &[]).await;
    let answers = poster::post(&ingest.door().await, 1, 0..1, lead_json).await;
    let id = answers[0].id().expect("accepted");
    world::eventually("it is routed", async || !["", "accepted"].contains(&state_of(&operators, &id).await.as_str()))
        .await;
    assert!(!receiver.has(&World::delivery(&id, "partner")), "it waits");
    decide("resume").await;
    world::eventually("it arrives", async || receiver.has(&World::delivery(&id, "partner"))).await;
    for process in [ingest, router, connector, ledger] {
        stop(process).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_services_in_one_process_run_on_rabbitmq_too() {
    let receiver = Partner::start(world::SECRET).await;
    let dir = service::directory(&receiver.url()).await;
    let mut relay = Process::start(dir.path(), &[]);
    let door = relay.door().await;
    let operators = format!("http://{}", relay.admin().await);
    let answers = poster::post(&door, 2, 0..10, lead_json).await;
    assert_eq!(answers.len(), 10);
    for id in answers.iter().filter_map(Answer::id) {
        world::eventually("it is delivered", async || state_of(&operators, &id).await == "delivered").await;
        assert!(receiver.has(&World::delivery(&id, "partner")));
    }
    stop(relay).await;
    assert!(!dir.path().join("data/queue").exists(), "the embedded queue is not even made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ledger_on_one_history_says_so_and_ends() {
    let dir = service::directory(NOWHERE).await;
    let first = start("leadrelay-ledger", dir.path(), &[]).await;
    let second = once("leadrelay-ledger", &[], dir.path(), &[]);
    let told = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(told.contains("error: ledger ended unexpectedly: another leadrelay has the ledger in"), "{told}");
    stop(first).await;
}

#[test]
fn the_embedded_queue_is_refused_where_the_url_stands() {
    let dir = world::directory(NOWHERE, &format!("[queue]\nurl = \"embedded\"\n{}", world::ALL_TO_PARTNER));
    for name in PROGRAMS {
        let refused = once(name, &[], dir.path(), &[]);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{name}: {told}");
        let said = ["queue.url: the embedded queue belongs to one process", "run `leadrelay up`", "amqp://"];
        assert!(said.iter().all(|part| told.contains(part)), "{name}: {told}");
    }
}

#[test]
fn a_process_is_told_no_secret_of_another() {
    let secrets = "[sources.other]\ntokens = [{ env = \"NOT_HERE_TOKEN\" }]\n[destinations.other]\nconnector = \"webhook\"\n\
                   url = \"https://leads.example.com\"\nsecret = { env = \"NOT_HERE_SECRET\" }\n";
    let dir = world::directory(NOWHERE, &format!("{secrets}{}", world::ALL_TO_PARTNER));
    let misses = |name: &str, variable: &str| {
        let told = once(name, &[], dir.path(), &[]).stderr;
        String::from_utf8_lossy(&told).contains(variable)
    };
    for name in PROGRAMS {
        assert_eq!(misses(name, "NOT_HERE_TOKEN"), name == "leadrelay-ingest", "{name}");
        assert_eq!(misses(name, "NOT_HERE_SECRET"), name == "leadrelay-connector-webhook", "{name}");
    }
}

/// What a program says when it is asked in a wrong way.
fn usage(arguments: &[&str]) -> (Option<i32>, String) {
    let asked = once("leadrelay-router", arguments, Path::new("."), &[]);
    (asked.status.code(), String::from_utf8_lossy(&[asked.stdout, asked.stderr].concat()).into_owned())
}

#[test]
fn the_few_arguments_are_told_and_others_refused() {
    let (code, told) = usage(&["--help"]);
    assert!(code == Some(0) && told.contains("--healthcheck") && told.contains("LEADRELAY_CONFIG"), "{told}");
    let (code, told) = usage(&["--version"]);
    assert_eq!((code, told), (Some(0), format!("leadrelay-router {}\n", env!("CARGO_PKG_VERSION"))));
    let (code, told) = usage(&["up"]);
    assert!(code == Some(2) && told.contains("--help tells"), "{told}");
}
