//! Payloads at rest: sealed with AES-256-GCM where there is a key for them, and as they are where there is none.
//!
//! Invariant: what is sealed opens only in its own place, so nobody who can write the database can pass one person's payload off
//! as another's. Beside each value stands the key that it is sealed with, so that values under several keys, and values under
//! none, may be in one table.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leadrelay_shared::id::LeadId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::rows::lead_key;

/// The keys that there are, that for new values first; clones share them.
#[derive(Clone, Default)]
pub(super) struct Sealer(Arc<[Key]>);

struct Key {
    /// The first 4 bytes of its SHA-256, by which it stands beside a value.
    id: u32,
    bytes: [u8; 32],
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The body of a lead.
    Payload(LeadId),
    /// What waits under a key of the parked list.
    Parked([u8; 16]),
}

/// What is written for a value, and the key that it is sealed with: `None` where it is as it was.
pub(super) type Sealed<T> = (T, Option<u32>);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Place {
    /// What a sealed value is bound to.
    fn bound(self) -> Vec<u8> {
        match self {
            Self::Payload(lead) => [b"payload ".as_slice(), &lead_key(lead)].concat(),
            Self::Parked(key) => [b"parked ".as_slice(), &key].concat(),
        }
    }
}

impl Sealer {
    /// Seals with the first of these and opens with any.
    pub(super) fn new(keys: &[[u8; 32]]) -> Self {
        Self(keys.iter().map(Key::new).collect())
    }

    /// The key for new values.
    pub(super) fn first(&self) -> Option<u32> {
        self.0.first().map(|key| key.id)
    }

    /// What values may be sealed with and should not be any more: the keys behind the first, and none. Empty where there is no key.
    pub(super) fn others(&self) -> Vec<Option<u32>> {
        let Some(first) = self.first() else { return Vec::new() };
        let behind = self.0.iter().map(|key| key.id).filter(|id| *id != first).map(Some);
        let others: BTreeSet<Option<u32>> = behind.chain([None]).collect();
        others.into_iter().collect()
    }

    /// A value as it is written.
    pub(super) fn seal(&self, place: Place, value: &[u8]) -> Result<Sealed<Vec<u8>>, StoreError> {
        let Some(key) = self.0.first() else { return Ok((value.to_vec(), None)) };
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| StoreError::NoRandom)?;
        let mut text = value.to_vec();
        let tag = key
            .cipher()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.bound()), &mut text)
            .map_err(|_| StoreError::Broken)?;
        Ok(([&nonce, text.as_slice(), tag.as_ref()].concat(), Some(key.id)))
    }

    /// A text as it is written: what is sealed is in base64.
    pub(super) fn seal_text(&self, place: Place, text: String) -> Result<Sealed<String>, StoreError> {
        if self.0.is_empty() {
            return Ok((text, None));
        }
        let (value, sealed) = self.seal(place, text.as_bytes())?;
        Ok((STANDARD.encode(value), sealed))
    }

    /// The text that was written.
    pub(super) fn open_text(&self, place: Place, text: &str, sealed: Option<u32>) -> Result<String, StoreError> {
        if sealed.is_none() {
            return Ok(text.to_owned());
        }
        let value = STANDARD.decode(text).map_err(|_| StoreError::Broken)?;
        String::from_utf8(self.open(place, value, sealed)?).map_err(|_| StoreError::Broken)
    }

    /// The value that was written.
    pub(super) fn open(&self, place: Place, value: Vec<u8>, sealed: Option<u32>) -> Result<Vec<u8>, StoreError> {
        let Some(sealed) = sealed else { return Ok(value) };
        let (nonce, text) = value.split_first_chunk::<NONCE_LEN>().ok_or(StoreError::Broken)?;
        let mut why = StoreError::NoKey;
        for key in self.0.iter().filter(|key| key.id == sealed) {
            let mut text = text.to_vec();
            let (nonce, bound) = (Nonce::assume_unique_for_key(*nonce), Aad::from(place.bound()));
            if let Ok(opened) = key.cipher()?.open_in_place(nonce, bound, &mut text) {
                let length = opened.len();
                text.truncate(length);
                return Ok(text);
            }
            why = StoreError::Broken;
        }
        Err(why)
    }
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Self {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(bytes).into();
        Self { id: u32::from_be_bytes([a, b, c, d]), bytes: *bytes }
    }

    /// Made for each value, so that a key that could not be used would be told and never mean that nothing is sealed.
    fn cipher(&self) -> Result<LessSafeKey, StoreError> {
        UnboundKey::new(&AES_256_GCM, &self.bytes).map(LessSafeKey::new).map_err(|_| StoreError::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(n: u8) -> LeadId {
        LeadId::derive(&[b"seal", &[n]])
    }

    #[test]
    fn a_value_opens_in_its_own_place_with_its_own_key_and_nowhere_else() {
        let (one, other) = (Sealer::new(&[[1; 32]]), Sealer::new(&[[2; 32]]));
        let (here, there) = (Place::Payload(lead(1)), Place::Payload(lead(2)));
        let (value, sealed) = one.seal(here, b"ann@example.com").expect("sealed");
        assert!(!value.windows(3).any(|part| part == b"ann"), "it cannot be read as it stands");
        assert_eq!(one.open(here, value.clone(), sealed).expect("opened"), b"ann@example.com");
        assert!(matches!(one.open(there, value.clone(), sealed), Err(StoreError::Broken)));
        assert!(matches!(one.open(Place::Parked(lead_key(lead(1))), value.clone(), sealed), Err(StoreError::Broken)));
        assert!(matches!(other.open(here, value.clone(), sealed), Err(StoreError::NoKey)));
        assert!(matches!(Sealer::default().open(here, value.clone(), sealed), Err(StoreError::NoKey)));
        for n in 0..value.len() {
            let mut changed = value.clone();
            changed[n] ^= 1;
            assert!(matches!(one.open(here, changed, sealed), Err(StoreError::Broken)), "byte {n}");
        }
        for length in 0..value.len() {
            assert!(one.open(here, value[..length].to_vec(), sealed).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let place = Place::Parked([7; 16]);
        let (old, both) = (Sealer::new(&[[1; 32]]), Sealer::new(&[[2; 32], [1; 32]]));
        let (value, sealed) = old.seal_text(place, "a text".to_owned()).expect("sealed");
        assert_eq!(both.open_text(place, &value, sealed).expect("opened"), "a text");
        let (again, by) = both.seal_text(place, "a text".to_owned()).expect("sealed");
        assert!(by != sealed && matches!(old.open_text(place, &again, by), Err(StoreError::NoKey)));
        // The same value is never written the same way twice.
        assert_ne!(both.seal_text(place, "a text".to_owned()).expect("sealed").0, again);
    }

    #[test]
    fn without_a_key_a_value_stays_as_it_is_and_is_read_with_one_too() {
        let place = Place::Payload(lead(1));
        let (value, sealed) = Sealer::default().seal(place, b"{}").expect("written");
        assert_eq!((value.as_slice(), sealed), (b"{}".as_slice(), None));
        assert_eq!(Sealer::new(&[[1; 32]]).open(place, value, sealed).expect("read"), b"{}");
    }

    #[test]
    fn no_key_is_printed() {
        assert_eq!(format!("{:?}", Sealer::new(&[[77; 32]])), "Sealer");
    }
}
