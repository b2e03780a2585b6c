//! Sessions: one login for all, ended ones replaced once, refused ones not asked for again and again.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Fault, How, Org, Plan, Receiver, Salesforce, Server, samples};
use serde_json::json;

use super::rig::{Rig, connector, lead, merged};

#[tokio::test]
async fn twenty_at_once_log_in_once_where_a_second_login_would_be_refused() {
    let rig = Rig::new().await;
    rig.org().one_login_at_a_time();
    let batch: Vec<_> = (0..20).map(|n| lead(n, &json!({}))).collect();
    for round in 1..=2 {
        let outcomes = join_all(batch.iter().map(|delivery| rig.connector.deliver(delivery))).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let calls = rig.org().calls();
        assert_eq!((calls.tokens, calls.refused_tokens), (round, 0));
        // All twenty meet an ended session in the second round.
        rig.org().end_sessions();
    }
    assert_eq!(rig.world.total(), 20);
}

#[tokio::test]
async fn a_refused_credential_is_asked_for_once_by_ten_and_then_told() {
    let rig = Rig::with(&json!({"client_secret": "wr0ng-secret"})).await;
    let batch: Vec<_> = (0..10).map(|n| lead(n, &json!({}))).collect();
    let outcomes = join_all(batch.iter().map(|delivery| rig.connector.deliver(delivery))).await;
    for outcome in outcomes {
        let error = outcome.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Unauthorized);
        assert!(error.message.contains("`client_secret`") && !format!("{error:?}").contains("wr0ng"), "{error:?}");
    }
    assert_eq!((rig.org().calls().tokens, rig.world.total()), (1, 0));
}

#[tokio::test]
async fn a_revoked_application_is_unauthorized_and_tried_once() {
    let rig = Rig::new().await;
    rig.delivers(&lead(1, &json!({}))).await;
    rig.org().revoke();
    rig.fails_as(ErrorKind::Unauthorized, &lead(2, &json!({}))).await;
    assert_eq!(rig.org().calls().tokens, 2);
}

#[tokio::test]
async fn a_session_that_the_api_does_not_take_is_replaced_once() {
    let rig = Rig::new().await;
    rig.world.server.plan(Plan::Always(Fault::before(How::Status(401))));
    rig.fails_as(ErrorKind::Unauthorized, &lead(1, &json!({}))).await;
    assert_eq!((rig.org().calls().tokens, rig.world.server.requests()), (2, 2));
}

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
async fn a_login_that_fails_is_not_about_a_lead() {
    for how in [
        How::Status(400),
        How::Echo(400),
        How::Status(403),
        How::Status(404),
        How::Status(500),
        How::Echo(200),
        How::Cut,
    ] {
        let rig = Rig::new().await;
        rig.world.login.plan(Plan::once(Fault::before(how.clone())));
        let error = rig.connector.deliver(&lead(1, &json!({}))).await.expect_err("no login");
        assert_ne!(error.kind, ErrorKind::Rejected, "{how:?}: {error}");
        assert!(!format!("{error:?}").contains(Org::CLIENT_SECRET), "{error:?}");
        rig.delivers(&lead(1, &json!({}))).await;
    }
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
