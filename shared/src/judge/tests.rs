//! What is a lead, what is not, and how that is told.

use proptest::prelude::*;
use serde_json::json;

use super::words::{POINTER_MAX, REASON_MAX};
use super::*;

/// Microsoft's published test lead in outline: the comma after `OfferTitle` is missing there too.
const NO_COMMA: &str = r#"{
  "userDetails": {
    "FirstName": "MSFT_TEST_636573304831318844",
    "Email": "MSFT_TEST_636573304831318844@test.com"
  },
  "LeadSource": "AzureMarketplace",
  "ActionCode": "INS",
  "OfferTitle": "Contoso Test"
  "Description": "MSFT_TEST_636573304831318844"
}"#;

fn source(format: Format) -> SourceConfig {
    let format = if format == Format::Json { "json" } else { "marketplace" };
    serde_json::from_value(json!({"format": format, "tokens": ["0123456789abcdef"]})).expect("a source")
}

fn marketplace() -> Judge {
    Judge::new(&source(Format::Marketplace), 64, None).expect("the shipped schema compiles")
}

fn json_with(schema: Value) -> Result<Judge, String> {
    Judge::new(&source(Format::Json), 64, Some(schema))
}

/// The faults as `pointer: reason`, one a line.
fn faults(judge: &Judge, body: impl AsRef<[u8]>) -> String {
    let faults = judge.judge(body.as_ref()).err().unwrap_or_default();
    faults.iter().map(|f| format!("{}: {}", f.pointer, f.reason)).collect::<Vec<_>>().join("\n")
}

#[test]
fn leads_in_every_case_and_with_anything_added() {
    let judge = marketplace();
    for body in [
        r#"{"UserDetails":{"FirstName":"Ann","Email":"ann@example.com"},"LeadSource":"AzureMarketplace","ActionCode":"INS","OfferTitle":"T","Description":"D"}"#,
        r#"{"userDetails":{"firstname":"Ann","EMAIL":"ann@example.com"},"leadsource":"SPZA-PLT|contoso.addin"}"#,
        r#"{"USERDETAILS":{},"Campaign":{"id":7},"ProductId":9}"#,
        r#"{"LeadSource":"AzurePortal","Description":null,"UserDetails":null}"#,
        r#"{"UserDetails":{"Phone":null,"phone":5}}"#,
        r#"{"firstName":"Ann","email":"ann@example.com"}"#,
        "\u{feff}{\"LeadSource\":\"TestDrive\"}\r\n",
    ] {
        assert_eq!(faults(&judge, body), "", "{body}");
    }
}

#[test]
fn the_place_of_a_missing_comma_is_told() {
    assert_eq!(
        faults(&marketplace(), NO_COMMA),
        "/OfferTitle: is not JSON: expected `,` or `}` at line 9, column 3; a comma is missing before the next member"
    );
}

#[test]
fn what_is_not_json_is_told_with_its_place() {
    let judge = marketplace();
    let cases = [
        ("", ": is empty"),
        (" \n", ": is empty"),
        ("hello", ": is not JSON: expected value at line 1, column 1"),
        (
            "{\"UserDetails\": {\"Email\": \"a",
            "/UserDetails/Email: is not JSON: EOF while parsing a string at line 1, column 28; the end is missing",
        ),
        ("{\"a\\\"b/c~\": [1, {\"x\": tru}]}", "/a\"b~1c~0/1/x: is not JSON: expected ident at line 1, column 26"),
        ("{\"a\": 1,}", ": is not JSON: trailing comma at line 1, column 9"),
        ("{} {}", ": is not JSON: trailing characters at line 1, column 4"),
        ("\"{}\"", ": is a string, and a lead is an object"),
        ("17", ": is a number, and a lead is an object"),
        ("[{\"LeadSource\": \"x\"}]", ": is an array, and a lead is an object"),
        ("null", ": is null, and a lead is an object"),
    ];
    for (body, told) in cases {
        assert_eq!(faults(&judge, body), told, "{body}");
    }
    assert_eq!(faults(&judge, b"{\"a\": \"\xff\"}"), ": is not UTF-8: the byte at offset 7 does not belong there");
    assert_eq!(faults(&judge, b"\xff\xfe{\0}\0"), ": is UTF-16; a lead is sent as UTF-8");
}

