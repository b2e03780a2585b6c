//! Logins that are Entra's own: certificates, clocks, tokens that expire, and calls that are too many.

use std::time::Duration;

use jiff::SignedDuration;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Dataverse, Environment, samples};
use serde_json::json;

use super::rig::{Rig, connector, lead, merged};

#[tokio::test]
async fn a_certificate_opens_the_environment() {
    let world = Dataverse::start().await;
    let settings = world.settings_with_certificate();
    let rig = Rig::of(world, settings);
    rig.delivers(&lead(1, &json!({}))).await;
    assert_eq!(rig.world.total(), 1);
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_its_error_in_seconds() {
    for (skew, words) in [(-600, "600 s slow"), (900, "900 s fast")] {
        let world = Dataverse::start().await;
        let clock = Clock::manual(samples::start() + SignedDuration::from_secs(skew));
        let connector = connector(world.settings_with_certificate(), &clock);
        let error = connector.deliver(&lead(1, &json!({}))).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Unauthorized);
        assert!(error.message.contains(words), "{error}");
        assert_eq!(world.total(), 0);
    }
}

#[tokio::test]
async fn each_wrong_part_of_a_login_is_named() {
    for (key, value, named) in [
        ("tenant_id", "contoso.onmicrosoft.com", "`tenant_id`"),
        ("client_id", "other", "`client_id`"),
        ("client_secret", "wr0ng-secret", "`client_secret`"),
        ("url", "http://127.0.0.1:1", "`url`"),
    ] {
        let error = Rig::with(&json!({key: value})).await.fails_as(ErrorKind::Unauthorized, &lead(1, &json!({}))).await;
        assert!(error.message.contains(named), "{key}: {error}");
    }
}

#[tokio::test]
async fn a_certificate_that_the_application_does_not_have_is_told() {
    let world = Dataverse::start().await;
    // A certificate to those who do not look into it.
    let other = "-----BEGIN CERTIFICATE-----\nAQIDBA==\n-----END CERTIFICATE-----\n";
    let settings = merged(world.settings_with_certificate(), &json!({"certificate": other}));
    let error = Rig::of(world, settings).fails_as(ErrorKind::Unauthorized, &lead(1, &json!({}))).await;
    assert!(error.message.contains("`certificate`"), "{error}");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_and_serves_although_the_secret_has_expired() {
    let rig = Rig::new().await;
    rig.delivers(&lead(1, &json!({}))).await;
    rig.clock.advance(Duration::from_secs(3599 - 200));
    rig.delivers(&lead(2, &json!({}))).await;
    assert_eq!(rig.environment().calls().tokens, 2, "renewed in its last five minutes");
    rig.environment().refuse_logins(7_000_222);
    rig.clock.advance(Duration::from_secs(3599 - 200));
    rig.delivers(&lead(3, &json!({}))).await;
    rig.delivers(&lead(4, &json!({}))).await;
    assert_eq!(rig.environment().calls().tokens, 3, "the refusal stands");
    rig.clock.advance(Duration::from_secs(200));
    let error = rig.fails_as(ErrorKind::Unauthorized, &lead(5, &json!({}))).await;
    assert!(error.message.contains("expired"), "{error}");
    assert_eq!(rig.world.server.requests(), 4, "no call is made with a token that has ended");
}

#[tokio::test]
async fn a_service_protection_limit_is_waited_out_in_full() {
    let rig = Rig::new().await;
    rig.environment().limit(3);
    for n in 0..3 {
        rig.delivers(&lead(n, &json!({}))).await;
        rig.clock.advance(Duration::from_secs(10));
    }
    let error = rig.fails_as(ErrorKind::Throttled, &lead(3, &json!({}))).await;
    assert_eq!(error.retry_at, Some(samples::start() + Duration::from_mins(5)));
    rig.clock.advance(Duration::from_secs(270));
    rig.delivers(&lead(3, &json!({}))).await;
    assert_eq!(rig.environment().calls().into_pause, 0);
}

#[tokio::test]
async fn a_user_that_may_not_call_is_the_destinations_trouble() {
    type Change = fn(&Environment);
    let changes: [(Change, &str); 4] = [
        (Environment::disable_user, "disabled"),
        (Environment::take_roles, "security role"),
        (Environment::remove_user, "application user"),
        (|environment| environment.take_privilege("prvCreateLead"), "prvCreateLead"),
    ];
    for (change, words) in changes {
        let rig = Rig::new().await;
        change(rig.environment());
        let error = rig.fails_as(ErrorKind::Misconfigured, &lead(1, &json!({}))).await;
        assert!(error.message.contains(words), "{error}");
        let error = rig.connector.check().await.expect_err("the check tells it too");
        assert!(
            error.kind == ErrorKind::Misconfigured && error.message.to_lowercase().contains(&words.to_lowercase()),
            "{error}"
        );
    }
}
