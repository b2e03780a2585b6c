//! Logins that are Salesforce's own: assertions, clocks, instances, and calls that are used up.

use std::time::Duration;

use jiff::SignedDuration;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Receiver, Salesforce, Server, samples};
use serde_json::json;

use super::rig::{Rig, connector, lead, merged};

#[tokio::test]
async fn an_assertion_opens_a_session() {
    let world = Salesforce::start().await;
    let settings = world.settings_with_key();
    let rig = Rig::of(world, settings);
    rig.delivers(&lead(1, &json!({}))).await;
    assert_eq!(rig.world.total(), 1);
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_its_error_in_seconds() {
    for (skew, words) in [(-600, "600 s slow"), (900, "900 s fast")] {
        let world = Salesforce::start().await;
        let clock = Clock::manual(samples::start() + SignedDuration::from_secs(skew));
        let connector = connector(world.settings_with_key(), &clock);
        let error = connector.deliver(&lead(1, &json!({}))).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Unauthorized);
        assert!(error.message.contains(words), "{error}");
        assert_eq!(world.total(), 0);
    }
}

#[tokio::test]
async fn each_wrong_part_of_an_assertion_is_named() {
    for (key, value, named) in [
        ("audience", "https://example.com", "`audience`"),
        ("username", "nobody@example.com", "`username`"),
        ("client_id", "other", "login history"),
    ] {
        let world = Salesforce::start().await;
        let settings = merged(world.settings_with_key(), &json!({key: value}));
        let error = Rig::of(world, settings).fails_as(ErrorKind::Unauthorized, &lead(1, &json!({}))).await;
        assert!(error.message.contains(named), "{key}: {error}");
    }
}

#[tokio::test]
async fn no_token_goes_to_an_instance_that_is_none() {
    let stranger = Server::start(Receiver::new("whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0")).await;
    let rig = Rig::new().await;
    let elsewhere = stranger.url().replace("127.0.0.1", "localhost");
    rig.org().send_elsewhere(&elsewhere);
    let error = rig.fails_as(ErrorKind::Misconfigured, &lead(1, &json!({}))).await;
    assert!(error.message.contains("no token is sent there"), "{error}");
    assert_eq!((stranger.requests(), rig.world.server.requests()), (0, 0));
}

#[tokio::test]
async fn used_up_calls_are_left_alone_for_an_hour() {
    let rig = Rig::new().await;
    rig.org().limit(100_000, 100_000);
    let error = rig.fails_as(ErrorKind::Throttled, &lead(1, &json!({}))).await;
    assert_eq!(error.retry_at, Some(rig.clock.now() + Duration::from_hours(1)));
    rig.org().limit(99_000, 100_000);
    rig.delivers(&lead(1, &json!({}))).await;
}
