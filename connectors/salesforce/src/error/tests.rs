//! Each row of the table, and what is not shown.

use leadrelay_shared::http::header::{HeaderMap, HeaderValue};
use serde_json::json;

use super::*;

const KEY: &str = "LeadRelay_Id__c";

fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, headers: HeaderMap::new(), body: body.to_string().into(), truncated: false }
}

fn reading() -> Reading<'static> {
    Reading { key: Some(KEY), now: Timestamp::UNIX_EPOCH }
}

fn refusal(status: u16, code: &str, message: &str, fields: &[&str]) -> Refusal {
    let body = json!([{"message": message, "errorCode": code, "fields": fields}]);
    reading().parse_error(&answer(status, &body)).expect("a failure")
}

fn failed(status: u16, code: &str, message: &str, fields: &[&str]) -> DeliveryError {
    match refusal(status, code, message, fields) {
        Refusal::Failed(error) => error,
        Refusal::Exists(_) => panic!("{code} is taken for success"),
    }
}

#[test]
fn every_code_has_its_row() {
    use ErrorKind::{Contended, Misconfigured, Rejected, Throttled, Unauthorized, Unavailable, Unexpected};
    let rows: [(ErrorKind, u16, &[&str]); 8] = [
        (
            Rejected,
            400,
            &[
                "DUPLICATES_DETECTED",
                "DUPLICATE_VALUE",
                "DUPLICATE_EXTERNAL_ID",
                "REQUIRED_FIELD_MISSING",
                "INVALID_FIELD",
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                "STRING_TOO_LONG",
                "INVALID_EMAIL_ADDRESS",
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                "CANNOT_EXECUTE_FLOW_TRIGGER",
                "APEX_ERROR",
                "JSON_PARSER_ERROR",
                "FIELD_INTEGRITY_EXCEPTION",
                "NUMBER_OUTSIDE_VALID_RANGE",
                "INVALID_CROSS_REFERENCE_KEY",
                "MALFORMED_ID",
                "ENTITY_IS_DELETED",
                "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            ],
        ),
        (Contended, 400, &["UNABLE_TO_LOCK_ROW"]),
        (Throttled, 403, &["REQUEST_LIMIT_EXCEEDED"]),
        (Unavailable, 503, &["SERVER_UNAVAILABLE", "API_CURRENTLY_DISABLED"]),
        (Unavailable, 400, &["QUERY_TIMEOUT", "ALL_OR_NONE_OPERATION_ROLLED_BACK"]),
        (Unauthorized, 401, &["INVALID_SESSION_ID", "INVALID_AUTH_HEADER"]),
        (
            Misconfigured,
            403,
            &[
                "INSUFFICIENT_ACCESS",
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "API_DISABLED_FOR_ORG",
                "STORAGE_LIMIT_EXCEEDED",
                "INVALID_TYPE",
                "NOT_FOUND",
                "UNSUPPORTED_API_VERSION",
            ],
        ),
        (Unexpected, 500, &["UNKNOWN_EXCEPTION", "NO_SUCH_CODE_YET"]),
    ];
    for (kind, status, codes) in rows {
        for code in codes {
            let error = failed(status, code, "", &[]);
            assert_eq!((error.kind, error.status), (kind, Some(status)), "{code}");
        }
    }
}

#[test]
fn a_status_without_a_code_has_its_row() {
    use ErrorKind::{Misconfigured, Rejected, Throttled, Unauthorized, Unavailable, Uncertain, Unexpected};
    for (status, kind) in [
        (300, Rejected),
        (307, Misconfigured),
        (400, Rejected),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, Misconfigured),
        (418, Unexpected),
        (420, Unavailable),
        (429, Throttled),
        (500, Unavailable),
        (502, Uncertain),
        (503, Unavailable),
        (504, Uncertain),
    ] {
        for body in [json!(null), json!({"errorCode": "STRING_TOO_LONG"}), json!([]), json!(["x"])] {
            let Some(Refusal::Failed(error)) = reading().parse_error(&answer(status, &body)) else {
                panic!("{status}")
            };
            assert_eq!((error.kind, error.status), (kind, Some(status)), "{body}");
        }
    }
    assert_eq!(reading().parse_error(&answer(201, &json!({}))), None);
}

