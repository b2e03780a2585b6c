//! Columns, plug-ins and locks: which leads they park, and which only wait.

use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use serde_json::{Value, json};

use super::rig::{Rig, lead};

const CAMPAIGN: &str = "campaigns(00000000-5550-4c00-8000-000000000001)";

#[tokio::test]
async fn each_refusal_names_its_column() {
    let rig = Rig::new().await;
    rig.environment().forbid("jobtitle");
    for (more, field) in [
        (json!({"address1_city": "x".repeat(81)}), Some("address1_city")),
        (json!({"subject": "☃".repeat(301)}), Some("subject")),
        (json!({"contoso_sise": "large"}), Some("contoso_sise")),
        (json!({"leadsourcecode": 99}), Some("leadsourcecode")),
        (json!({"leadsourcecode": "Radio"}), Some("leadsourcecode")),
        (json!({"contoso_campaign@odata.bind": format!("/{CAMPAIGN}")}), Some("contoso_campaign")),
        (json!({"campaignid": "00000000-5550-4c00-8000-000000000001"}), None),
        (json!({"campaignid@odata.bind": "/campaigns(00000000-5550-4c00-8000-000000000009)"}), None),
        (json!({"jobtitle": "Director"}), None),
        (json!({"numberofemployees": "many"}), None),
        (json!({"donotemail": "perhaps"}), None),
    ] {
        let error = rig.fails_as(ErrorKind::Rejected, &lead(1, &more)).await;
        assert_eq!(error.field.as_deref(), field, "{more}: {error}");
    }
    assert_eq!(rig.world.total(), 0);
}

#[tokio::test]
async fn lookups_choices_and_any_type_are_written() {
    let rig = Rig::new().await;
    rig.environment().add_other(CAMPAIGN);
    let all = json!({
        "campaignid@odata.bind": format!("/{CAMPAIGN}"), "leadsourcecode": 8, "donotemail": true, "numberofemployees": 25,
        "revenue": 12.5, "estimatedclosedate": "2026-12-01", "description": null
    });
    rig.delivers(&lead(1, &all)).await;
    let values = rig.row(&lead(1, &json!({}))).values;
    for (name, value) in all.as_object().expect("a table") {
        assert_eq!(values.get(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_label_is_written_as_its_number_before_and_after_the_check() {
    use leadrelay_shared::connector::Connector as _;
    let rig = Rig::new().await;
    rig.delivers(&lead(1, &json!({"leadsourcecode": "web", "leadqualitycode": "Hot"}))).await;
    let learned = rig.environment().calls().metadata;
    assert!(learned > 0, "the options were asked for");
    rig.delivers(&lead(2, &json!({"leadsourcecode": "Other"}))).await;
    assert_eq!(rig.environment().calls().metadata, learned, "and are known from then on");
    let of = |n| rig.row(&lead(n, &json!({}))).values["leadsourcecode"].clone();
    assert_eq!((of(1), of(2)), (json!(8), json!(10)));
    rig.connector.check().await.expect("it passes");
    rig.delivers(&lead(3, &json!({"leadsourcecode": "8"}))).await;
    assert_eq!(of(3), json!(8));
}

#[tokio::test]
async fn an_option_that_was_added_is_asked_for_once_the_known_ones_are_old() {
    use std::time::Duration;

    use leadrelay_testkit::Column;
    let rig = Rig::new().await;
    let with = |labels: &[(i64, &str)]| Column::new("contoso_size", "Picklist", 0).of(labels);
    rig.environment().add_column(with(&[(1, "Small")]));
    rig.delivers(&lead(1, &json!({"contoso_size": "Small"}))).await;
    rig.environment().add_column(with(&[(1, "Small"), (2, "Large")]));
    let large = lead(2, &json!({"contoso_size": "Large"}));
    let calls = rig.world.server.requests();
    let error = rig.fails_as(ErrorKind::Rejected, &large).await;
    assert_eq!((error.field.as_deref(), rig.world.server.requests()), (Some("contoso_size"), calls));
    rig.clock.advance(Duration::from_mins(6));
    rig.delivers(&large).await;
    assert_eq!(rig.row(&large).values["contoso_size"], json!(2));
}

#[tokio::test]
async fn a_lock_keeps_one_lead_waiting_and_pauses_nothing() {
    let rig = Rig::new().await;
    rig.environment().lock_rows(1);
    let error = rig.fails_as(ErrorKind::Contended, &lead(1, &json!({}))).await;
    assert_eq!(error.retry_at, None);
    rig.delivers(&lead(1, &json!({}))).await;
}

#[tokio::test]
async fn another_table_takes_leads_under_its_own_names() {
    let rig = Rig::with(&json!({"table": "contoso_inquiry"})).await;
    rig.environment().rename("contoso_inquiry", "contoso_inquiries");
    let receipt = rig.delivers(&lead(1, &json!({}))).await;
    assert!(receipt.link.is_some_and(|link| link.contains("etn=contoso_inquiry&")));
    let rig = Rig::with(&json!({"table": "contoso_data"})).await;
    rig.environment().rename("contoso_data", "contoso_dataset");
    let error = rig.fails_as(ErrorKind::Misconfigured, &lead(1, &json!({}))).await;
    assert!(error.message.contains("`entity_set`"), "{error}");
    let settings =
        super::rig::merged(rig.world.settings(), &json!({"table": "contoso_data", "entity_set": "contoso_dataset"}));
    let rig = Rig::of(rig.world, settings);
    rig.delivers(&lead(1, &json!({}))).await;
}

#[tokio::test]
async fn a_mapped_id_is_not_written() {
    let rig = Rig::new().await;
    let delivery = lead(1, &json!({"leadid": "00000000-5550-4c00-8000-000000000009"}));
    rig.delivers(&delivery).await;
    assert_eq!(rig.row(&delivery).values.get("leadid"), None::<&Value>);
}
