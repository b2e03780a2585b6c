//! What HubSpot refuses, and whom that is about.

use jiff::SignedDuration;
use leadrelay_shared::connector::Connector as _;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Portal, Property};
use serde_json::{Value, json};

use super::rig::{Rig, lead};

#[tokio::test]
async fn each_refusal_names_the_property_as_it_is_mapped() {
    let rig = Rig::new().await;
    rig.portal().add_contact_property(Property::new("employees", "number"));
    for (more, field) in [
        (json!({"email": "nobody"}), "email"),
        (json!({"email": Value::Null}), "email"),
        (json!({"contoso_sise": "large"}), "contoso_sise"),
        (json!({"createdate": "2026-12-01"}), "createdate"),
        (json!({"lifecyclestage": "fridge"}), "lifecyclestage"),
        (json!({"employees": "many"}), "employees"),
        (json!({"lead.hs_lead_label": "TEPID"}), "lead.hs_lead_label"),
        (json!({"lead.contoso_size": "large"}), "lead.contoso_size"),
    ] {
        let error = rig.fails_as(ErrorKind::Rejected, &lead(1, &more)).await;
        assert_eq!(error.field.as_deref(), Some(field), "{more}: {error}");
    }
    assert_eq!(rig.world.total(), 0);
}

#[tokio::test]
async fn a_lead_that_has_arrived_is_not_parked_for_a_property_that_is_gone() {
    let rig = Rig::new().await;
    rig.delivers(&lead(1, &json!({}))).await;
    rig.portal().remove_property("company");
    assert!(rig.delivers(&lead(1, &json!({}))).await.existed);
    let error = rig.fails_as(ErrorKind::Rejected, &lead(2, &json!({}))).await;
    assert_eq!(error.field.as_deref(), Some("company"));
}

#[tokio::test]
async fn every_kind_of_value_is_written_as_a_text() {
    let rig = Rig::new().await;
    rig.delivers(&lead(1, &json!({"seats": 25, "consent": true, "phone": Value::Null}))).await;
    let properties = rig.portal().contacts().remove(0).properties;
    assert_eq!((&properties["seats"], &properties["consent"]), (&json!("25"), &json!("true")));
    assert!(!properties.contains_key("phone"));
}

#[tokio::test]
async fn the_check_tells_properties_by_the_names_of_a_mapping() {
    let rig = Rig::new().await;
    let fields = rig.connector.check().await.expect("it passes").0;
    assert!(fields["email"].required && !fields["createdate"].writable);
    assert_eq!(fields["lead.hs_lead_label"].allowed, ["HOT", "WARM", "COLD"]);
    assert!(fields["lead.hs_lead_name"].writable && !fields.contains_key("hs_lead_name"));
    assert_eq!(rig.portal().calls().writes, 0);
}

#[tokio::test]
async fn without_a_property_for_ids_nothing_is_written() {
    let rig = Rig::new().await;
    rig.portal().remove_property(Portal::ID_PROPERTY);
    for error in [
        rig.connector.check().await.expect_err("it is missing"),
        rig.fails_as(ErrorKind::Misconfigured, &lead(1, &json!({}))).await,
        rig.fails_as(ErrorKind::Misconfigured, &lead(1, &json!({}))).await,
    ] {
        assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Misconfigured, Some(Portal::ID_PROPERTY)));
        assert!(error.message.contains("id_property"), "the remedy is not named: {error}");
    }
    assert_eq!(rig.world.total(), 0);
}

#[tokio::test]
async fn what_the_app_may_not_do_is_named() {
    let rig = Rig::new().await;
    rig.portal().take_scope("crm.objects.leads.write");
    let error = rig.fails_as(ErrorKind::Misconfigured, &lead(1, &json!({}))).await;
    assert!(error.message.contains("crm.objects.leads.write"), "{error}");
    rig.portal().revoke();
    let error = rig.fails_as(ErrorKind::Unauthorized, &lead(1, &json!({}))).await;
    assert!(error.message.contains("`token`"), "{error}");
}

#[tokio::test]
async fn each_limit_has_its_pause() {
    let rig = Rig::new().await;
    for (policy, wait) in
        [("TEN_SECONDLY_ROLLING", SignedDuration::from_secs(10)), ("DAILY", SignedDuration::from_mins(15))]
    {
        rig.portal().throttle(policy, 1);
        let error = rig.fails_as(ErrorKind::Throttled, &lead(1, &json!({}))).await;
        assert_eq!(error.retry_at, Some(rig.clock.now() + wait), "{policy}");
    }
    rig.delivers(&lead(1, &json!({}))).await;
}
