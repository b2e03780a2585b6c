//! The servers that are measured.
//!
//! `bare` parses and checks and answers; `accept` is ingest on a queue that nobody claims from; `relay` is everything, with one
//! webhook destination. Each prints the address of its door when it is ready and ends when its input is closed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::{App, HttpResponse, HttpServer, web};
use leadrelay::relay::Relay;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Loader};
use leadrelay_shared::judge::Judge;
use leadrelay_shared::queue::{Queue, embedded};
use leadrelay_shared::service::{Ctx, Status, Stop};

pub(crate) const TOKEN: &str = "bench-token-0123456789abcdef";
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// The lead with this number, as the marketplace would send it.
pub(crate) fn lead(n: u64) -> String {
    leadrelay_testkit::samples::lead_json(n)
}

pub(crate) async fn run(args: &[String]) {
    let [kind, dir] = args else { panic!("child needs a kind and a directory") };
    let dir = PathBuf::from(dir);
    match kind.as_str() {
        "bare" => bare(&loaded(&dir)).await,
        "accept" => accept(loaded(&dir)).await,
        "relay" => relay(loaded(&dir)).await,
        other => panic!("no child of kind {other}"),
    }
}

/// The configuration: the directory's own file where there is one.
fn loaded(dir: &Path) -> Loaded {
    let file = dir.join("leadrelay.toml");
    if !file.exists() {
        std::fs::write(&file, config("")).expect("the configuration is written");
    }
    Loader { connectors: leadrelay::connectors::infos(), all_connectors: true }.load(&file).expect("a configuration")
}

/// A configuration that limits nothing, with `more` at its end.
pub(crate) fn config(more: &str) -> String {
    format!(
        r#"
data_dir = "data"
log = {{ filter = "error" }}
[ingest]
listen = "127.0.0.1:0"
rate_limit = 1000000
[admin]
listen = "127.0.0.1:0"
[sources.bench]
tokens = ["{TOKEN}"]
{more}"#
    )
}

async fn bare(loaded: &Loaded) {
    let judge = web::Data::new(Judge::for_source(loaded, "bench").expect("a judge"));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(judge.clone())
            .app_data(web::PayloadConfig::new(256 << 10))
            .route("/v1/leads/{source}/{token}", web::post().to(judged))
    })
    .workers(2)
    .disable_signals()
    .bind("127.0.0.1:0")
    .expect("it listens");
    ready(server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    closed().await;
    handle.stop(false).await;
}

async fn judged(judge: web::Data<Judge>, body: web::Bytes) -> HttpResponse {
    match judge.judge(&body) {
        Ok(()) => HttpResponse::Accepted().json(serde_json::json!({"id": "none", "status": "accepted"})),
        Err(faults) => HttpResponse::BadRequest().json(faults),
    }
}

async fn accept(loaded: Loaded) {
    let clock = Clock::real();
    let settings = embedded::Settings { dir: loaded.data_dir().join("queue"), max_size: 1 << 40, min_free: 0 };
    let queue = Queue::embedded(settings, clock.clone()).expect("a queue");
    let ctx = Ctx {
        loaded: Arc::new(loaded),
        clock,
        queue,
        accounts: Default::default(),
        stop: Stop::default(),
        status: Status::default(),
    };
    let ingest = tokio::spawn(leadrelay_ingest::run(ctx.clone()));
    ready(ctx.status.address("ingest").await);
    closed().await;
    ctx.stop.drain();
    ingest.await.expect("ingest ends").expect("and well");
    ctx.queue.close().await;
}

async fn relay(loaded: Loaded) {
    let relay = Relay::start(loaded, Clock::real()).await.expect("a relay");
    relay.ready().await.expect("every service works");
    ready(relay.ctx.status.address("ingest").await);
    closed().await;
    relay.drain().await.expect("it drains");
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn ready(address: std::net::SocketAddr) {
    println!("{address}");
}

/// Waits until the parent closes our input.
async fn closed() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    read.await.expect("reading ends").expect("its input can be read");
}
