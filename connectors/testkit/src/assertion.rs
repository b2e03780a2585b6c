//! Signed assertions, as those who are shown one read them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey};
use serde_json::Value;

/// An assertion: what it says, and who has signed it in which way.
pub(crate) struct Assertion<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl<'a> Assertion<'a> {
    /// The assertion in `text`, if it is one.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (header, claims) = (read(header)?, read(claims)?);
        Some(Self { signed, signature: URL_SAFE_NO_PAD.decode(signature).ok()?, header, claims })
    }

    /// Whether the owner of the private key `pem` has signed it with `algorithm`, and it says so.
    pub(crate) fn is_signed(&self, algorithm: &str, pem: &str) -> bool {
        let how: &'static RsaParameters = match algorithm {
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            _ => &RSA_PKCS1_2048_8192_SHA256,
        };
        let key = public_key(pem).map(|key| UnparsedPublicKey::new(how, key));
        let is_signed = key.is_some_and(|key| key.verify(self.signed.as_bytes(), &self.signature).is_ok());
        self.header["alg"] == algorithm && is_signed
    }
}

/// The public half of a private key.
fn public_key(pem: &str) -> Option<Vec<u8>> {
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = KeyPair::from_pkcs8(&STANDARD.decode(der).ok()?).ok()?;
    Some(pair.public().as_ref().to_vec())
}
