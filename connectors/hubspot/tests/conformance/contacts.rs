//! One person, one contact: whoever comes first, and whatever comes between.

use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Fault, How, Plan};
use serde_json::json;

use super::rig::{Rig, lead};

#[tokio::test]
async fn a_person_is_one_contact_and_each_lead_a_lead_of_it() {
    let rig = Rig::new().await;
    let receipt = rig.delivers(&lead(1, &json!({}))).await;
    rig.delivers(&lead(2, &json!({"email": "Ann.Lee@example.com"}))).await;
    let (contacts, leads) = (rig.portal().contacts(), rig.portal().leads());
    assert_eq!((contacts.len(), leads.len()), (1, 2));
    assert!(leads.iter().all(|lead| lead.contact.as_ref() == Some(&contacts[0].id)));
    assert_eq!(leads[1].properties["hs_lead_name"], "Sample Offer 2");
    assert_eq!(receipt.record.as_ref(), Some(&leads[0].id));
    assert!(receipt.link.is_some_and(|link| link.ends_with(&format!("/record/0-136/{}", leads[0].id))));
}

#[tokio::test]
async fn a_known_contact_is_written_over_once_for_each_lead_or_never() {
    for (wish, company, updates) in [("update", "Contoso 2", 1), ("keep", "Contoso 1", 0)] {
        let rig = Rig::with(&json!({"on_existing_contact": wish})).await;
        rig.delivers(&lead(1, &json!({}))).await;
        rig.delivers(&lead(2, &json!({}))).await;
        // Both once more, as after a lost answer.
        for n in [1, 2] {
            assert!(rig.delivers(&lead(n, &json!({}))).await.existed);
        }
        let contact = rig.portal().contacts().remove(0);
        assert_eq!((contact.properties["company"].as_str(), contact.updates), (Some(company), updates), "{wish}");
        assert_eq!(rig.world.total(), 2);
    }
}

#[tokio::test]
async fn an_attempt_that_ends_between_the_two_is_finished_by_the_next() {
    for wish in ["update", "keep"] {
        let rig = Rig::with(&json!({"on_existing_contact": wish})).await;
        rig.world.server.plan(Plan::List(vec![None, Some(Fault::before(How::Cut))]));
        rig.fails_as(ErrorKind::Uncertain, &lead(1, &json!({}))).await;
        assert_eq!((rig.portal().contacts().len(), rig.world.total()), (1, 0));
        rig.delivers(&lead(1, &json!({}))).await;
        assert_eq!((rig.portal().contacts().len(), rig.world.total()), (1, 1), "{wish}");
    }
}

#[tokio::test]
async fn a_contact_whose_id_is_not_told_is_found_by_its_address() {
    let rig = Rig::with(&json!({"on_existing_contact": "keep"})).await;
    rig.delivers(&lead(1, &json!({}))).await;
    rig.world.server.plan(Plan::once(Fault::before(How::Status(409))));
    rig.delivers(&lead(2, &json!({}))).await;
    assert_eq!((rig.portal().contacts().len(), rig.world.total()), (1, 2));
}

#[tokio::test]
async fn a_contact_that_nobody_finds_is_tried_again_soon() {
    let rig = Rig::new().await;
    rig.world.server.plan(Plan::once(Fault::before(How::Status(409))));
    rig.fails_as(ErrorKind::Contended, &lead(1, &json!({}))).await;
    rig.delivers(&lead(1, &json!({}))).await;
    assert_eq!(rig.world.total(), 1);
}

#[tokio::test]
async fn a_lead_keeps_its_lead_when_its_contact_is_deleted() {
    let rig = Rig::new().await;
    rig.delivers(&lead(1, &json!({}))).await;
    let id = rig.portal().contacts().remove(0).id;
    rig.portal().delete_contact(&id);
    assert!(rig.delivers(&lead(1, &json!({}))).await.existed);
    assert_eq!(rig.world.total(), 1);
}
