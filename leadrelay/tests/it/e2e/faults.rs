//! What destinations do to us, and that leads get there all the same.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leadrelay_shared::clock::Clock;
use leadrelay_testkit::samples::lead_json;
use leadrelay_testkit::{Fault, How, Plan};
use serde_json::json;

use crate::support::world::{self, ALL_TO_PARTNER, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_the_effect_makes_one_record() {
    world::run(ALL_TO_PARTNER, async |world| {
        world.receiver.plan(Plan::List(vec![Some(Fault::after(How::Cut)), Some(Fault::after(How::Status(500)))]));
        let id = world.accepted(lead_json(1)).await;
        let lead = world.until(&id, "delivered").await;
        assert_eq!(lead["deliveries"][0]["attempts"], 3, "{lead:#}");
        assert_eq!(world.receiver.distinct(), 1, "three requests, one record");
        assert_eq!(world.receiver.server.requests(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_down_pauses_alone_and_comes_back() {
    let more = format!(
        "[destinations.inbox]\nconnector = \"file\"\npath = \"inbox\"\n{ALL_TO_PARTNER}[[routes]]\nname = \"copy\"\nto = \"inbox\"\n"
    );
    world::run(&more, async |world| {
        world.receiver.plan(Plan::Always(Fault::before(How::Status(503))));
        let mut ids = Vec::new();
        for n in 0..30 {
            ids.push(world.accepted(lead_json(n)).await);
        }
        world
            .eventually("the partner is paused and every file is there", async |world| {
                let (_, destinations) = world.api("GET", "/api/v1/destinations", None).await;
                let state = |name: &str| {
                    destinations["items"]
                        .as_array()
                        .or(destinations.as_array())
                        .and_then(|all| all.iter().find(|d| d["name"] == name).cloned())
                        .unwrap_or_default()
                };
                state("partner")["paused"] == true
                    && state("inbox")["delivered"] == 30
                    && state("inbox")["paused"] == false
            })
            .await;
        assert_eq!(world.receiver.distinct(), 0);
        world.receiver.plan(Plan::Sound);
        for id in &ids {
            world.until(id, "delivered").await;
        }
        assert_eq!(world.receiver.distinct(), 30);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_lead_is_parked_and_its_replay_has_the_same_id() {
    world::run(ALL_TO_PARTNER, async |world| {
        world.receiver.plan(Plan::once(Fault::before(How::Status(422))));
        let id = world.accepted(lead_json(1)).await;
        let lead = world.until_parked(&id, "parked").await;
        assert_eq!(lead["deliveries"][0]["parked"]["kind"], "rejected", "{lead:#}");
        let (status, replayed) =
            world.api("POST", "/api/v1/replay", Some(json!({"filter": {"destination": "partner"}}))).await;
        assert_eq!((status, &replayed["count"]), (200, &json!(1)), "{replayed}");
        let lead = world.until(&id, "delivered").await;
        assert_eq!(lead["deliveries"][0]["round"], 1, "{lead:#}");
        assert!(world.receiver.has(&World::delivery(&id, "partner")));
        assert_eq!(world.receiver.distinct(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_time_is_honoured_in_full_and_then_not_a_moment_is_lost() {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
    let clock = Clock::manual(start);
    world::run_with(clock.clone(), ALL_TO_PARTNER, async |world| {
        world.receiver.plan(Plan::once(Fault::before(How::Wait(429, "7200".to_owned()))));
        let id = world.accepted(lead_json(1)).await;
        world.until(&id, "deferred").await;
        clock.advance(Duration::from_secs(7100));
        // Another lead comes while the destination is paused: it must wait as well.
        let other = world.accepted(lead_json(2)).await;
        world.until(&other, "routed").await;
        assert_eq!(world.receiver.server.requests(), 1, "nothing is sent into a known pause");
        clock.advance(Duration::from_secs(101));
        world.until(&id, "delivered").await;
        world.until(&other, "delivered").await;
        assert_eq!(world.receiver.distinct(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_makes_no_storm_and_no_stall() {
    for hours in [1, -1] {
        let start: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let clock = Clock::manual(start);
        world::run_with(clock.clone(), ALL_TO_PARTNER, async |world| {
            world.receiver.plan(Plan::once(Fault::before(How::Wait(429, "600".to_owned()))));
            let first = world.accepted(lead_json(1)).await;
            world.until(&first, "deferred").await;
            clock.jump(SignedDuration::from_hours(hours));
            let second = world.accepted(lead_json(2)).await;
            world.until(&second, "routed").await;
            assert_eq!(
                world.receiver.server.requests(),
                1,
                "no storm: the pause lasts in spite of the jump by {hours} h"
            );
            clock.advance(Duration::from_secs(601));
            world.until(&first, "delivered").await;
            world.until(&second, "delivered").await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_flow_while_the_ledger_cannot_open_its_store() {
    world::run(ALL_TO_PARTNER, async |world| {
        let database = world.dir.path().join("data/ledger.db");
        world.relay.drain().await.expect("it drains");
        for file in ["data/ledger.db-wal", "data/ledger.db-shm"] {
            // Gone already where every connection has been closed.
            let _ = std::fs::remove_file(world.dir.path().join(file));
        }
        // A new file: the one that was there may still be open in this process.
        std::fs::remove_file(&database).expect("it was there");
        std::fs::write(&database, "this is no database ".repeat(500)).expect("written");
        world.restart().await;
        let (status, ready) = world.api("GET", "/readyz", None).await;
        assert_eq!((status, &ready["parts"]["ledger"]["state"]), (200, &json!("blocked")), "{ready}");
        assert_eq!(world.api("GET", "/api/v1/leads", None).await.0, 503);
        let id = world.accepted(lead_json(1)).await;
        let delivery = World::delivery(&id, "partner");
        world.eventually("the lead arrives", async |world| world.receiver.has(&delivery)).await;
        std::fs::remove_file(&database).expect("moved away, as the log says");
        world.until(&id, "delivered").await;
    })
    .await;
}
