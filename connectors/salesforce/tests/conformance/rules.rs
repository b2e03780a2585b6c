//! Rules and fields of the org: which leads they park, and what the check tells of them.

use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{DuplicateRule, FieldDef};
use serde_json::json;

use super::rig::{Rig, lead};

#[tokio::test]
async fn a_duplicate_rule_parks_unless_it_may_be_overruled() {
    for (rule, on_duplicate, arrives) in [
        (DuplicateRule::Off, "park", true),
        (DuplicateRule::Alert, "park", false),
        (DuplicateRule::Alert, "create", true),
        (DuplicateRule::Block, "create", false),
    ] {
        let rig = Rig::with(&json!({"on_duplicate": on_duplicate})).await;
        rig.org().duplicate_rule(rule);
        rig.delivers(&lead(1, &json!({}))).await;
        let same_person = lead(2, &json!({"Email": "lead-1@example.com"}));
        if arrives {
            rig.delivers(&same_person).await;
        } else {
            let error = rig.fails_as(ErrorKind::Rejected, &same_person).await;
            assert!(error.message.contains("duplicate rule"), "{error}");
        }
        assert_eq!(rig.world.total(), 1 + usize::from(arrives), "{rule:?} {on_duplicate}");
    }
}

#[tokio::test]
async fn each_refusal_names_its_field() {
    let rig = Rig::new().await;
    rig.org().add_field(FieldDef::new("Rating", "picklist", 255).of(&["Hot", "Cold"], true));
    rig.org().add_field(FieldDef { unique: true, ..FieldDef::new("Code__c", "string", 20) });
    rig.org().forbid("Title");
    rig.delivers(&lead(1, &json!({"Code__c": "abcdef"}))).await;
    for (more, field) in [
        (json!({"Company": ""}), Some("Company")),
        (json!({"City": "x".repeat(41)}), Some("City")),
        (json!({"Email": "not an address"}), Some("Email")),
        (json!({"Rating": "Lukewarm"}), Some("Rating")),
        (json!({"Title": "Director"}), Some("Title")),
        (json!({"Sise__c": "large"}), Some("Sise__c")),
        (json!({"CreatedDate": "2026-11-23T12:00:00Z"}), Some("CreatedDate")),
        (json!({"Code__c": "abcdef"}), None),
        (json!({"DoNotCall": "perhaps"}), None),
    ] {
        let error = rig.fails_as(ErrorKind::Rejected, &lead(2, &more)).await;
        assert_eq!(error.field.as_deref(), field, "{more}: {error}");
    }
    assert_eq!(rig.world.total(), 1);
}

#[tokio::test]
async fn a_locked_row_keeps_one_lead_waiting_and_pauses_nothing() {
    let rig = Rig::new().await;
    rig.org().lock_rows(1);
    let error = rig.fails_as(ErrorKind::Contended, &lead(1, &json!({}))).await;
    assert_eq!(error.retry_at, None);
    rig.delivers(&lead(1, &json!({}))).await;
}

#[tokio::test]
async fn an_external_id_field_that_is_gone_parks_nobody() {
    let rig = Rig::new().await;
    rig.org().remove_field("LeadRelay_Id__c");
    rig.fails_as(ErrorKind::Misconfigured, &lead(1, &json!({}))).await;
    let outcomes = rig.connector.deliver_many(&[lead(1, &json!({})), lead(2, &json!({}))]).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|e| e.kind == ErrorKind::Misconfigured)));
}

#[tokio::test]
async fn the_check_tells_the_fields_and_a_key_that_cannot_serve() {
    let rig = Rig::new().await;
    rig.org().add_field(FieldDef::new("Rating", "picklist", 255).of(&["Hot", "Cold"], true));
    rig.org().add_field(FieldDef { nillable: false, ..FieldDef::new("Region__c", "string", 12) });
    let fields = rig.connector.check().await.expect("it passes").0;
    let field = |name: &str| fields.get(name).expect(name);
    assert!(field("LastName").required && field("Region__c").required);
    assert!(!field("Status").required && !field("CreatedDate").writable && !field("DoNotCall").required);
    assert_eq!((field("City").max_length, field("DoNotCall").max_length), (Some(40), None));
    assert_eq!(field("Rating").allowed, ["Hot", "Cold"]);
    assert!(field("LeadSource").allowed.is_empty(), "it is not restricted");
    for (key, words) in [
        (FieldDef { unique: false, ..FieldDef::external_id("LeadRelay_Id__c") }, "not unique"),
        (FieldDef { length: 18, ..FieldDef::external_id("LeadRelay_Id__c") }, "36"),
        (FieldDef { visible: false, ..FieldDef::external_id("LeadRelay_Id__c") }, "leadrelay setup salesforce"),
    ] {
        rig.org().add_field(key);
        let error = rig.connector.check().await.expect_err(words);
        assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Misconfigured, Some("LeadRelay_Id__c")));
        assert!(error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn assignment_rules_run_as_the_settings_say() {
    for (rule, header) in [
        (None, None),
        (Some(json!(true)), Some("TRUE")),
        (Some(json!(false)), Some("FALSE")),
        (Some(json!("01Q5g0000000012")), Some("01Q5g0000000012EAA")),
    ] {
        let settings = rule.map_or_else(|| json!({}), |rule| json!({"assignment_rule": rule}));
        let rig = Rig::with(&settings).await;
        rig.delivers(&lead(1, &json!({}))).await;
        assert_eq!(rig.org().records()[0].auto_assign.as_deref(), header);
    }
}
