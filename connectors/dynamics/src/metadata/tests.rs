use serde_json::{Value, json};

use super::*;

fn column(name: &str, kind: &str, level: &str, create: bool) -> Value {
    json!({
        "LogicalName": name, "AttributeType": kind, "IsValidForCreate": create,
        "RequiredLevel": {"Value": level, "CanBeChanged": true}
    })
}

fn told(columns: &Value, lookups: &Value) -> BTreeMap<String, Field> {
    let columns = serde_json::from_value(columns.clone()).expect("columns");
    let lookups: Vec<Relationship> = serde_json::from_value(lookups.clone()).expect("relationships");
    let lengths = BTreeMap::from([("subject".to_owned(), 300)]);
    fields(columns, &lengths, &Options::default(), &lookups).0
}

#[test]
fn what_forms_demand_is_required() {
    let fields = told(
        &json!([
            column("subject", "String", "ApplicationRequired", true),
            column("firstname", "String", "Recommended", true),
            column("leadid", "Uniqueidentifier", "SystemRequired", true),
            column("fullname", "String", "ApplicationRequired", false),
        ]),
        &json!([]),
    );
    let required: Vec<&str> = fields.iter().filter(|(_, f)| f.required).map(|(name, _)| name.as_str()).collect();
    assert_eq!(required, ["subject"]);
    assert!(!fields["fullname"].writable && fields["leadid"].writable);
    assert_eq!((fields["subject"].max_length, fields["firstname"].max_length), (Some(300), None));
}

#[test]
fn a_lookup_is_known_by_its_navigation_properties() {
    let fields = told(
        &json!([
            column("campaignid", "Lookup", "ApplicationRequired", true),
            column("customerid", "Customer", "ApplicationRequired", true),
        ]),
        &json!([
            {"ReferencingAttribute": "campaignid", "ReferencingEntityNavigationPropertyName": "campaignid"},
            {"ReferencingAttribute": "customerid", "ReferencingEntityNavigationPropertyName": "customerid_account"},
            {"ReferencingAttribute": "customerid", "ReferencingEntityNavigationPropertyName": "customerid_contact"},
        ]),
    );
    let names: Vec<(&str, bool)> = fields.iter().map(|(name, field)| (name.as_str(), field.required)).collect();
    let expected = [
        ("campaignid@odata.bind", true),
        ("customerid_account@odata.bind", false),
        ("customerid_contact@odata.bind", false),
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_documented_lengths_are_those_of_the_reference() {
    let fields = documented().0;
    assert_eq!((fields["lastname"].max_length, fields["description"].max_length), (Some(50), Some(2000)));
    assert!(fields["subject"].required && !fields["firstname"].required);
}