#[test]
fn wrong_types_are_told_in_the_names_as_sent() {
    let body = r#"{"userDETAILS":{"phone":5,"Email":["a"]},"actionCode":true,"LeadSource":"x"}"#;
    assert_eq!(
        faults(&marketplace(), body).lines().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>(),
        [
            "/actionCode: must be a string, is a boolean",
            "/userDETAILS/Email: must be a string, is an array",
            "/userDETAILS/phone: must be a string, is a number",
        ]
    );
    assert_eq!(faults(&marketplace(), r#"{"UserDetails":"Ann"}"#), "/UserDetails: must be an object, is a string");
}

#[test]
fn other_messages_are_recognised() {
    let webhook = r#"{"activityId":"a","subscriptionId":"b","publisherId":"c","offerId":"d","planId":"e","action":"Unsubscribe"}"#;
    assert!(faults(&marketplace(), webhook).starts_with(": is a SaaS fulfilment webhook and not a lead"));
    assert_eq!(faults(&marketplace(), r#"{"event":"ping"}"#), ": has none of the members of a marketplace lead");
    assert_eq!(faults(&marketplace(), "{}"), ": has none of the members of a marketplace lead");
    let any = Judge::new(&source(Format::Json), 64, None).expect("no schema");
    assert_eq!(faults(&any, webhook), "");
    assert_eq!(faults(&any, "{}"), "");
}

#[test]
fn nesting_is_bounded_without_recursing_into_it() {
    let judge = Judge::new(&source(Format::Json), 4, None).expect("no schema");
    assert_eq!(faults(&judge, r#"{"a":{"b":{"c":{}}}}"#), "");
    assert_eq!(faults(&judge, r#"{"x":1,"a":{"b":{"c":[[]]}}}"#), "/a: is nested deeper than 4 levels");
    let deep = format!("{{\"a\":{}", "[".repeat(200_000));
    assert_eq!(faults(&judge, deep), ": is nested deeper than 4 levels");
    let most = Judge::new(&source(Format::Json), 512, None).expect("no schema");
    let nested = |n: usize| format!("{}{}", "{\"a\":".repeat(n), "{}".to_owned() + &"}".repeat(n));
    assert_eq!(faults(&most, nested(DEPTH_MAX - 1)), "");
    assert_eq!(faults(&most, nested(DEPTH_MAX)), "/a: is nested deeper than 100 levels");
}

#[test]
fn a_schema_of_ones_own_of_every_draft() {
    for draft in [
        "http://json-schema.org/draft-04/schema#",
        "https://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        let schema = json!({
            "$schema": draft,
            "type": "object",
            "properties": {"email": {"type": "string", "minLength": 3}, "tier": {"enum": ["a", "b"]}},
            "required": ["email"],
            "additionalProperties": false
        });
        let judge = json_with(schema).unwrap_or_else(|e| panic!("{draft}: {e}"));
        assert_eq!(faults(&judge, r#"{"email":"ann@example.com"}"#), "", "{draft}");
        assert_eq!(faults(&judge, "{}"), ": \"email\" is missing", "{draft}");
        assert_eq!(faults(&judge, r#"{"email":"ab"}"#), "/email: is shorter than 3 characters", "{draft}");
        assert_eq!(faults(&judge, r#"{"email":"abc","tier":"secret"}"#), "/tier: is none of [\"a\",\"b\"]", "{draft}");
        assert_eq!(faults(&judge, r#"{"email":"abc","x/y":"secret"}"#), "/x~1y: is not allowed here", "{draft}");
    }
}

#[test]
fn a_marketplace_source_may_ask_for_more() {
    let schema =
        json!({"properties": {"UserDetails": {"required": ["Email"], "properties": {"Email": {"maxLength": 5}}}}});
    let judge = Judge::new(&source(Format::Marketplace), 64, Some(schema)).expect("a schema");
    assert_eq!(faults(&judge, r#"{"userdetails":{"email":"ann"}}"#), "");
    assert_eq!(
        faults(&judge, r#"{"userdetails":{"email":"ann@example.com"}}"#),
        "/userdetails/email: is longer than 5 characters"
    );
    assert_eq!(faults(&judge, r#"{"userdetails":{"Phone":"1"}}"#), "/userdetails: \"Email\" is missing");
}

#[test]
fn a_schema_that_cannot_be_used_says_why() {
    let cases = [
        (json!({"$ref": "https://example.com/lead.json"}), "refers to \"https://example.com/lead.json\""),
        (json!({"properties": {"a": {"$ref": "other.json#/x"}}}), "refers to \"other.json#/x\""),
        (json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}), "refers to \"file:///etc/passwd\""),
        (json!({"$ref": "#/$defs/nowhere"}), "has a reference that leads nowhere"),
        (json!({"$schema": "http://example.com/draft-99"}), "http://example.com/draft-99"),
        (json!({"type": "objekt"}), "is not a JSON Schema of its draft, at \"/type\""),
        (json!({"pattern": "("}), "is not a JSON Schema of its draft"),
        (json!(["object"]), "a schema is an object, and this is an array"),
    ];
    for (schema, told) in cases {
        let error = json_with(schema.clone()).expect_err("a wrong schema");
        assert!(error.contains(told), "{schema}: {error}");
    }
}

#[test]
fn faults_are_counted_out() {
    let judge =
        json_with(json!({"properties": {"a": {"items": {"type": "string"}}}, "maxProperties": 1})).expect("a schema");
    let body = |n: usize| format!("{{\"a\":[{}1]}}", "1,".repeat(n));
    assert_eq!(judge.judge(body(50).as_bytes()).expect_err("faults").len(), FAULTS_MAX);
    assert_eq!(judge.judge(body(100_000).as_bytes()).expect_err("faults").len(), 1);
    let judge = json_with(json!({"additionalProperties": false})).expect("a schema");
    let many: Map<String, Value> = (0..500).map(|n| (format!("{n}{}", "ä".repeat(400)), Value::Null)).collect();
    let faults = judge.judge(Value::Object(many).to_string().as_bytes()).expect_err("faults");
    assert!(faults.iter().all(|f| f.pointer.len() <= POINTER_MAX), "{faults:?}");
}

#[test]
fn a_pattern_that_goes_back_for_ever_ends() {
    let judge = json_with(json!({"properties": {"a": {"pattern": "^(a+)+\\1$"}}})).expect("a schema");
    let body = format!("{{\"a\":\"{}!\"}}", "a".repeat(4000));
    assert!(!faults(&judge, body).is_empty());
}

/// Values as a sender might send them; strings all carry a mark that must not be repeated.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,8}".prop_map(|s| Value::from(format!("CANARY{s}"))),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let name = prop_oneof![
            Just("UserDetails".to_owned()),
            Just("email".to_owned()),
            Just("LEADSOURCE".to_owned()),
            "[a-zA-Z]{1,12}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn judges() -> [Judge; 2] {
    let schema = json!({
        "properties": {"email": {"type": "string", "pattern": "^[^@]+@", "enum": ["x@y"]}, "UserDetails": {"anyOf": [{"type": "string"}, {"maxProperties": 1}]}},
        "propertyNames": {"maxLength": 6},
        "not": {"required": ["LEADSOURCE"]}
    });
    [marketplace(), json_with(schema).expect("a schema")]
}

fn bounded(faults: &[Fault]) -> Result<(), TestCaseError> {
    prop_assert!((1..=FAULTS_MAX).contains(&faults.len()));
    for fault in faults {
        prop_assert!(fault.pointer.len() <= POINTER_MAX && fault.reason.len() <= REASON_MAX, "{fault:?}");
        prop_assert!(!fault.reason.is_empty());
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_judged(body in prop::collection::vec(any::<u8>(), 0..600)) {
        for judge in judges() {
            if let Err(faults) = judge.judge(&body) {
                bounded(&faults)?;
            }
        }
    }

    #[test]
    fn any_text_near_json_is_judged(body in "[\\[\\]{}\",:\\\\ \n0-9a-eé]{0,80}") {
        for judge in judges() {
            if let Err(faults) = judge.judge(body.as_bytes()) {
                bounded(&faults)?;
            }
        }
    }

    #[test]
    fn no_value_is_repeated(value in value(), cut in any::<prop::sample::Index>()) {
        let whole = value.to_string();
        let broken = &whole[..cut.index(whole.len() + 1)];
        for judge in judges() {
            for body in [&whole, broken] {
                if let Err(faults) = judge.judge(body.as_bytes()) {
                    bounded(&faults)?;
                    prop_assert!(faults.iter().all(|f| !f.reason.contains("CANARY") && !f.pointer.contains("CANARY")), "{faults:?}");
                }
            }
        }
    }
}
