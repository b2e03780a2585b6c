//! Duplicate detection by policy, and the row that is there already however that is told.

use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Column, Fault, How, Plan};
use serde_json::json;

use super::rig::{Rig, lead};

#[tokio::test]
async fn a_rule_parks_or_is_not_asked() {
    for status in [412, 500] {
        for (on_duplicate, arrives) in [("create", true), ("park", false)] {
            let rig = Rig::with(&json!({"on_duplicate": on_duplicate})).await;
            rig.environment().detect_duplicates(status);
            rig.delivers(&lead(1, &json!({}))).await;
            let same_person = lead(2, &json!({"emailaddress1": "lead-1@example.com"}));
            if arrives {
                rig.delivers(&same_person).await;
            } else {
                let error = rig.fails_as(ErrorKind::Rejected, &same_person).await;
                assert!(error.message.contains("duplicate detection"), "{error}");
            }
            assert_eq!(rig.world.total(), 1 + usize::from(arrives), "{status} {on_duplicate}");
        }
    }
}

#[tokio::test]
async fn a_duplicate_is_written_over_where_there_is_one_and_parked_where_there_are_several() {
    let rig = Rig::with(&json!({"on_duplicate": "update"})).await;
    rig.delivers(&lead(1, &json!({"telephone1": "4255550101"}))).await;
    rig.environment().detect_duplicates(500);
    let again = lead(2, &json!({"emailaddress1": "lead-1@example.com", "jobtitle": "Director"}));
    let receipt = rig.delivers(&again).await;
    assert_eq!((receipt.record, receipt.existed), (Some(lead(1, &json!({})).id.to_string()), true));
    let row = rig.row(&lead(1, &json!({})));
    assert_eq!(
        (&row.values["jobtitle"], &row.values["telephone1"], row.updates),
        (&json!("Director"), &json!("4255550101"), 1)
    );
    let rig = Rig::new().await;
    for n in [1, 2] {
        rig.delivers(&lead(n, &json!({"emailaddress1": "same@example.com"}))).await;
    }
    rig.environment().detect_duplicates(500);
    let settings = super::rig::merged(rig.world.settings(), &json!({"on_duplicate": "update"}));
    let rig = Rig::of(rig.world, settings);
    let error = rig.fails_as(ErrorKind::Rejected, &lead(3, &json!({"emailaddress1": "same@example.com"}))).await;
    assert!(error.message.contains("2 rows"), "{error}");
    assert_eq!(rig.world.total(), 2);
}

#[tokio::test]
async fn a_lead_whose_answer_was_lost_does_not_duplicate_itself() {
    for (rules_first, on_duplicate) in [(false, "park"), (true, "park"), (true, "update")] {
        let rig = Rig::with(&json!({"on_duplicate": on_duplicate})).await;
        rig.environment().detect_duplicates(500);
        if rules_first {
            rig.environment().rules_first();
        }
        rig.world.server.plan(Plan::once(Fault::after(How::Cut)));
        rig.fails_as(ErrorKind::Uncertain, &lead(1, &json!({}))).await;
        let receipt = rig.delivers(&lead(1, &json!({}))).await;
        assert!(receipt.existed);
        assert_eq!((rig.world.total(), rig.row(&lead(1, &json!({}))).updates), (1, 0), "{rules_first} {on_duplicate}");
    }
}

#[tokio::test]
async fn a_key_that_another_row_has_is_no_arrival() {
    let rig = Rig::new().await;
    rig.environment().add_column(Column { is_key: true, ..Column::new("contoso_code", "String", 20) });
    rig.delivers(&lead(1, &json!({"contoso_code": "abc"}))).await;
    let error = rig.fails_as(ErrorKind::Rejected, &lead(2, &json!({"contoso_code": "abc"}))).await;
    assert!(error.message.contains("another row"), "{error}");
    assert_eq!(rig.world.total(), 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_looked_for_is_not_parked() {
    let rig = Rig::new().await;
    let refused = lead(1, &json!({"nope": "x"}));
    rig.world.server.plan(Plan::List(vec![None, Some(Fault::before(How::Status(503)))]));
    rig.fails_as(ErrorKind::Unavailable, &refused).await;
    rig.environment().take_privilege("prvReadLead");
    let error = rig.fails_as(ErrorKind::Misconfigured, &refused).await;
    assert!(error.message.contains("prvReadLead"), "{error}");
}

#[tokio::test]
async fn a_receipt_names_the_row_and_opens_it() {
    let rig = Rig::new().await;
    let delivery = lead(1, &json!({}));
    let id = delivery.id.to_string();
    for existed in [false, true] {
        let receipt = rig.delivers(&delivery).await;
        assert_eq!((receipt.record.as_deref(), receipt.existed), (Some(id.as_str()), existed));
        let link = format!("{}/main.aspx?pagetype=entityrecord&etn=lead&id={id}", rig.world.server.url());
        assert_eq!(receipt.link, Some(link));
    }
}
