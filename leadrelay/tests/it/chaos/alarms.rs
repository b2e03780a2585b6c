//! A broker that is there and takes nothing: by an alarm of its memory or its disk, or because a queue is full.

use std::slice::from_ref;

use leadrelay_testkit::broker::{self, Broker};
use serde_json::json;

use super::fleet::{Fleet, LEDGER, ROUTER};
use super::report::Row;
use crate::support::chance::Moments;

pub(crate) async fn raised(moments: &mut Moments, rounds: u64) -> Row {
    let broker = Broker::start().await;
    let mut fleet = Fleet::on(from_ref(&broker), &[broker.port()]).await;
    fleet.trouble(moments);
    fleet.start_all().await;
    let posting = fleet.post();
    for _ in 0..rounds {
        moments.pass(200, 1000).await;
        broker.memory_alarm(true).await;
        fleet.says_anew(LEDGER, "RabbitMQ takes no messages for now").await;
        moments.pass(500, 2500).await;
        broker.memory_alarm(false).await;
        fleet.says_anew(LEDGER, "RabbitMQ takes messages again").await;
        moments.pass(200, 1000).await;
        broker.disk_alarm(true).await;
        fleet.says_anew(LEDGER, "RabbitMQ takes no messages for now").await;
        moments.pass(500, 2500).await;
        broker.disk_alarm(false).await;
        fleet.says_anew(LEDGER, "RabbitMQ takes messages again").await;
    }
    fleet.posted(posting).await;
    fleet.judged("alarms of memory and disk", rounds * 2).await
}

/// An operator bounds the front door's queue, and nobody empties it.
pub(crate) async fn full(moments: &mut Moments, rounds: u64) -> Row {
    let broker = broker::shared().await;
    let mut fleet = Fleet::on(from_ref(broker), &[broker.port()]).await;
    fleet.trouble(moments);
    fleet.start_all().await;
    for _ in 0..rounds {
        fleet.kill(ROUTER).await;
        broker.policy(&fleet.vhost, "full", "^leadrelay.v1.topic.leads$", json!({"max-length": 20})).await;
        let posting = fleet.post();
        moments.pass(1000, 2500).await;
        fleet.posted(posting).await;
        let held = fleet.messages().get("leadrelay.v1.topic.leads").copied().unwrap_or(0);
        assert!((20..200).contains(&held), "the queue is full, and ingest keeps the rest: {held}");
        fleet.start(ROUTER).await;
        broker.api("DELETE", &format!("/api/policies/{}/full", fleet.vhost), None).await;
    }
    fleet.judged("a queue is full", rounds).await
}
