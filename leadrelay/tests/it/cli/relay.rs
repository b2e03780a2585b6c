//! The composition, called in this process.

use std::net::TcpListener;

use leadrelay::connectors::loader;
use leadrelay::relay::Relay;
use leadrelay_shared::clock::Clock;

use super::support::{Home, TOKEN};

fn config(ingest: &str) -> String {
    format!(
        "[ingest]\nlisten = '{ingest}'\n[admin]\nlisten = '127.0.0.1:0'\n[sources.addon]\ntokens = ['{TOKEN}']\n\
         [destinations.inbox]\nconnector = 'file'\npath = 'out'\n[[routes]]\nname = 'all'\nto = 'inbox'\n"
    )
}

async fn start(home: &Home) -> Relay {
    let loaded = loader().load(&home.path("leadrelay.toml")).expect("a sound configuration");
    Relay::start(loaded, Clock::real()).await.expect("the queue opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_comes_up_and_stops_as_asked() {
    let home = Home::with(&config("127.0.0.1:0"));
    let relay = start(&home).await;
    relay.ready().await.expect("all of them work");
    let parts = relay.ctx.status.parts();
    for part in ["ingest", "router", "deliver.inbox", "ledger"] {
        assert!(parts.contains_key(part), "{part} in {parts:?}");
    }
    relay.drain().await.expect("all of them stop");
    relay.drain().await.expect("a second time is as good");
    drop(relay);
    start(&home).await.stop_now();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_start_is_named_with_the_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let home = Home::with(&config(&taken.local_addr().expect("an address").to_string()));
    let relay = start(&home).await;
    let error = relay.ready().await.expect_err("the port is taken").to_string();
    assert!(error.starts_with("ingest ended unexpectedly: ") && error.contains("another program"), "{error}");
    relay.drain().await.expect_err("the failure is still told");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_stopped_at_once_are_not_failures() {
    let home = Home::with(&config("127.0.0.1:0"));
    let relay = start(&home).await;
    relay.ready().await.expect("all of them work");
    relay.stop_now();
    relay.drain().await.expect("all of them stop");
}