#[test]
fn our_own_id_on_another_record_is_success_and_any_other_value_is_not() {
    let duplicate =
        |field: &str, id: &str| format!("duplicate value found: {field} duplicates value on record with id: {id}");
    let exists = |message: &str| refusal(400, "DUPLICATE_VALUE", message, &[]);
    let id = Some("00Q5g0000000012EAA".to_owned());
    assert_eq!(exists(&duplicate(KEY, "00Q5g0000000012")), Refusal::Exists(id.clone()));
    assert_eq!(exists(&duplicate("leadrelay_id__C", "00Q5g0000000012")), Refusal::Exists(id));
    assert_eq!(exists(&duplicate(KEY, "<unknown>")), Refusal::Exists(None));
    for message in [duplicate("Other__c", "00Q5g0000000012"), duplicate("<unknown>", "<unknown>"), String::new()] {
        assert!(matches!(exists(&message), Refusal::Failed(e) if e.kind == ErrorKind::Rejected), "{message}");
    }
    let other = refusal(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", &duplicate(KEY, "00Q5g0000000012"), &[]);
    assert!(matches!(other, Refusal::Failed(_)), "an administrator's words prove nothing");
}

#[test]
fn fields_are_named_and_values_are_not() {
    let error = failed(400, "STRING_TOO_LONG", "LastName: data value too large: t0ken (max length=80)", &["LastName"]);
    assert_eq!(error.to_string(), "the value is too long for the field (field LastName) (HTTP 400)");
    let error = failed(400, "INVALID_FIELD", "No such column 'Sise__c' on sobject of type Lead", &[]);
    assert_eq!(error.field.as_deref(), Some("Sise__c"));
    let error = failed(400, "t0ken t0ken", "t0ken", &["t0ken t0ken", "x"]);
    assert!(!format!("{error:?}").contains("t0ken"), "{error:?}");
}

#[test]
fn an_external_id_field_that_is_not_there_pauses_the_destination() {
    let missing = failed(400, "INVALID_FIELD", "No such column 'LeadRelay_Id__c' on sobject of type Lead", &[]);
    let locked = failed(400, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields", &[KEY]);
    for error in [missing, locked] {
        assert_eq!(error.kind, ErrorKind::Misconfigured);
        assert!(error.message.contains("leadrelay setup salesforce"), "{error}");
    }
}

#[test]
fn a_trigger_that_ran_out_is_not_the_leads_fault() {
    let message = "LeadTrigger: System.LimitException: Too many SOQL queries: 101";
    assert_eq!(failed(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, &[]).kind, ErrorKind::Unexpected);
}

#[test]
fn used_up_calls_wait_an_hour_and_concurrent_ones_do_not() {
    let hour = Some(Timestamp::UNIX_EPOCH + Duration::from_hours(1));
    let total = "TotalRequests Limit exceeded.";
    let concurrent = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
    for (message, info, at) in [
        (total, None, hour),
        (concurrent, None, None),
        (total, Some("api-usage=5000/5000; per-app-api-usage=17/250(appName=leadrelay)"), hour),
        (concurrent, Some("api-usage=18/5000"), None),
        (total, Some("garbage"), hour),
    ] {
        let body = json!([{"message": message, "errorCode": "REQUEST_LIMIT_EXCEEDED"}]);
        let mut answer = answer(403, &body);
        if let Some(info) = info {
            answer.headers.insert("sforce-limit-info", HeaderValue::from_static(info));
        }
        let Some(Refusal::Failed(error)) = reading().parse_error(&answer) else { panic!("no failure") };
        assert_eq!((error.kind, error.retry_at), (ErrorKind::Throttled, at), "{message} {info:?}");
    }
}
