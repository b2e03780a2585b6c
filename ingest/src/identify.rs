//! Who sent a request, and which lead it is: read from its head, before its body is looked at.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderName};
use jiff::Timestamp;
use leadrelay_shared::id::LeadId;
use sha2::{Digest, Sha256};

use crate::door::{Door, Source};
use crate::problem::Refusal;

/// The longest `Idempotency-Key`.
const KEY_MAX: usize = 255;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Looks at the head of a request: its size, its method, and whose it is.
///
/// # Errors
/// Unknown sources and wrong tokens are told in the same words after the same work.
pub(crate) fn source<'a>(door: &'a Door, request: &HttpRequest) -> Result<&'a Source, Refusal> {
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target + headers.sum::<usize>() > door.max_head {
        return Err(Refusal::HeadTooLarge { max: door.max_head });
    }
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let name = request.match_info().get("source").unwrap_or_default();
    let token = request.match_info().get("token").or_else(|| header_token(request)).unwrap_or_default();
    let admitted = door.tokens.admit(name, token);
    door.sources.get(name).filter(|_| admitted).ok_or(Refusal::Unknown)
}

/// The token where the path has none: `Authorization: Bearer ..` or `X-Api-Key: ..`.
fn header_token(request: &HttpRequest) -> Option<&str> {
    let text = |name: &HeaderName| request.headers().get(name)?.to_str().ok();
    let bearer = text(&AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| text(&API_KEY).map(str::trim))
}

/// What of an identified request's head can still be wrong.
///
/// # Errors
/// A body that is encoded, or a key that cannot be one.
pub(crate) fn key(request: &HttpRequest) -> Result<Option<&str>, Refusal> {
    let encoded = |value: &[u8]| !value.trim_ascii().eq_ignore_ascii_case(b"identity");
    if request.headers().get_all(CONTENT_ENCODING).any(|value| encoded(value.as_bytes())) {
        return Err(Refusal::Encoded);
    }
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str().map(str::trim) {
        Ok(key) if (1..=KEY_MAX).contains(&key.len()) => Ok(Some(key)),
        _ => Err(Refusal::Key { max: KEY_MAX }),
    }
}

/// The id that a body gets when it is sent to `source` under this `Idempotency-Key`: whoever sends it can know whether it is
/// there already.
pub fn id_under_key(source: &str, key: &str, body: &[u8]) -> LeadId {
    under_key(source.as_bytes(), key.as_bytes(), &Sha256::digest(body).into())
}

fn under_key(source: &[u8], key: &[u8], hash: &[u8; 32]) -> LeadId {
    LeadId::derive(&[b"key", source, key, hash])
}

/// Which lead a body is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    /// Under which its resends are known: the sender's key, or the body itself.
    pub(crate) key: u128,
    /// Some bits of the body's hash, to tell one key's bodies apart.
    pub(crate) body: u64,
    /// The lead's id. Any ingest process gives a resend within one window the same, and no other body has it: a key whose
    /// first body is forgotten (a restart, the window's end) brings another lead, which must not take the first one's place.
    pub(crate) id: LeadId,
}

impl Identity {
    /// By the sender's key and the body where it sent a key; else by the body and the number of the current window.
    pub(crate) fn of(source: &Source, key: Option<&str>, body: &[u8], now: Timestamp) -> Self {
        let hash: [u8; 32] = Sha256::digest(body).into();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        let name = source.name.as_bytes();
        let (known_as, id) = match key {
            Some(key) => {
                let key = key.as_bytes();
                (LeadId::derive(&[b"key", name, key]), under_key(name, key, &hash))
            }
            None => {
                let window = i64::try_from(source.window.as_secs()).unwrap_or(i64::MAX).max(1);
                let number = now.as_second().div_euclid(window).to_be_bytes();
                (LeadId::derive(&[b"body", name, &hash]), LeadId::derive(&[b"body", name, &hash, &number]))
            }
        };
        Self { key: known_as.uuid().as_u128(), body: u64::from_be_bytes(first), id }
    }
}
