//! The connection to the broker is there and not there: half open, and with confirms that come late or never.

use std::net::SocketAddr;
use std::slice::from_ref;

use leadrelay_testkit::broker::{self, Wire};

use super::fleet::{Fleet, LEDGER, ROUTER, WEBHOOK};
use super::report::Row;
use crate::support::chance::Moments;

async fn wire() -> Wire {
    Wire::to(SocketAddr::from(([127, 0, 0, 1], broker::shared().await.port()))).await
}

/// Nothing moves, and nobody says so: each service finds out by itself.
pub(crate) async fn half_open(moments: &mut Moments, rounds: u64) -> Row {
    // Finding out takes half a minute.
    let rounds = rounds.min(3);
    let wire = wire().await;
    let mut fleet = Fleet::on(from_ref(broker::shared().await), &[wire.address().port()]).await;
    fleet.trouble(moments);
    fleet.start_all().await;
    for name in [ROUTER, WEBHOOK, LEDGER] {
        fleet.says_anew(name, "connected to RabbitMQ").await;
    }
    let posting = fleet.post();
    for _ in 0..rounds {
        moments.pass(300, 1500).await;
        wire.freeze();
        for name in [ROUTER, WEBHOOK, LEDGER] {
            fleet.says_anew(name, "the connection to RabbitMQ is lost").await;
        }
        wire.mend();
        for name in [ROUTER, WEBHOOK, LEDGER] {
            fleet.says_anew(name, "connected to RabbitMQ").await;
        }
    }
    fleet.posted(posting).await;
    fleet.judged("connections are half open", rounds).await
}

/// Messages arrive, and their confirms are late, once later than anybody waits for; every second time they never come.
pub(crate) async fn confirms(moments: &mut Moments, rounds: u64) -> Row {
    let wire = wire().await;
    let mut fleet = Fleet::on(from_ref(broker::shared().await), &[wire.address().port()]).await;
    fleet.trouble(moments);
    fleet.start_all().await;
    let posting = fleet.post();
    for round in 0..rounds * 4 {
        moments.pass(200, 1200).await;
        wire.hold_answers();
        if round == 0 {
            moments.pass(11_000, 13_000).await;
        } else {
            moments.pass(50, 1000).await;
        }
        if round % 2 == 1 {
            wire.cut();
            moments.pass(1, 300).await;
        }
        wire.mend();
    }
    fleet.posted(posting).await;
    fleet.judged("confirms are late or lost", rounds * 4).await
}
