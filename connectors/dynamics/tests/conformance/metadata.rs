//! What the check tells of the environment.

use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::Column;
use serde_json::json;

use super::rig::Rig;

#[tokio::test]
async fn the_check_tells_the_columns() {
    let rig = Rig::new().await;
    rig.environment().add_column(Column::new("contoso_region", "String", 12).level("ApplicationRequired"));
    rig.environment().add_column(Column::new("contoso_interests", "MultiSelectPicklist", 0).of(&[(1, "Cloud")]));
    let fields = rig.connector.check().await.expect("it passes").0;
    let field = |name: &str| fields.get(name).expect(name);
    assert!(field("subject").required && field("contoso_region").required);
    assert!(!field("leadid").required && !field("ownerid@odata.bind").required && !field("firstname").required);
    assert!(!field("createdon").writable && !field("fullname").writable && field("campaignid@odata.bind").writable);
    assert_eq!((field("address1_city").max_length, field("description").max_length), (Some(80), Some(2000)));
    assert_eq!((field("donotemail").max_length, field("donotemail").kind.as_str()), (None, "boolean"));
    assert_eq!(field("leadqualitycode").allowed, ["Hot", "Warm", "Cold", "1", "2", "3"]);
    assert!(field("contoso_interests").allowed.is_empty() && field("lastname").allowed.is_empty());
    for name in ["customerid_account@odata.bind", "customerid_contact@odata.bind"] {
        assert!(field(name).writable);
    }
    assert!(!fields.contains_key("campaignid"), "a lookup is set by its navigation property");
}

#[tokio::test]
async fn the_check_leaves_nothing_and_asks_little() {
    let rig = Rig::new().await;
    rig.connector.check().await.expect("it passes");
    let calls = rig.environment().calls();
    assert_eq!((calls.writes, calls.reads, calls.tokens), (0, 0, 1));
    assert!(calls.metadata <= 11, "{calls:?}");
}

#[tokio::test]
async fn a_table_that_is_not_there_or_is_called_otherwise_is_told() {
    let error =
        Rig::with(&json!({"table": "contoso_inquiry"})).await.connector.check().await.expect_err("no such table");
    assert_eq!(error.kind, ErrorKind::Misconfigured, "{error}");
    assert!(error.message.contains("`table`"), "{error}");
    let rig = Rig::with(&json!({"entity_set": "leadz"})).await;
    let error = rig.connector.check().await.expect_err("another name");
    assert!(error.kind == ErrorKind::Misconfigured && error.message.contains("`leads`"), "{error}");
}
