//! The fields of a CRM while the relay runs: what changed is told before a lead fails for it, and values are cut to what is there.

use leadrelay_shared::clock::Clock;
use leadrelay_testkit::conformance::World as _;
use leadrelay_testkit::samples::lead_json;
use leadrelay_testkit::{Column, Dataverse};
use serde_json::Value;

use crate::support::crms::destination;
use crate::support::world::{self, World};

const ROUTE: &str = r#"[[routes]]
name = "crm"
to = "crm"
[routes.fields]
subject = "A lead"
lastname = "{{ lead.last_name or 'unknown' }}"
companyname = "Contoso and its long name"
leadsourcecode = "Web"
"#;

/// What is told of how the routes fit.
async fn unfit(world: &World) -> Vec<String> {
    let (_, all) = world.api("GET", "/api/v1/destinations", None).await;
    let crm =
        all.as_array().and_then(|all| all.iter().find(|d| d["name"] == "crm").cloned()).expect("it is configured");
    let notes = crm["unfit"].as_array().cloned().unwrap_or_default();
    notes.iter().map(|note| format!("{}: {}", note["about"], note["text"]).replace('"', "")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_in_the_crm_is_told_before_a_lead_fails() {
    let dynamics = Dataverse::on(Clock::real()).await;
    let environment = dynamics.environment.clone();
    let crm = destination("crm", "dynamics", &dynamics.settings()).replace("timeout = \"2s\"", "check_every = \"1s\"");
    world::run(&format!("{crm}{ROUTE}"), async |world| {
        let first = world.accepted(lead_json(1)).await;
        world.until(&first, "delivered").await;
        assert_eq!(unfit(world).await, [""; 0]);
        environment.remove_column("leadsourcecode");
        environment.add_column(Column::new("contoso_region", "String", 20).level("ApplicationRequired"));
        environment.add_column(Column::new("companyname", "String", 10));
        let expected = [
            "routes[0].fields.companyname: is longer than the 10 characters of the field",
            "routes[0].fields.leadsourcecode: `crm` has no such field",
            "routes[0].fields: `crm` wants `contoso_region` in every record; give `contoso_region` a value",
        ];
        world.eventually("all three are told", async |world| unfit(world).await == expected).await;
        assert_eq!(dynamics.total(), 1, "no lead had to fail for it");
        environment.add_column(Column::new("leadsourcecode", "Picklist", 0).of(&[(7, "Web")]));
        environment.add_column(Column::new("contoso_region", "String", 20));
        world
            .eventually("what is mended is not told any more", async |world| unfit(world).await == expected[..1])
            .await;
        let second = world.accepted(lead_json(2)).await;
        let lead = world.until(&second, "delivered").await;
        let row = environment.row(&World::delivery(&second, "crm")).expect("its row");
        assert_eq!(
            (&row.values["companyname"], &row.values["leadsourcecode"]),
            (&Value::from("Contoso a…"), &Value::from(7))
        );
        assert!(lead.to_string().contains("cut from 25 to 10 characters"), "{lead:#}");
    })
    .await;
}
