//! The broker goes away, suddenly or for long, and comes back on its own data.

use std::slice::from_ref;
use std::time::Duration;

use leadrelay_testkit::broker::Broker;
use leadrelay_testkit::{Fault, How, Plan};

use super::fleet::Fleet;
use super::report::Row;
use crate::support::chance::Moments;

/// Longer than the longest step of a delay.
const LONG: Duration = Duration::from_secs(4);

pub(crate) async fn killed(moments: &mut Moments, rounds: u64) -> Row {
    let broker = Broker::start().await;
    let mut fleet = Fleet::on(from_ref(&broker), &[broker.port()]).await;
    fleet.trouble(moments);
    fleet.start_all().await;
    let posting = fleet.post();
    for _ in 0..rounds {
        moments.pass(300, 2000).await;
        broker.kill();
        moments.pass(1, 1000).await;
        broker.start_again().await;
    }
    moments.pass(300, 2000).await;
    fleet.posted(posting).await;
    fleet.judged("the broker is killed", rounds).await
}

/// Retries wait in every step when it stops, and all of them are overdue when it is back.
pub(crate) async fn stopped(moments: &mut Moments, rounds: u64) -> Row {
    let broker = Broker::start().await;
    let mut fleet = Fleet::on(from_ref(&broker), &[broker.port()]).await;
    fleet.set("DESTINATIONS__PARTNER__RETRY__FIRST_DELAY", "300ms");
    fleet.set("DESTINATIONS__PARTNER__RETRY__MAX_DELAY", "3s");
    let faults = vec![Fault::before(How::Status(503)), Fault::after(How::Cut)];
    fleet.partner.plan(Plan::Share { seed: moments.next(1 << 30), percent: 20, faults });
    fleet.start_all().await;
    let posting = fleet.post();
    for _ in 0..rounds {
        moments.pass(1000, 3000).await;
        broker.stop();
        tokio::time::sleep(LONG).await;
        broker.start_again().await;
    }
    fleet.posted(posting).await;
    fleet.judged("the broker is away for long", rounds).await
}
