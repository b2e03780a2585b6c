//! A connector that logs in: one login for everybody, ended tokens replaced once, refused ones not asked for again and again.

use std::time::Duration;

use futures_util::future::join_all;
use leadrelay_shared::connector::Connector;
use leadrelay_shared::delivery::Delivery;
use leadrelay_shared::error::{Blame, ErrorKind};

use super::TokenWorld;
use super::rig::{Rig, connector, discreet};
use crate::{Fault, How, Plan, samples};

/// Long enough for a refusal to be asked about again.
const REFUSAL_STANDS: Duration = Duration::from_mins(1);

fn many() -> Vec<Delivery> {
    (0..20).map(samples::delivery).collect()
}

/// Single-flight: twenty attempts at once make one login, and those whose token has ended make one more.
pub async fn twenty_at_once_log_in_once<C: Connector, W: TokenWorld>() {
    let rig = Rig::<C, W>::new().await;
    rig.world.one_login_at_a_time();
    for round in 1..=2 {
        let many = many();
        let outcomes = join_all(many.iter().map(|delivery| rig.connector.deliver(delivery))).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(rig.world.logins(), round, "logins");
        // All twenty meet an ended token in the second round.
        rig.world.end_tokens();
    }
    assert_eq!(rig.world.total(), 20);
}

/// A secret that is refused is asked about once by all who wait, and not again for each lead that follows.
pub async fn a_refused_credential_is_asked_about_once<C: Connector, W: TokenWorld>() {
    let rig = Rig::<C, W>::new().await;
    let connector: C = connector(rig.world.wrong_settings(), Duration::from_secs(60), true, &rig.clock);
    for _ in 0..2 {
        let many = many();
        for outcome in join_all(many.iter().map(|delivery| connector.deliver(delivery))).await {
            discreet(&outcome, &rig.world.secrets());
            assert_eq!(outcome.expect_err("refused").kind, ErrorKind::Unauthorized);
        }
    }
    assert_eq!((rig.world.logins(), rig.world.total()), (1, 0));
    rig.clock.advance(REFUSAL_STANDS);
    assert!(connector.deliver(&samples::delivery(1)).await.is_err());
    assert_eq!(rig.world.logins(), 2, "it is asked about again later");
}

/// What was taken back is found out by one login, and is the destination's trouble.
pub async fn a_revoked_credential_is_unauthorized<C: Connector, W: TokenWorld>() {
    let rig = Rig::<C, W>::new().await;
    rig.delivers(&samples::delivery(1)).await;
    rig.world.revoke();
    rig.fails_as(ErrorKind::Unauthorized, &samples::delivery(2)).await;
    rig.fails_as(ErrorKind::Unauthorized, &samples::delivery(3)).await;
    assert_eq!((rig.world.logins(), rig.world.total()), (2, 1));
}

/// A token that the API refuses is replaced once for an attempt.
pub async fn a_token_that_is_refused_is_replaced_once<C: Connector, W: TokenWorld>() {
    let rig = Rig::<C, W>::new().await;
    rig.world.server().plan(Plan::Always(Fault::before(How::Status(401))));
    rig.fails_as(ErrorKind::Unauthorized, &samples::delivery(1)).await;
    assert_eq!((rig.world.logins(), rig.world.server().requests()), (2, 2));
}

/// Whatever befalls a login, no lead is at fault, and the next login works.
pub async fn a_login_that_fails_is_not_about_a_lead<C: Connector, W: TokenWorld>() {
    let faults = [400, 401, 403, 404, 500].map(How::Status);
    for how in faults.into_iter().chain([How::Echo(400), How::Echo(200), How::Cut, How::CutAnswer, How::Garbage]) {
        let rig = Rig::<C, W>::new().await;
        rig.world.login().plan(Plan::once(Fault::before(how.clone())));
        let outcome = rig.connector.deliver(&samples::delivery(1)).await;
        discreet(&outcome, &rig.world.secrets());
        let error = outcome.expect_err("there is no login");
        assert_ne!(error.kind.about(), Blame::Lead, "{how:?}: {error:?}");
        rig.clock.advance(REFUSAL_STANDS);
        rig.recovers(&samples::delivery(1)).await;
    }
}

/// Where tokens are given is asked to wait: it is left alone for as long as it says.
pub async fn a_login_that_is_throttled_waits<C: Connector, W: TokenWorld>() {
    let rig = Rig::<C, W>::new().await;
    rig.world.login().plan(Plan::once(Fault::before(How::Wait(429, "90".to_owned()))));
    for _ in 0..2 {
        let error = rig.fails_as(ErrorKind::Throttled, &samples::delivery(1)).await;
        assert_eq!(error.retry_at, Some(samples::start() + Duration::from_secs(90)));
    }
    assert_eq!(rig.world.login().requests(), 1);
    rig.clock.advance(Duration::from_secs(90));
    rig.recovers(&samples::delivery(1)).await;
}
