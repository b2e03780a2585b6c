//! From the door to the destination, and what becomes of leads that do not get there by themselves.

use leadrelay_testkit::samples::lead_json;
use serde_json::json;

use crate::support::world::{self, ALL_TO_PARTNER, World};

/// The published test lead, over several lines and without the comma that Microsoft's page leaves out.
const BROKEN: &str = r#"{
  "userDetails": {
    "FirstName": "MSFT_TEST_636573304831318844",
    "LastName": "MSFT_TEST_636573304831318844",
    "Email": "MSFT_TEST_636573304831318844@test.com",
    "Phone": "1234567890",
    "Country": "US",
    "Company": "MSFT_TEST_636573304831318844",
    "Title": "MSFT_TEST_636573304831318844"
  },
  "LeadSource": "AzureMarketplace",
  "ActionCode": "INS",
  "OfferTitle": "Contoso Test"
  "Description": "MSFT_TEST_636573304831318844"
}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_arrives_and_its_story_is_told() {
    world::run(ALL_TO_PARTNER, async |world| {
        let id = world.accepted(lead_json(1)).await;
        let lead = world.until(&id, "delivered").await;
        let kinds: Vec<_> =
            lead["timeline"].as_array().expect("a timeline").iter().map(|e| e["kind"].clone()).collect();
        assert_eq!(kinds, ["accepted", "routed", "delivered"], "{lead:#}");
        assert!(world.receiver.has(&World::delivery(&id, "partner")));
        assert_eq!(world.receiver.distinct(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_is_answered_with_the_first_id_and_delivered_once() {
    world::run(ALL_TO_PARTNER, async |world| {
        let id = world.accepted(lead_json(1)).await;
        let (status, answer) = world.post(lead_json(1)).await;
        assert_eq!((status, &answer["status"], &answer["id"]), (202, &json!("duplicate"), &json!(id)));
        let lead = world.until(&id, "delivered").await;
        assert_eq!(lead["lead"]["id"], json!(id));
        world
            .eventually("the resend is in the ledger", async |world| {
                world.until(&id, "delivered").await["lead"]["duplicates"] == 1
            })
            .await;
        assert_eq!(world.receiver.server.requests(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_test_lead_is_quarantined_repaired_and_delivered() {
    world::run(ALL_TO_PARTNER, async |world| {
        let (status, answer) = world.post(BROKEN).await;
        assert_eq!((status, &answer["status"]), (202, &json!("quarantined")));
        let id = answer["id"].as_str().expect("an id").to_owned();
        world.until_parked(&id, "quarantined").await;
        // What is parked and what happened come as two messages, in any order.
        world
            .eventually("its faults are told", async |world| {
                world.until(&id, "quarantined").await["faults"][0].is_object()
            })
            .await;
        let lead = world.until(&id, "quarantined").await;
        let fault = &lead["faults"][0];
        assert_eq!(fault["pointer"], "/OfferTitle", "{lead:#}");
        let reason = fault["reason"].as_str().expect("a reason");
        assert!(reason.contains("comma") && reason.contains("line 14"), "{reason}");

        let path = format!("/api/v1/parked/{id}/repair");
        let (status, still) = world.api("POST", &path, Some(json!({"body": BROKEN}))).await;
        assert_eq!(status, 422, "what is still broken stays: {still}");
        let mended = BROKEN.replace("\"Contoso Test\"", "\"Contoso Test\",");
        let (status, answer) = world.api("POST", &path, Some(json!({"body": mended}))).await;
        assert_eq!(status, 200, "{answer}");
        let lead = world.until(&id, "delivered").await;
        assert_eq!(lead["lead"]["test"], true);
        assert!(world.receiver.has(&World::delivery(&id, "partner")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_matches_no_route_is_parked_and_says_so() {
    let never = "[[routes]]\nname = \"never\"\nwhen = \"lead.offer == 'nothing-has-this'\"\nto = \"partner\"\n";
    world::run(never, async |world| {
        let id = world.accepted(lead_json(1)).await;
        world.until_parked(&id, "unmatched").await;
        let (_, parked) = world.api("GET", "/api/v1/parked", None).await;
        assert_eq!(parked["items"][0]["lead"], json!(id), "{parked}");
        assert_eq!(parked["items"][0]["reason"]["kind"], "unmatched");
        assert_eq!(world.receiver.distinct(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_routes_make_several_deliveries() {
    let more = format!(
        "[destinations.inbox]\nconnector = \"file\"\npath = \"inbox\"\n{ALL_TO_PARTNER}\
         [[routes]]\nname = \"copy\"\nto = \"inbox\"\n[routes.fields]\nmail = \"{{{{ lead.email }}}}\"\nn = 8\n"
    );
    world::run(&more, async |world| {
        let id = world.accepted(lead_json(7)).await;
        let lead = world.until(&id, "delivered").await;
        assert_eq!(lead["deliveries"].as_array().map(Vec::len), Some(2), "{lead:#}");
        let file = world.dir.path().join("inbox").join(format!("{}.json", World::delivery(&id, "inbox")));
        let written: serde_json::Value = serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
        assert_eq!(written["record"]["n"], 8);
        assert!(written["record"]["mail"].as_str().is_some_and(|m| m.contains("@")), "{written}");
    })
    .await;
}
