//! The live tokens of every source, as hashes, and re-read when their files change.
//!
//! A source has one token, or two while rotating. Asking takes the same work whether the source exists or not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use leadrelay_shared::config::{Origin, Secret, SourceConfig, TOKEN_MIN};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// A source's hashes. A slot that no token fills holds zeros, which no token hashes to.
type Slots = [[u8; 32]; 2];

const EMPTY: Slots = [[0; 32]; 2];

/// The live tokens of every source.
pub(crate) struct Tokens {
    secrets: BTreeMap<String, Vec<Secret>>,
    live: RwLock<BTreeMap<String, Slots>>,
}

impl Tokens {
    /// The tokens as configured.
    pub(crate) fn of(sources: &BTreeMap<String, SourceConfig>) -> Self {
        let secrets: BTreeMap<_, _> =
            sources.iter().map(|(name, source)| (name.clone(), source.tokens.clone())).collect();
        let live = secrets.iter().map(|(name, secrets)| (name.clone(), hashes(secrets).unwrap_or(EMPTY))).collect();
        Self { secrets, live: RwLock::new(live) }
    }

    /// Whether `token` is live for `source`.
    pub(crate) fn admit(&self, source: &str, token: &str) -> bool {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        among(live.get(source).unwrap_or(&EMPTY), token).into()
    }

    /// The files that tokens came from.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let origins = self.secrets.values().flatten().map(Secret::origin);
        origins.filter_map(|origin| if let Origin::File(path) = origin { Some(path.clone()) } else { None }).collect()
    }

    /// Reads the files again. A source whose file is wrong keeps the tokens it has.
    pub(crate) fn reload(&self) {
        let mut next = self.live.read().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, secrets) in &self.secrets {
            match reread(secrets).and_then(|secrets| hashes(&secrets)) {
                Ok(slots) if next.insert(name.clone(), slots) != Some(slots) => {
                    tracing::info!(source.name = %name, "its tokens have changed");
                }
                Ok(_) => {}
                Err(reason) => {
                    tracing::error!(source.name = %name, %reason, "its tokens have changed for the worse; the old ones stay");
                }
            }
        }
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

fn reread(secrets: &[Secret]) -> Result<Vec<Secret>, String> {
    secrets
        .iter()
        .map(|secret| match secret.origin() {
            Origin::File(path) => Secret::from_file(path),
            Origin::Plain | Origin::Env(_) => Ok(secret.clone()),
        })
        .collect()
}

/// All the work that a token is, whoever it is for: one hash, and a comparison with both slots to their end.
fn among([newer, older]: &Slots, token: &str) -> Choice {
    #[cfg(test)]
    tests::WORK.with(|work| work.set(work.get() + 1));
    let hash: [u8; 32] = Sha256::digest(token).into();
    hash.ct_eq(newer) | hash.ct_eq(older)
}

/// A file that has changed is held to what the configuration demands.
fn hashes(secrets: &[Secret]) -> Result<Slots, String> {
    let tokens: Vec<&str> = secrets.iter().flat_map(Secret::lines).collect();
    if tokens.iter().any(|token| token.len() < TOKEN_MIN) {
        return Err(format!("a token has at least {TOKEN_MIN} characters"));
    }
    let hash = |token: &str| Sha256::digest(token).into();
    match tokens[..] {
        [only] => Ok([hash(only), [0; 32]]),
        [newer, older] => Ok([hash(newer), hash(older)]),
        _ => Err(format!("a source has one token, or two while rotating; here are {}", tokens.len())),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How often this thread has done a token's work.
        pub(super) static WORK: Cell<u32> = const { Cell::new(0) };
    }

    fn tokens(text: &str) -> Tokens {
        let sources: BTreeMap<String, SourceConfig> =
            serde_json::from_value(serde_json::json!({"a": {"tokens": [text]}})).expect("sources");
        Tokens::of(&sources)
    }

    #[test]
    fn two_tokens_live_and_nothing_else_does() {
        let tokens = tokens("first-token-of-a-source\n\nsecond-token-of-a-source\n");
        assert!(tokens.admit("a", "first-token-of-a-source"));
        assert!(tokens.admit("a", "second-token-of-a-source"));
        for wrong in ["", "first-token-of-a-sourc", "first-token-of-a-source\nsecond-token-of-a-source"] {
            assert!(!tokens.admit("a", wrong));
        }
        assert!(!tokens.admit("b", "first-token-of-a-source"));
        assert!(!tokens.admit("b", ""));
    }

    #[test]
    fn a_stranger_is_as_much_work_as_a_sender() {
        let tokens = tokens("first-token-of-a-source");
        let asked = [
            ("a", "first-token-of-a-source", true),
            ("a", "other-token-of-a-source", false),
            ("a", "", false),
            ("b", "first-token-of-a-source", false),
            ("b", "", false),
            ("", "", false),
        ];
        for (source, token, admitted) in asked {
            WORK.set(0);
            assert_eq!(tokens.admit(source, token), admitted);
            assert_eq!(WORK.get(), 1, "{source:?} {token:?}");
        }
    }

    #[test]
    fn a_third_token_or_a_short_one_is_none() {
        let three = "0123456789abcdef0\n0123456789abcdef1\n0123456789abcdef2";
        assert!(!tokens(three).admit("a", "0123456789abcdef0"));
        for (length, live) in [(TOKEN_MIN - 1, false), (TOKEN_MIN, true)] {
            let token = "x".repeat(length);
            assert_eq!(tokens(&token).admit("a", &token), live, "{length}");
        }
    }
}
