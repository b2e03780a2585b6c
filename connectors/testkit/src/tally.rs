//! A receiver that says what came: `GET /` answers with figures. For demonstrations, and for the smoke test of the images.
//!
//! Invariant: what it says holds figures alone. It keeps so many deliveries and no more; after that it refuses new requests.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::Simulated;

/// Deliveries that are kept; a demonstration has far fewer.
const DELIVERIES_MAX: usize = 100_000;

/// A [`Receiver`] and a page that tells its figures.
#[derive(Debug)]
pub struct Tally {
    receiver: Receiver,
    requests: AtomicU64,
}

impl Tally {
    /// Tells the figures of `receiver`.
    pub fn new(receiver: Receiver) -> Self {
        Self { receiver, requests: AtomicU64::new(0) }
    }

    /// What came so far. A lead is known by its e-mail address, so `leads_twice` counts those that came under several ids.
    fn figures(&self) -> Value {
        let records = self.receiver.records();
        let mut leads: HashMap<String, HashSet<&str>> = HashMap::new();
        for (id, record) in &records {
            if let Some(email) = email(&record.body) {
                leads.entry(email).or_default().insert(id);
            }
        }
        json!({
            "requests": self.requests.load(Ordering::SeqCst),
            "refused": self.receiver.unverified(),
            "deliveries": records.len(),
            "copies": self.receiver.copies(),
            "changed": records.values().filter(|record| record.changed).count(),
            "leads": leads.len(),
            "leads_twice": leads.values().filter(|ids| ids.len() > 1).count(),
        })
    }
}

/// The address in a record of leadrelay's own names, as the webhook connector sends it.
fn email(body: &[u8]) -> Option<String> {
    let sent: Value = serde_json::from_slice(body).ok()?;
    sent.pointer("/data/record/email")?.as_str().map(str::to_lowercase)
}

impl Simulated for Tally {
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        if request.method() == Method::GET {
            let mut answer = Response::new(Bytes::from(format!("{}\n", self.figures())));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            return answer;
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        if self.receiver.ids() >= DELIVERIES_MAX {
            let mut full = Response::default();
            *full.status_mut() = StatusCode::INSUFFICIENT_STORAGE;
            return full;
        }
        self.receiver.answer(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"data":{"record":{"email":"A@example.com"}}}"#;
    const SECRET: &str = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";

    // Computed apart from this code: `printf '%s' '<id>.1614265330.<BODY>' | openssl dgst -sha256 -hmac <key> -binary | base64`.
    const SIGNATURES: [(&str, &str); 2] =
        [("a", "TDI9k40JtsQdi/IRC9kSykTVVLEpR8yBrNbQQTTAX3s="), ("b", "9lmp37xL6vFJNTozVwBON6NU3Ou+vJE3190YaP2pPns=")];

    fn posted(tally: &Tally, id: &str, signature: &str) -> StatusCode {
        let request = Request::post("/").header("webhook-id", id).header("webhook-timestamp", "1614265330");
        let request = request.header("webhook-signature", format!("v1,{signature}"));
        tally.answer(&request.body(Bytes::from_static(BODY.as_bytes())).expect("a request")).status()
    }

    fn told(tally: &Tally) -> Value {
        let answer = tally.answer(&Request::get("/").body(Bytes::new()).expect("a request"));
        serde_json::from_slice(answer.body()).expect("JSON")
    }

    #[test]
    fn a_copy_is_told_apart_from_a_lead_that_came_under_two_ids() {
        let tally = Tally::new(Receiver::new(SECRET));
        let [(a, signature), other] = SIGNATURES;
        assert_eq!([posted(&tally, a, signature), posted(&tally, a, signature)], [200, 200]);
        assert_eq!(posted(&tally, "b", signature), 401);
        let once = json!({"requests": 3, "refused": 1, "deliveries": 1, "copies": 2, "changed": 0, "leads": 1, "leads_twice": 0});
        assert_eq!(told(&tally), once);
        assert_eq!(posted(&tally, other.0, other.1), 200);
        let twice = told(&tally);
        assert_eq!((&twice["deliveries"], &twice["leads"], &twice["leads_twice"]), (&json!(2), &json!(1), &json!(1)));
        assert!(!twice.to_string().contains("example.com"), "figures alone");
    }
}
