//! Signed assertions (RFC 7523): a JSON Web Token that proves who asks for a token, without a secret that is sent.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use serde_json::{Value, json};

use crate::config::Secret;
use crate::error::{DeliveryError, ErrorKind};

/// How an assertion is signed (RFC 7518, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256, which Salesforce wants.
    Rs256,
    /// RSA with PSS and SHA-256, which Microsoft Entra wants.
    Ps256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Rs256 => &RSA_PKCS1_SHA256,
            Self::Ps256 => &RSA_PSS_SHA256,
        }
    }
}

/// Signs assertions. Its `Debug` shows no key.
pub struct Signer {
    pair: RsaKeyPair,
    public: String,
    algorithm: Algorithm,
}

impl Signer {
    /// A signer with the key in `secret`: PEM, PKCS #8 or PKCS #1, without a password.
    ///
    /// # Errors
    /// A text that names `private_key` and the remedy.
    pub fn new(secret: &Secret, algorithm: Algorithm) -> Result<Self, String> {
        let remedy = "make one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048";
        let text = secret.expose();
        let der = der_in(text).ok_or_else(|| format!("`private_key` is no PEM file; {remedy}"))?;
        // What `openssl genrsa` wrote of old is the key alone; everything newer wraps it (PKCS #8).
        let is_bare = text.contains("BEGIN RSA PRIVATE KEY");
        let pair = if is_bare { RsaKeyPair::from_der(&der) } else { RsaKeyPair::from_pkcs8(&der) };
        let pair =
            pair.map_err(|_| format!("`private_key` is no RSA key of 2048 bits or more, or has a password; {remedy}"))?;
        let public = URL_SAFE_NO_PAD.encode(pair.public().as_ref());
        Ok(Self { pair, public, algorithm })
    }

    /// The public half of the key, by which two signers are told apart.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// An assertion of `claims`, with the members of `header` beside `alg` and `typ`.
    ///
    /// # Errors
    /// `Unavailable`, when the machine has no random numbers to sign with.
    pub fn sign(&self, header: &Value, claims: &Value) -> Result<String, DeliveryError> {
        let mut whole = json!({"alg": self.algorithm.name(), "typ": "JWT"});
        for (name, value) in header.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&whole), part(claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(self.algorithm.encoding(), &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| DeliveryError::new(ErrorKind::Unavailable, "this machine cannot sign a login now"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

/// The bytes of the first block of a PEM text, of whatever it is a block.
pub fn der_in(pem: &str) -> Option<Vec<u8>> {
    let mut lines = pem.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN"));
    lines.next()?;
    let body: String = lines.take_while(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_none_is_refused_with_the_remedy_and_not_shown() {
        for wrong in ["", "t0ken!", "-----BEGIN PRIVATE KEY-----\nt0kent0ken==\n-----END PRIVATE KEY-----"] {
            let error = Signer::new(&Secret::plain(wrong), Algorithm::Rs256).expect_err(wrong);
            assert!(
                error.starts_with("`private_key`") && error.contains("openssl") && !error.contains("t0ken"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_first_block_is_read_and_what_is_around_it_is_not() {
        let pem = "Bag Attributes\n-----BEGIN CERTIFICATE-----\nAQID\r\nBAU=\n-----END CERTIFICATE-----\n-----BEGIN X-----\nAQ==\n";
        assert_eq!(der_in(pem), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!(der_in("-----BEGIN X-----\n-----END X-----"), None);
    }
}
