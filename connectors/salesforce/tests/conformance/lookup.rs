//! Leads that are there already: known by their id, or by their likeness where the org has no field for it.

use std::time::Duration;

use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{DuplicateRule, Fault, How, Plan};
use serde_json::json;

use super::rig::{Rig, lead, leads};

#[tokio::test]
async fn a_redelivery_that_a_duplicate_rule_takes_for_its_own_double_has_arrived() {
    for rule in [DuplicateRule::Alert, DuplicateRule::Block] {
        let rig = Rig::new().await;
        rig.org().duplicate_rule(rule);
        let delivery = lead(1, &json!({}));
        rig.world.server.plan(Plan::once(Fault::after(How::Cut)));
        rig.fails_as(ErrorKind::Uncertain, &delivery).await;
        let receipt = rig.delivers(&delivery).await;
        assert!(receipt.existed && receipt.record.is_some() && receipt.link.is_some(), "{receipt:?}");
        let outcomes = rig.connector.deliver_many(&leads(3)).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(rig.world.total(), 3);
    }
}

#[tokio::test]
async fn a_duplicate_that_names_neither_field_nor_record_is_looked_up() {
    let rig = Rig::new().await;
    rig.org().be_reticent();
    let first = rig.delivers(&lead(1, &json!({}))).await;
    let again = rig.delivers(&lead(1, &json!({}))).await;
    assert!(again.existed);
    assert_eq!(again.record, first.record);
}

#[tokio::test]
async fn a_refused_lead_is_not_parked_while_it_is_not_known_whether_it_is_there() {
    let rig = Rig::new().await;
    let wrong = lead(1, &json!({"Email": "nobody"}));
    rig.world.server.plan(Plan::List(vec![None, Some(Fault::before(How::Status(503)))]));
    rig.fails_as(ErrorKind::Unavailable, &wrong).await;
    rig.fails_as(ErrorKind::Rejected, &wrong).await;
}

#[tokio::test]
async fn without_a_field_for_the_id_a_lost_answer_still_makes_one_record() {
    let rig = Rig::with(&json!({"external_id_field": "none"})).await;
    rig.org().remove_field("LeadRelay_Id__c");
    let odd = lead(1, &json!({"LastName": r"O'Brien\", "LeadSource": "Web"}));
    rig.world.server.plan(Plan::List(vec![None, Some(Fault::after(How::Cut))]));
    rig.fails_as(ErrorKind::Uncertain, &odd).await;
    assert!(rig.delivers(&odd).await.existed);
    let batch = leads(60);
    rig.world.server.plan(Plan::List(vec![None, Some(Fault::after(How::Garbage))]));
    assert!(rig.connector.deliver_many(&batch).await.iter().all(Result::is_err));
    let outcomes = rig.connector.deliver_many(&batch).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|receipt| receipt.existed)), "{outcomes:?}");
    assert_eq!(rig.world.total(), 61);
}

#[tokio::test]
async fn a_lead_that_is_alike_but_came_before_is_another() {
    let rig = Rig::with(&json!({"external_id_field": "none"})).await;
    let first = lead(1, &json!({}));
    rig.delivers(&first).await;
    rig.clock.advance(Duration::from_hours(1));
    let mut later = first.clone();
    later.accepted_at = rig.clock.now();
    assert!(!rig.delivers(&later).await.existed, "the same person asks again");
    assert!(!rig.delivers(&lead(1, &json!({"LeadSource": "Web"}))).await.existed, "and about something else");
    assert_eq!(rig.world.total(), 3);
}

#[tokio::test]
async fn a_lead_that_nothing_tells_from_another_is_parked() {
    let rig = Rig::with(&json!({"external_id_field": "none"})).await;
    let nobody = lead(1, &json!({"LastName": "", "Company": " ", "Email": ""}));
    let error = rig.fails_as(ErrorKind::Rejected, &nobody).await;
    assert!(error.message.contains("external_id_field"), "{error}");
    assert_eq!(rig.world.server.requests(), 0);
}
