//! A row for each answer.

use leadrelay_shared::http::header::HeaderMap;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn parse(status: u16, body: &Value) -> Option<DeliveryError> {
    let record = json!({"email": "t0ken", "seats": "t0ken", "lead.hs_lead_label": "t0ken"});
    let record = record.as_object().cloned().expect("an object");
    let reading = Reading { record: Some(&record), id_property: "leadrelay_id", now: NOW };
    let answer = Answer { status, headers: HeaderMap::new(), body: body.to_string().into(), truncated: false };
    let error = reading.parse_error(&answer);
    assert!(!format!("{error:?}").contains("t0ken"), "{error:?}");
    error
}

/// As properties are refused: the list is a text within the message.
fn refused(code: &str, property: &str) -> Value {
    let list =
        json!([{"isValid": false, "message": "t0ken is not valid", "error": code, "name": property}]).to_string();
    json!({"status": "error", "message": format!("Property values were not valid: {list}"), "category": "VALIDATION_ERROR"})
}

#[test]
fn every_status_has_its_row() {
    let rows = [
        (ErrorKind::Rejected, &[400, 413, 414, 422][..]),
        (ErrorKind::Contended, &[409]),
        (ErrorKind::Unauthorized, &[401, 407]),
        (ErrorKind::Misconfigured, &[301, 302, 307, 308, 403, 404, 405, 410, 415]),
        (ErrorKind::Throttled, &[423, 429]),
        (ErrorKind::Unavailable, &[408, 477, 500, 503, 521, 523, 525, 526]),
        (ErrorKind::Uncertain, &[502, 504, 522, 524]),
        (ErrorKind::Unexpected, &[402, 406, 418, 451]),
    ];
    for (kind, statuses) in rows {
        for status in statuses {
            let error = parse(*status, &json!({"message": "t0ken"})).expect("a failure");
            assert_eq!((error.kind, error.status), (kind, Some(*status)));
        }
    }
    assert_eq!((parse(200, &json!({})), parse(201, &json!({}))), (None, None));
}

#[test]
fn a_refused_property_is_named_as_it_is_mapped() {
    for (code, property, field, words) in [
        ("INVALID_EMAIL", "email", Some("email"), "no e-mail address"),
        ("INVALID_INTEGER", "seats", Some("seats"), "another type"),
        ("INVALID_OPTION", "hs_lead_label", Some("lead.hs_lead_label"), "none of the property's options"),
        ("READ_ONLY_VALUE", "seats", Some("seats"), "be set"),
        ("PROPERTY_DOESNT_EXIST", "seats", Some("seats"), "no such property"),
        ("INVALID_OPTION", "t0ken", None, "options"),
        ("NEW_CODE", "seats", Some("seats"), "refuses this lead"),
    ] {
        let error = parse(400, &refused(code, property)).expect("a failure");
        assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Rejected, field), "{code}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn codes_with_a_context_are_read_as_well() {
    let said = json!({"category": "VALIDATION_ERROR", "message": "t0ken", "errors": [
        {"message": "t0ken", "code": "INVALID_OPTION", "context": {"propertyName": ["hs_lead_label"]}}
    ]});
    assert_eq!(parse(400, &said).expect("a failure").field.as_deref(), Some("lead.hs_lead_label"));
    let said = json!({"category": "VALIDATION_ERROR", "errors": [{"message": "t0ken", "in": "seats"}]});
    assert_eq!(parse(400, &said).expect("a failure").field.as_deref(), Some("seats"));
}

#[test]
fn what_is_about_the_id_is_no_ones_fault_or_everyones() {
    let taken = parse(400, &refused("CONFLICTING_UNIQUE_VALUE", "leadrelay_id")).expect("a failure");
    assert_eq!(taken.kind, ErrorKind::Contended);
    let missing = parse(400, &refused("PROPERTY_DOESNT_EXIST", "leadrelay_id")).expect("a failure");
    assert_eq!((missing.kind, missing.field.as_deref()), (ErrorKind::Misconfigured, Some("leadrelay_id")));
    assert!(missing.message.contains("Require unique values"), "{missing}");
}

#[test]
fn limits_are_waited_for() {
    let wait = |status, body: Value| parse(status, &body).and_then(|error| error.retry_at).map(Timestamp::as_second);
    assert_eq!(wait(429, json!({"policyName": "TEN_SECONDLY_ROLLING"})), Some(10));
    assert_eq!(wait(429, json!({"policyName": "DAILY"})), Some(900));
    assert_eq!(wait(423, json!({})), Some(2));
}

#[test]
fn a_missing_scope_is_named_unless_it_is_none() {
    let said = |scope: &str| json!({"category": "MISSING_SCOPES", "errors": [{"context": {"requiredGranularScopes": [scope]}}]});
    let error = parse(403, &said("crm.objects.leads.write")).expect("a failure");
    assert_eq!(error.kind, ErrorKind::Misconfigured);
    assert!(error.message.ends_with("give it crm.objects.leads.write"), "{error}");
    assert!(parse(403, &said("t0ken t0ken")).expect("a failure").message.contains("read and write contacts and leads"));
}

#[test]
fn a_contact_that_is_gone_is_made_again() {
    let said = json!({"status": "error", "category": "OBJECT_NOT_FOUND", "message": "t0ken"});
    for status in [400, 404] {
        assert_eq!(parse(status, &said).expect("a failure").kind, ErrorKind::Contended);
    }
}
