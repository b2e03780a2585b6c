//! Standard Webhooks, for whoever posts by them: the URL, and the signature (HMAC-SHA256 over id, timestamp and body).
//!
//! Invariant: no text and no `Debug` shows a secret, or more of a URL than its host.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::Secret;
use crate::http::Request;
use crate::http::Url;
use crate::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};

/// Signs requests. Its `Debug` shows no key.
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// A signer with the key in `secret`: `whsec_` and base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// When it is none; the text names the key `secret` and the remedy.
    pub fn new(secret: &Secret) -> Result<Self, String> {
        let remedy = "make one with: echo whsec_$(openssl rand -base64 32)";
        let text = secret.expose().trim().strip_prefix("whsec_");
        let text = text.ok_or_else(|| format!("`secret` does not start with whsec_; {remedy}"))?;
        let key = STANDARD.decode(text).map_err(|_| format!("`secret` is not base64 after whsec_; {remedy}"))?;
        if !(24..=64).contains(&key.len()) {
            return Err(format!("`secret` holds {} bytes, and must hold 24 to 64; {remedy}", key.len()));
        }
        // HMAC takes a key of any length.
        Hmac::new_from_slice(&key).map(Self).map_err(|_| format!("`secret` cannot be a key; {remedy}"))
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// The request with this JSON in it, and the headers by which its receiver verifies it. `timestamp` is in seconds.
    ///
    /// # Errors
    /// When `id` cannot stand in a header.
    pub fn signed(&self, request: Request, id: &str, timestamp: i64, body: Vec<u8>) -> Result<Request, String> {
        let value =
            |text: &str| HeaderValue::from_str(text).map_err(|_| "an id or a signature is no header".to_owned());
        let signature = self.sign(id, timestamp, &body);
        Ok(request
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(HeaderName::from_static("webhook-id"), value(id)?)
            .header(HeaderName::from_static("webhook-timestamp"), timestamp.into())
            .header(HeaderName::from_static("webhook-signature"), value(&signature)?)
            .body(body))
    }
}

/// The URL that a webhook is posted to.
///
/// # Errors
/// When it makes no sense; the text names the key `url`, and shows nothing of it.
pub fn url(text: &str) -> Result<Url, String> {
    // Its own words could hold the URL, and a URL can hold a token.
    let url: Url = text.parse().map_err(|_| "`url` is no URL; it starts with https://".to_owned())?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err("`url` must start with https:// (or http:// on a private network)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "`url` holds a user or a password, and they are not sent; send what is asked for in a header, if at all"
                .to_owned(),
        );
    }
    if url.fragment().is_some() {
        return Err("`url` holds a `#`, and what follows it is never sent; remove it or write %23".to_owned());
    }
    Ok(url)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_another_tool_does() {
        let signer = Signer::new(&Secret::plain("whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0")).expect("a signer");
        // printf '%s' 'a.1614265330.{"n":1}' | openssl dgst -sha256 -hmac 123456789012345678901234 -binary | base64
        assert_eq!(signer.sign("a", 1_614_265_330, b"{\"n\":1}"), "v1,sfgfuPzTTt7Adg3CzVlRJxW6SHsUdMJa2jGg2mWttkM=");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_with_the_remedy_and_not_shown() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for wrong in ["", "t0ken", "whsec_", "whsec_t0ken!", "WHSEC_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0", &of(23), &of(65)]
        {
            let error = Signer::new(&Secret::plain(wrong)).expect_err(wrong);
            assert!(error.starts_with("`secret`") && error.contains("openssl") && !error.contains("t0ken"), "{error}");
        }
        for right in [of(24), of(64), format!("{}\n", of(32))] {
            assert!(Signer::new(&Secret::plain(right)).is_ok());
        }
    }
}
