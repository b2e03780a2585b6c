//! Preparing an org: what it is without, it has afterwards; and what is there stays.

use leadrelay_connector_salesforce::{Setup, Step};
use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::FieldDef;
use leadrelay_testkit::conformance::World;
use serde_json::json;

use super::rig::{Rig, context, lead};

fn setup(rig: &Rig) -> Setup {
    let settings = serde_json::from_value(rig.world.settings()).expect("settings");
    Setup::new(settings, context(&rig.clock)).expect("a setup")
}

#[tokio::test]
async fn an_org_without_the_field_gets_it_and_takes_leads() {
    let rig = Rig::new().await;
    rig.org().remove_field("LeadRelay_Id__c");
    let setup = setup(&rig);
    let plan = setup.plan().await.expect("a plan");
    assert!(matches!(plan.as_slice(), [Step::Field { .. }, Step::Permission { .. }]), "{plan:?}");
    assert_eq!(rig.org().field("LeadRelay_Id__c"), None, "a plan changes nothing");
    for step in &plan {
        setup.make(step).await.expect("made");
    }
    let field = rig.org().field("LeadRelay_Id__c").expect("the field");
    assert!(field.unique && field.external_id && field.visible && field.length == 36, "{field:?}");
    assert!(rig.connector.check().await.is_ok());
    rig.delivers(&lead(1, &json!({}))).await;
    assert!(rig.delivers(&lead(1, &json!({}))).await.existed);
    assert_eq!(setup.plan().await, Ok(Vec::new()), "nothing is left to do");
}

#[tokio::test]
async fn what_broke_off_is_finished() {
    let rig = Rig::new().await;
    rig.org().remove_field("LeadRelay_Id__c");
    let setup = setup(&rig);
    let plan = setup.plan().await.expect("a plan");
    // The field is made and nobody may see it yet.
    setup.make(&plan[0]).await.expect("made");
    assert_eq!(setup.plan().await.expect("a plan"), plan);
    for step in plan.iter().chain(&plan) {
        setup.make(step).await.expect("made, or there already");
    }
    assert!(rig.connector.check().await.is_ok());
}

#[tokio::test]
async fn somebody_elses_field_is_left_as_it_is() {
    let rig = Rig::new().await;
    rig.org().add_field(FieldDef { unique: false, ..FieldDef::external_id("LeadRelay_Id__c") });
    let error = setup(&rig).plan().await.expect_err("it cannot serve");
    assert_eq!(error.kind, ErrorKind::Misconfigured);
}
