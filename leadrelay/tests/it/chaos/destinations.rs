//! What the configuration and the broker disagree about: a destination that is gone, and queues made by somebody else.

use std::slice::from_ref;
use std::time::Duration;

use leadrelay_testkit::broker;
use leadrelay_testkit::{Fault, How, Plan};
use serde_json::json;

use super::fleet::{Fleet, INGEST, LEDGER, ROUTER, WEBHOOK};
use super::report::Row;
use crate::support::chance::Moments;
use crate::support::partner::Partner;
use crate::support::world::{self, ALL_TO_PARTNER};

const LEADS: u64 = 3;

/// Its retries come back from their delay when there is no queue for them any more.
pub(crate) async fn removed(_: &mut Moments, _: u64) -> Row {
    let broker = broker::shared().await;
    let old = Partner::start(world::SECRET).await;
    old.plan(Plan::Always(Fault::before(How::Status(503))));
    let mut fleet = Fleet::on(from_ref(broker), &[broker.port()]).await;
    let destination = format!(
        "[destinations.old]\nconnector = \"webhook\"\nurl = \"{}\"\nsecret = \"{}\"\nallow_private_addresses = true\n\
         [destinations.old.retry]\nfirst_delay = \"20s\"\nmax_delay = \"20s\"\n\
         {ALL_TO_PARTNER}[[routes]]\nname = \"copy\"\nto = \"old\"\n",
        old.url(),
        world::SECRET
    );
    fleet.configure(&[broker.port()], r#"["10s"]"#, &destination);
    fleet.start_all().await;
    let ids = fleet.post_some(LEADS).await;
    old.server.has_seen(LEADS).await;
    let delayed = |fleet: &Fleet<'_>| {
        let held = fleet.messages();
        let there: u64 = held.iter().filter(|(name, _)| name.contains("delay")).map(|(_, n)| n).sum();
        there == LEADS && !held.contains_key("leadrelay.v1.topic.deliver.old")
    };
    world::eventually("its retries wait", async || delayed(&fleet)).await;
    for name in [WEBHOOK, ROUTER, INGEST, LEDGER] {
        fleet.kill(name).await;
    }
    assert!(delayed(&fleet), "they still do");
    broker.api("DELETE", &format!("/api/queues/{}/leadrelay.v1.topic.deliver.old", fleet.vhost), None).await;
    fleet.configure(&[broker.port()], r#"["10s"]"#, ALL_TO_PARTNER);
    fleet.start_all().await;
    for id in &ids {
        let path = format!("/api/v1/leads/{id}");
        let mut told = serde_json::Value::Null;
        for _ in 0..1200 {
            told = fleet.ledger(&path).await;
            if told["lead"]["state"] == "parked" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(told["lead"]["state"], "parked", "{told:#}");
    }
    fleet.judged("a destination is removed", 1).await
}

/// A queue of our name that is not ours is told once, with the remedy, and waited for.
pub(crate) async fn predeclared(_: &mut Moments, _: u64) -> Row {
    let broker = broker::shared().await;
    let mut fleet = Fleet::on(from_ref(broker), &[broker.port()]).await;
    let path = format!("/api/queues/{}/leadrelay.v1.topic.leads", fleet.vhost);
    broker.api("PUT", &path, Some(json!({"durable": true, "arguments": {}}))).await;
    fleet.begin(INGEST, &[]);
    fleet.begin(ROUTER, &[]).said("leadrelay.v1.topic.leads").await;
    fleet.door_is_open().await;
    let posting = fleet.post();
    // Long enough for a loop to show that it is one.
    tokio::time::sleep(Duration::from_secs(4)).await;
    fleet.posted(posting).await;
    let said = fleet.output(ROUTER);
    let told = said.lines().filter(|line| line.contains("leadrelay.v1.topic.leads")).collect::<Vec<_>>();
    assert!(told.len() == 1 && told[0].contains("delete it"), "{said}");
    assert!(said.lines().count() < 20, "{said}");
    broker.api("DELETE", &path, None).await;
    for name in [INGEST, ROUTER] {
        fleet.process(name).said(&format!("ready: {name}")).await;
    }
    fleet.judged("queues have other arguments", 1).await
}
