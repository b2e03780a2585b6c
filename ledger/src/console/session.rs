//! Who is signed in: a cookie that says so itself, signed, so that any number of ledgers know it and none has to remember it.
//!
//! The key is made from the admin token: whoever changes the token signs everybody out. A form's token against forgery is made
//! from the session, and so is worth nothing in another.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The cookie's name.
pub(super) const COOKIE: &str = "leadrelay_session";
/// Seconds that a session lasts without a request.
const IDLE: i64 = 3600;
/// Seconds that it lasts at most.
const LONGEST: i64 = 12 * 3600;
/// A cookie is made anew when it is older than this.
const RENEW: i64 = 300;
/// Seconds since 1970 of the beginning and of the last use, and what makes it different from others.
const FIXED: usize = 8 + 8 + NONCE;
const NONCE: usize = 16;
const MAC: usize = 32;

/// One person's session.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Session {
    began: i64,
    used: i64,
    nonce: [u8; NONCE],
    /// Who it is, as they said themselves: everybody has the same token.
    pub(super) name: String,
}

/// Prints no word of it: with the nonce, forms could be forged.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// Makes sessions and knows its own.
pub(super) struct Sessions {
    key: Hmac<Sha256>,
    /// Those who signed out, until their session would have ended.
    ended: Mutex<HashMap<[u8; NONCE], i64>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    /// Sessions of those who know `token`.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    pub(super) fn new(token: &str) -> Self {
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("a key");
        let key = keyed(token.as_bytes()).chain_update(b"leadrelay console session 1").finalize().into_bytes();
        Self { key: keyed(&key), ended: Mutex::default() }
    }

    /// A new session.
    ///
    /// # Errors
    /// When the machine has no random numbers.
    pub(super) fn begin(&self, name: &str, now: Timestamp) -> Result<Session, getrandom::Error> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)?;
        Ok(Session { began: now.as_second(), used: now.as_second(), nonce, name: name.to_owned() })
    }

    /// The session of a cookie's value, if it is one and still lasts.
    pub(super) fn of(&self, value: &str, now: Timestamp) -> Option<Session> {
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (said, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        if !bool::from(self.mac(said).ct_eq(mac)) {
            return None;
        }
        let (fixed, name) = said.split_at_checked(FIXED)?;
        let seconds = |at: usize| Some(i64::from_be_bytes(fixed.get(at..at + 8)?.try_into().ok()?));
        let session = Session {
            began: seconds(0)?,
            used: seconds(8)?,
            nonce: fixed.get(16..)?.try_into().ok()?,
            name: String::from_utf8(name.to_vec()).ok()?,
        };
        let now = now.as_second();
        let lasts = now < session.used + IDLE && now < session.began + LONGEST;
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&session.nonce);
        (lasts && !ended).then_some(session)
    }

    /// Whether its cookie is to be made anew, since it is in use.
    pub(super) fn renewed(session: &Session, now: Timestamp) -> Option<Session> {
        let now = now.as_second();
        (now >= session.used + RENEW).then(|| Session { used: now, ..session.clone() })
    }

    /// Its cookie's value.
    pub(super) fn value(&self, session: &Session) -> String {
        let mut said = Vec::with_capacity(FIXED + session.name.len() + MAC);
        said.extend(session.began.to_be_bytes());
        said.extend(session.used.to_be_bytes());
        said.extend(session.nonce);
        said.extend(session.name.as_bytes());
        let mac = self.mac(&said);
        said.extend(mac);
        URL_SAFE_NO_PAD.encode(said)
    }

    /// What a form of this session carries, so that nobody else can make one.
    pub(super) fn form_token(&self, session: &Session) -> String {
        let mut said = b"form".to_vec();
        said.extend(session.nonce);
        URL_SAFE_NO_PAD.encode(self.mac(&said))
    }

    /// Ends it, whoever still has its cookie.
    pub(super) fn end(&self, session: &Session, now: Timestamp) {
        let now = now.as_second();
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|_, until| *until > now);
        ended.insert(session.nonce, session.began + LONGEST);
    }

    fn mac(&self, said: &[u8]) -> [u8; MAC] {
        self.key.clone().chain_update(said).finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a_session_is_known_by_its_cookie_until_it_ends() {
        let sessions = Sessions::new("token");
        let session = sessions.begin("Ann", at(1000)).expect("random numbers");
        assert_eq!(session.name, "Ann");
        let value = sessions.value(&session);
        assert_eq!(sessions.of(&value, at(1000 + IDLE - 1)), Some(session.clone()));
        assert_eq!(sessions.of(&value, at(1000 + IDLE)), None);
        assert_eq!(Sessions::new("another").of(&value, at(1000)), None);
        sessions.end(&session, at(1001));
        assert_eq!(sessions.of(&value, at(1001)), None);
    }

    #[test]
    fn use_prolongs_it_but_not_for_ever() {
        let sessions = Sessions::new("token");
        let mut session = sessions.begin("", at(0)).expect("random numbers");
        assert_eq!(Sessions::renewed(&session, at(RENEW - 1)), None);
        let mut now = 0;
        while now + RENEW < LONGEST {
            now += RENEW;
            session = Sessions::renewed(&session, at(now)).expect("renewed");
            assert!(sessions.of(&sessions.value(&session), at(now)).is_some());
        }
        assert_eq!(sessions.of(&sessions.value(&session), at(LONGEST)), None);
    }

    #[test]
    fn whatever_is_changed_in_a_cookie_is_noticed() {
        let sessions = Sessions::new("token");
        let value = sessions.value(&sessions.begin("Ann", at(0)).expect("random numbers"));
        for n in 0..value.len() {
            let mut forged: Vec<char> = value.chars().collect();
            forged[n] = if forged[n] == 'A' { 'B' } else { 'A' };
            let forged: String = forged.into_iter().collect();
            // The last digit has bits that say nothing; a text with them set is refused as well.
            assert_eq!(sessions.of(&forged, at(0)), None, "{n}");
        }
        for short in ["", "AAAA", &value[..20]] {
            assert_eq!(sessions.of(short, at(0)), None);
        }
    }

    #[test]
    fn a_forms_token_is_of_one_session() {
        let sessions = Sessions::new("token");
        let (one, other) = (sessions.begin("", at(0)).expect("one"), sessions.begin("", at(0)).expect("another"));
        assert_ne!(sessions.form_token(&one), sessions.form_token(&other));
    }
}
