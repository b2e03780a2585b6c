//! What a server says, where a connection may go, and what is told about it.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;

use super::HttpWorld;
use super::rig::{PATIENT, Rig, connector, discreet, marked};
use crate::stranger::Stranger;
use crate::{Fault, How, Plan, Receiver, Server, samples};

async fn is_throttled_for<C: Connector, W: HttpWorld>(rig: &Rig<C, W>, wish: &str, expected: SignedDuration) {
    let delivery = samples::delivery(1);
    rig.world.server().plan(Plan::Always(Fault::before(How::Wait(429, wish.to_owned()))));
    let error = rig.fails_as(ErrorKind::Throttled, &delivery).await;
    assert_eq!(error.retry_at, Some(rig.clock.now() + expected), "{wish}: {error:?}");
    assert_eq!(error.status, Some(429));
    rig.world.server().plan(Plan::Sound);
    rig.recovers(&delivery).await;
}

/// The server's time, in full.
pub async fn a_429_in_seconds_is_honoured_in_full<C: Connector, W: HttpWorld>() {
    is_throttled_for(&Rig::<C, W>::new().await, "7200", SignedDuration::from_hours(2)).await;
}

/// The server's time, in full, by the connector's own clock.
pub async fn a_429_by_date_is_honoured_in_full<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    is_throttled_for(&rig, "Mon, 23 Nov 2026 13:00:00 GMT", SignedDuration::from_hours(1)).await;
    rig.clock.advance(Duration::from_secs(1800));
    is_throttled_for(&rig, "Monday, 23-Nov-26 13:00:00 GMT", SignedDuration::from_mins(30)).await;
}

/// Without a time the destination waits all the same, and not for ever.
pub async fn a_429_without_a_time_waits_as_well<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    let delivery = samples::delivery(1);
    rig.world.server().plan(Plan::Always(Fault::before(How::Status(429))));
    let error = rig.fails_as(ErrorKind::Throttled, &delivery).await;
    let (now, day) = (rig.clock.now(), SignedDuration::from_hours(24));
    assert!(error.retry_at.is_none_or(|at| now < at && at <= now + day), "{error:?}");
    rig.world.server().plan(Plan::Sound);
    rig.recovers(&delivery).await;
}

/// A refused credential is about the destination, and no lead is parked for it.
pub async fn a_401_is_unauthorized<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    let delivery = samples::delivery(1);
    rig.world.server().plan(Plan::Always(Fault::before(How::Status(401))));
    rig.fails_as(ErrorKind::Unauthorized, &delivery).await;
    rig.world.server().plan(Plan::Sound);
    rig.recovers(&delivery).await;
}

/// A lead goes where the configuration says and nowhere else.
pub async fn a_redirect_is_not_followed<C: Connector, W: HttpWorld>() {
    let elsewhere = Server::start(Receiver::new("whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0")).await;
    let rig = Rig::<C, W>::new().await;
    rig.world.server().plan(Plan::Always(Fault::before(How::Redirect(elsewhere.url()))));
    rig.fails_as(ErrorKind::Misconfigured, &samples::delivery(1)).await;
    assert_eq!(elsewhere.requests(), 0);
}

/// A lead is not told to whoever answers at the address: the certificate is looked at first.
pub async fn a_certificate_that_is_not_trusted_is_not_talked_to<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    let stranger = Stranger::start().await;
    let connector = connector::<C>(elsewhere(&rig.world.settings(), stranger.address()), PATIENT, true, &rig.clock);
    for error in [
        connector.deliver(&samples::delivery(1)).await.expect_err("the certificate is refused"),
        connector.check().await.expect_err("the certificate is refused"),
    ] {
        assert_eq!(error.kind, ErrorKind::Misconfigured, "{error:?}");
        assert!(error.message.contains("certificate"), "the reason is not named: {error:?}");
    }
    assert_eq!((stranger.heard(), rig.world.server().requests()), (0, 0));
}

/// `settings` with every address of this machine replaced by `https://` and another.
fn elsewhere(settings: &serde_json::Value, address: SocketAddr) -> serde_json::Value {
    let text = settings.to_string();
    let mut parts = text.split("http://127.0.0.1:");
    let mut moved = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        moved.push_str(&format!("https://{address}{rest}"));
    }
    serde_json::from_str(&moved).unwrap_or_default()
}

/// Loopback is private, and a destination that may not be there is not even connected to.
pub async fn private_addresses_are_refused_unless_allowed<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    is_misconfigured(&rig, rig.world.over_tls()).await;
}

/// Plain HTTP shows a lead to whoever listens.
pub async fn plain_http_is_refused_outside_private_networks<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    is_misconfigured(&rig, rig.world.settings()).await;
}

async fn is_misconfigured<C: Connector, W: HttpWorld>(rig: &Rig<C, W>, settings: serde_json::Value) {
    let guarded = connector::<C>(settings, Duration::from_secs(60), false, &rig.clock);
    let error = guarded.deliver(&samples::delivery(1)).await.expect_err("the address is refused");
    assert_eq!(error.kind, ErrorKind::Misconfigured, "{error:?}");
    assert!(error.message.contains("allow_private_addresses"), "the remedy is not named: {error:?}");
    let error = guarded.check().await.expect_err("the address is refused");
    assert_eq!(error.kind, ErrorKind::Misconfigured, "{error:?}");
    assert_eq!(rig.world.server().requests(), 0);
}

/// Discreet: whatever a server answers, also the request itself, no text shows a secret or a value of the lead.
pub async fn shows_no_secret_and_no_lead_in_any_failure<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::hasty().await;
    let (delivery, mark) = marked();
    let mut marks = rig.world.secrets();
    marks.push(mark.to_owned());
    let statuses = [200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 412, 413, 418, 422, 429, 500, 502, 503];
    let mut faults: Vec<How> = statuses.into_iter().map(How::Echo).collect();
    faults.extend([How::Hang, How::Cut, How::CutAnswer, How::Garbage, How::Drip, How::Oversize(1 << 20)]);
    faults.push(How::Redirect(format!("https://crm.example.com/{mark}")));
    faults.push(How::Wait(429, mark.to_owned()));
    for how in faults {
        rig.world.server().plan(Plan::Always(Fault::before(how)));
        discreet(&rig.connector.deliver(&delivery).await, &marks);
        discreet(&rig.connector.check().await.map(|_| Default::default()), &marks);
    }
    rig.world.server().refuse().await;
    discreet(&rig.connector.deliver(&delivery).await, &marks);
}
