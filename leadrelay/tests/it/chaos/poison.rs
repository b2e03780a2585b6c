//! A message that ends its worker each time: it is parked, and its neighbours live.

use std::slice::from_ref;

use leadrelay_testkit::broker;

use super::fleet::{Fleet, INGEST, LEDGER, ROUTER, WEBHOOK};
use super::report::Row;
use crate::support::chance::Moments;
use crate::support::world;

/// Ends the worker after the effect, before it is settled.
const POINT: (&str, &str) = ("FAILPOINTS", "worker::before_settle=return");
/// More often than a message may end its worker.
const STARTS_MAX: u64 = 40;

pub(crate) async fn pill(_: &mut Moments, _: u64) -> Row {
    let broker = broker::shared().await;
    let mut fleet = Fleet::on(from_ref(broker), &[broker.port()]).await;
    for name in [LEDGER, ROUTER, INGEST] {
        fleet.start(name).await;
    }
    let poison = fleet.post_some(1).await.remove(0);
    let mut crashes = 0;
    // Each start claims it, delivers it, and ends.
    while crashes < u64::from(leadrelay_shared::queue::CRASHES_MAX) {
        fleet.begin(WEBHOOK, &[POINT]);
        fleet.ended(WEBHOOK).await;
        crashes += 1;
        assert!(crashes < STARTS_MAX);
    }
    let neighbours = fleet.post_some(20).await;
    fleet.start(WEBHOOK).await;
    let path = format!("/api/v1/leads/{poison}");
    let mut last = serde_json::Value::Null;
    for _ in 0..200 {
        last = fleet.ledger(&path).await;
        if last["lead"]["state"] == "parked" {
            break;
        }
        world::turn().await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(last["deliveries"][0]["parked"]["kind"], "crashed", "{last:#}");
    assert_eq!(neighbours.len(), 20);
    fleet.judged("a message kills its worker", crashes).await
}
