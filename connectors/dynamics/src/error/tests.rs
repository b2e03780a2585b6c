use leadrelay_shared::http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: HeaderMap::new(), body: body.to_owned().into(), truncated: false }
}

fn refused(status: u16, code: &str, message: &str) -> Refusal {
    let body = json!({"error": {"code": code, "message": message}}).to_string();
    let record = json!({"subject": "Lee", "nope": 1, "leadsourcecode": 99, "campaignid@odata.bind": "/campaigns(x)"});
    parse_error(&answer(status, &body), record.as_object(), Timestamp::UNIX_EPOCH).expect("a refusal")
}

fn failed(status: u16, code: &str, message: &str) -> DeliveryError {
    match refused(status, code, message) {
        Refusal::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_code_decides_whatever_the_status_is() {
    use ErrorKind::{Contended, Misconfigured, Rejected, Throttled, Unavailable, Unexpected};
    for (status, code, kind) in [
        (429, "0x80072322", Throttled),
        (429, "0x80072321", Throttled),
        (429, "0x80072326", Throttled),
        (400, "0x80044331", Rejected),
        (400, "0x8004431A", Rejected),
        (400, "0x80044330", Rejected),
        (400, "0x80040278", Rejected),
        (400, "0x80040265", Rejected),
        (500, "0x80040265", Rejected),
        (404, "0x80040217", Rejected),
        (404, "0x80060891", Rejected),
        (400, "0x80040203", Rejected),
        (403, "0x80040220", Misconfigured),
        (403, "0x80042f09", Misconfigured),
        (403, "0x80041d1f", Misconfigured),
        (403, "0x80040225", Misconfigured),
        (403, "0x80072560", Misconfigured),
        (500, "0x80044150", Contended),
        (500, "0x80044151", Contended),
        (500, "0x80040224", Unexpected),
        (500, "0x80040216", Unexpected),
        (503, "0x80044192", Unavailable),
        (503, "0x80048D0B", Unavailable),
        // Of codes that are not in the table, the status tells.
        (400, "0x81234567", Rejected),
        (403, "0x81234567", Misconfigured),
        (500, "0x81234567", Unexpected),
        (503, "0x81234567", Unavailable),
        (429, "0x81234567", Throttled),
        (400, "", Rejected),
        (503, "", Unavailable),
    ] {
        assert_eq!(failed(status, code, "Lee-t0ken").kind, kind, "{status} {code}");
        assert!(!failed(status, code, "Lee-t0ken").to_string().contains("Lee"), "{status} {code}");
    }
    assert!(failed(400, "0x81234567", "").message.contains("0x81234567"));
}

#[test]
fn a_duplicate_is_one_as_500_and_as_412() {
    for status in [412, 500] {
        assert!(matches!(refused(status, "0x80040333", "A record was not created"), Refusal::Duplicate(_)), "{status}");
    }
}

#[test]
fn what_has_the_same_key_is_to_be_looked_for() {
    for (status, code) in
        [(412, "0x80040237"), (412, "0x80060892"), (400, "0x80060892"), (412, ""), (412, "0x81234567")]
    {
        let Refusal::Taken(error) = refused(status, code, "A record with matching key values already exists.") else {
            panic!("{status} {code}");
        };
        assert_eq!(error.kind, ErrorKind::Rejected);
    }
}

#[test]
fn the_column_is_named() {
    for (code, message, field) in [
        (
            "0x80044331",
            "A validation error occurred.  The length of the 'subject' attribute of the 'lead' entity exceeded the maximum allowed length of '300'.",
            Some("subject"),
        ),
        ("0x80048d19", "The property 'nope' does not exist on type 'Microsoft.Dynamics.CRM.lead'.", Some("nope")),
        (
            "0x0",
            "An undeclared property 'campaignid' which only has property annotations in the payload but no property value was found in the payload.",
            Some("campaignid"),
        ),
        (
            "0x8004431A",
            "A validation error occurred.  The value 99 of 'leadsourcecode' on record of type 'lead' is outside the valid range.",
            Some("leadsourcecode"),
        ),
        ("0x8006088a", "Could not find a property named 'nope' on type 'Microsoft.Dynamics.CRM.lead'.", Some("nope")),
        ("0x80040278", "The field 'subject' contains one or more invalid characters.", Some("subject")),
        ("0x80040265", "The property 'Lee' of 'Lee's' is taken", None),
    ] {
        let error = failed(400, code, message);
        assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Rejected, field), "{message}");
    }
}

#[test]
fn a_table_that_is_not_there_is_no_leads_fault() {
    for code in ["0x8006088a", "0x80060888"] {
        let error = failed(404, code, "Resource not found for the segment 'leadz'.");
        assert_eq!(error.kind, ErrorKind::Misconfigured, "{error}");
        assert!(error.message.contains("`entity_set`"), "{error}");
    }
}

#[test]
fn a_missing_privilege_is_named() {
    let message = "Principal user (Id=3b2c, type=8, roleCount=1) is missing prvCreateLead privilege (Id=1a2b) on OTC=4 for entity 'lead'.";
    assert!(failed(403, "0x80040220", message).message.contains("prvCreateLead"));
}

#[test]
fn the_servers_wish_is_kept() {
    let mut answer = answer(429, &json!({"error": {"code": "0x80072322", "message": ""}}).to_string());
    answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("280"));
    let error = parse_error(&answer, None, Timestamp::UNIX_EPOCH).expect("a refusal").into_error();
    assert_eq!(error.retry_at, Some(Timestamp::from_second(280).expect("a time")));
}

#[test]
fn a_row_that_is_not_there_is_told_from_a_path_that_is_not() {
    let of = |status, body: &str| says_no_such_row(&answer(status, body));
    assert!(of(404, r#"{"error":{"code":"0x80040217","message":"lead With Id = x Does Not Exist"}}"#));
    assert!(!of(404, "") && !of(404, r#"{"error":{"code":"0x8006088a","message":""}}"#));
    assert!(!of(400, r#"{"error":{"code":"0x80040217","message":""}}"#));
}
