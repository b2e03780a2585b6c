//! `kill -9` of each service at random moments.

use std::slice::from_ref;

use leadrelay_testkit::broker;

use super::fleet::{Fleet, SERVICES};
use super::report::Row;
use crate::support::chance::Moments;

pub(crate) async fn services(moments: &mut Moments, rounds: u64) -> Row {
    let broker = broker::shared().await;
    let mut fleet = Fleet::on(from_ref(broker), &[broker.port()]).await;
    fleet.trouble(moments);
    fleet.start_all().await;
    let posting = fleet.post();
    let mut kills = 0;
    for _ in 0..rounds {
        // Each once, and in an order of its own.
        let first = usize::try_from(moments.next(4)).expect("small");
        for n in 0..SERVICES.len() {
            moments.pass(100, 1500).await;
            let name = SERVICES[(first + n) % SERVICES.len()];
            fleet.kill(name).await;
            fleet.start(name).await;
            kills += 1;
        }
    }
    fleet.posted(posting).await;
    fleet.judged("a service is killed", kills).await
}
