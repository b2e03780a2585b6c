//! Destinations that work in one account of a CRM: one login, one pause.

use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_testkit::conformance::World as _;
use leadrelay_testkit::samples::lead_json;
use leadrelay_testkit::{Column, Dataverse};
use serde_json::{Value, json};

use crate::support::crms::destination;
use crate::support::world::{self, World};

/// Two destinations in one environment, and a route to each.
async fn two_in_one() -> (Dataverse, String) {
    let dynamics = Dataverse::on(Clock::real()).await;
    let route = |to: &str| {
        format!(
            "[[routes]]\nname = \"{to}\"\nto = \"{to}\"\n[routes.fields]\nlastname = \"{{{{ lead.last_name }}}}\"\n"
        )
    };
    let destinations = ["east", "west"].map(|name| destination(name, "dynamics", &dynamics.settings()) + &route(name));
    (dynamics, destinations.concat())
}

/// The destination of this name, as operators see it.
async fn seen(world: &World, name: &str) -> Value {
    let (_, all) = world.api("GET", "/api/v1/destinations", None).await;
    all.as_array().and_then(|all| all.iter().find(|d| d["name"] == name).cloned()).expect("it is configured")
}

#[tokio::test(flavor = "multi_thread")]
async fn they_log_in_once_and_pause_and_resume_together() {
    let (dynamics, more) = two_in_one().await;
    let environment = dynamics.environment.clone();
    world::run(&more, async |world| {
        let first = world.accepted(lead_json(1)).await;
        world.until(&first, "delivered").await;
        assert_eq!((dynamics.total(), environment.calls().tokens), (2, 1));
        environment.throttle(Duration::from_secs(3));
        let second = world.accepted(lead_json(2)).await;
        world
            .eventually("both are paused", async |world| {
                seen(world, "east").await["paused"] == true && seen(world, "west").await["paused"] == true
            })
            .await;
        let calls = dynamics.server.requests();
        let mut waiting = vec![second];
        for n in 3..20 {
            waiting.push(world.accepted(lead_json(n)).await);
        }
        assert_eq!(dynamics.server.requests(), calls, "nobody calls into the pause");
        for id in &waiting {
            world.until(id, "delivered").await;
        }
        assert_eq!((dynamics.total(), environment.calls().into_pause, environment.calls().tokens), (38, 0, 1));
        world
            .eventually("both are resumed", async |world| {
                seen(world, "east").await["paused"] == false && seen(world, "west").await["paused"] == false
            })
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_one_table_pauses_nobody_else() {
    let (dynamics, more) = two_in_one().await;
    let environment = dynamics.environment.clone();
    let more = more.replacen("lastname", "contoso_name", 1);
    environment.add_column(Column::new("contoso_name", "String", 100));
    world::run(&more, async |world| {
        environment.remove_column("contoso_name");
        let id = world.accepted(lead_json(1)).await;
        world
            .eventually("one is delivered and one is parked", async |world| {
                let (_, lead) = world.api("GET", &format!("/api/v1/leads/{id}"), None).await;
                let states: Vec<&Value> =
                    lead["deliveries"].as_array().into_iter().flatten().map(|d| &d["state"]).collect();
                states.contains(&&json!("delivered")) && states.contains(&&json!("parked"))
            })
            .await;
        world.until_parked(&id, "parked").await;
    })
    .await;
}
