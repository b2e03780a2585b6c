//! The bytes of a lead. On the wire between services: a string where they are UTF-8, else `{"base64": ".."}`.

use std::fmt;
use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bytes of a lead, untouched.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Body(pub Bytes);

impl Body {
    /// The bytes without a leading byte order mark, as text where they are UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.without_bom()).ok()
    }

    /// The bytes without a leading byte order mark.
    pub fn without_bom(&self) -> &[u8] {
        self.0.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.0)
    }
}

impl Deref for Body {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

/// Prints the length alone: a body is personal data.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &STANDARD.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape)
    }
}

struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or {\"base64\": \"..\"}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Body, E> {
        Ok(Body(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let Some(("base64", text)) = map.next_entry::<&str, std::borrow::Cow<'_, str>>()? else {
            return Err(A::Error::custom("a body is a string or {\"base64\": \"..\"}"));
        };
        let bytes = STANDARD.decode(text.as_bytes()).map_err(A::Error::custom)?;
        Ok(Body(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_kind_survive_the_wire() {
        for bytes in [&b"{\"a\":1}"[..], b"\xef\xbb\xbf{}", b"\xff\xfe\x00", b""] {
            let body = Body::from(bytes);
            let wire = serde_json::to_string(&body).expect("a body serializes");
            assert_eq!(serde_json::from_str::<Body>(&wire).expect("and comes back"), body);
        }
    }
}
