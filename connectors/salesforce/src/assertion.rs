//! The signed assertion of the JWT bearer flow: RS256 over who asks, as whom, of whom, and until when.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use leadrelay_shared::config::Secret;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;

/// How long an assertion counts, in seconds. It is used at once; the rest is for clocks that differ.
const LIFETIME_S: i64 = 180;

/// Signs assertions. Its `Debug` shows no key.
pub(crate) struct Signer(RsaKeyPair);

impl Signer {
    /// A signer with the key in `secret`.
    pub(crate) fn new(secret: &Secret) -> Result<Self, String> {
        let remedy = "make one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048";
        let text = secret.expose();
        let is_edge = |line: &&str| line.starts_with("-----");
        let body: String = text.lines().map(str::trim).filter(|line| !is_edge(line)).collect();
        let der = STANDARD.decode(body).map_err(|_| format!("`private_key` is no PEM file; {remedy}"))?;
        // What `openssl genrsa` wrote of old is the key alone; everything newer wraps it (PKCS #8).
        let is_bare = text.contains("BEGIN RSA PRIVATE KEY");
        let pair = if is_bare { RsaKeyPair::from_der(&der) } else { RsaKeyPair::from_pkcs8(&der) };
        pair.map(Self)
            .map_err(|_| format!("`private_key` is no RSA key of 2048 bits or more, or has a password; {remedy}"))
    }

    /// An assertion of the application `client_id` that it acts for `username`.
    pub(crate) fn sign(
        &self,
        client_id: &str,
        username: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<String, DeliveryError> {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let exp = now.as_second() + LIFETIME_S;
        let claims = json!({"iss": client_id, "sub": username, "aud": audience, "exp": exp});
        let signed = format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| DeliveryError::new(ErrorKind::Unavailable, "this machine cannot sign a login now"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
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
    fn a_key_that_is_none_is_refused_with_the_remedy_and_not_shown() {
        for wrong in ["", "t0ken!", "-----BEGIN PRIVATE KEY-----\nt0kent0ken==\n-----END PRIVATE KEY-----"] {
            let error = Signer::new(&Secret::plain(wrong)).expect_err(wrong);
            assert!(
                error.starts_with("`private_key`") && error.contains("openssl") && !error.contains("t0ken"),
                "{error}"
            );
        }
    }
}
