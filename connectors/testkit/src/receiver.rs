//! A receiver of Standard Webhooks, as a partner would run one: it verifies the signature and keeps one record for each id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response};
use sha2::Sha256;

use crate::server::Simulated;

/// A receiver's world; clones share it.
#[derive(Clone, Debug)]
pub struct Receiver(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secret: String,
    key: Vec<u8>,
    keep_bodies: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    records: HashMap<String, Record>,
    unverified: u64,
}

/// What came under one `webhook-id`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The body that came first; empty in a receiver that only counts.
    pub body: Bytes,
    /// How often this id came, the first time included.
    pub copies: u32,
    /// Whether a later copy was another body.
    pub changed: bool,
    /// The `webhook-timestamp` of the first and of the last copy.
    pub timestamps: (i64, i64),
}

impl Receiver {
    /// A receiver that shares `secret` (`whsec_..`) with its sender and keeps the bodies.
    ///
    /// # Panics
    /// When the secret is none.
    pub fn new(secret: &str) -> Self {
        Self::make(secret, true)
    }

    /// A receiver that counts ids and copies and keeps no body, for benchmarks.
    ///
    /// # Panics
    /// When the secret is none.
    pub fn counting(secret: &str) -> Self {
        Self::make(secret, false)
    }

    /// A receiver that keeps the bodies, for a secret that nobody has looked at yet.
    ///
    /// # Errors
    /// When the secret is none.
    pub fn keyed(secret: &str) -> Result<Self, String> {
        Self::made(secret, true)
    }

    #[expect(clippy::expect_used, reason = "a test with a wrong secret cannot go on")]
    fn make(secret: &str, keep_bodies: bool) -> Self {
        Self::made(secret, keep_bodies).expect("a secret")
    }

    fn made(secret: &str, keep_bodies: bool) -> Result<Self, String> {
        let key = secret.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        let key = key.ok_or("the secret is not whsec_ and base64")?;
        Ok(Self(Arc::new(Inner { secret: secret.to_owned(), key, keep_bodies, seen: Mutex::default() })))
    }

    /// The secret that it shares with its sender.
    pub fn secret(&self) -> &str {
        &self.0.secret
    }

    /// The record that came under `id`.
    pub fn record(&self, id: &str) -> Option<Record> {
        self.seen().records.get(id).cloned()
    }

    /// Every record, by id.
    pub fn records(&self) -> HashMap<String, Record> {
        self.seen().records.clone()
    }

    /// How many ids came.
    pub fn ids(&self) -> usize {
        self.seen().records.len()
    }

    /// How many copies came, of all ids together.
    pub fn copies(&self) -> u64 {
        self.seen().records.values().map(|record| u64::from(record.copies)).sum()
    }

    /// How many requests came whose signature was wrong or missing.
    pub fn unverified(&self) -> u64 {
        self.seen().unverified
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id and the timestamp of a request, where its signature is right.
    fn verify<'r>(&self, request: &'r Request<Bytes>) -> Option<(&'r str, i64)> {
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
        let signatures = header("webhook-signature")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0.key).ok()?;
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", request.body()] {
            mac.update(part);
        }
        let valid = |signature: &str| {
            let given = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            given.is_some_and(|given| mac.clone().verify_slice(&given).is_ok())
        };
        signatures.split(' ').any(valid).then_some((id, timestamp.parse().ok()?))
    }
}

impl Simulated for Receiver {
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let mut answer = Response::default();
        if request.method() != http::Method::POST {
            *answer.status_mut() = http::StatusCode::METHOD_NOT_ALLOWED;
            return answer;
        }
        let verified = self.verify(request);
        let mut seen = self.seen();
        let Some((id, timestamp)) = verified else {
            seen.unverified += 1;
            *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
            return answer;
        };
        let body = if self.0.keep_bodies { request.body().clone() } else { Bytes::new() };
        let first = Record { body: body.clone(), timestamps: (timestamp, timestamp), ..Record::default() };
        let record = seen.records.entry(id.to_owned()).or_insert(first);
        record.copies += 1;
        record.changed |= record.body != body;
        record.timestamps.1 = timestamp;
        *answer.body_mut() = Bytes::from_static(b"{\"status\":\"ok\"}");
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";

    fn request(id: &str, body: &'static str, signature: &str) -> Request<Bytes> {
        let request = Request::post("/").header("webhook-id", id).header("webhook-timestamp", "1614265330");
        request.header("webhook-signature", signature).body(Bytes::from_static(body.as_bytes())).expect("a request")
    }

    // Computed apart from this code: `printf '%s' 'a.1614265330.{"n":1}' | openssl dgst -sha256 -hmac <key> -binary | base64`.
    const SIGNATURE: &str = "v1,sfgfuPzTTt7Adg3CzVlRJxW6SHsUdMJa2jGg2mWttkM=";

    #[test]
    fn a_signed_request_is_kept_once_and_its_copies_are_counted() {
        let receiver = Receiver::new(SECRET);
        for _ in 0..3 {
            assert_eq!(receiver.answer(&request("a", "{\"n\":1}", SIGNATURE)).status(), 200);
        }
        let record = receiver.record("a").expect("a record");
        assert_eq!((record.copies, record.changed, &record.body[..]), (3, false, &b"{\"n\":1}"[..]));
        assert_eq!((receiver.ids(), receiver.copies(), receiver.unverified()), (1, 3, 0));
    }

    #[test]
    fn another_id_another_body_or_no_signature_is_refused() {
        let receiver = Receiver::new(SECRET);
        for wrong in [
            request("b", "{\"n\":1}", SIGNATURE),
            request("a", "{\"n\":2}", SIGNATURE),
            request("a", "{\"n\":1}", "v1,"),
        ] {
            assert_eq!(receiver.answer(&wrong).status(), 401);
        }
        assert_eq!((receiver.ids(), receiver.unverified()), (0, 3));
    }
}
