//! Durations and sizes as people write them: `"5s"`, `"1h 30m"`, `"256KiB"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A length of time: `"5s"`, `"15m"`, `"72h"`, `"30d"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A century: nobody waits longer, and what is added to a time stays a time.
const LONGEST: Span = Span::days(36_525);

impl Span {
    /// So many seconds.
    pub const fn secs(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }
    /// So many hours.
    pub const fn hours(n: u64) -> Self {
        Self::secs(n * 3600)
    }
    /// So many days of 24 hours.
    pub const fn days(n: u64) -> Self {
        Self::hours(n * 24)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a duration; write for example \"5s\", \"15m\", \"72h\" or \"30d\"");
        let days = text.trim().strip_suffix('d').and_then(|n| n.trim().parse::<u64>().ok());
        if let Some(days) = days {
            return days.checked_mul(86_400).map(Self::secs).filter(|span| *span <= LONGEST).ok_or_else(wrong);
        }
        let parsed: SignedDuration = text.parse().map_err(|_| wrong())?;
        Duration::try_from(parsed).ok().map(Self).filter(|span| *span <= LONGEST).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(duration) => write!(f, "{duration:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number of bytes: `"256KiB"`, `"16GiB"`, or a plain number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl ByteSize {
    /// So many KiB.
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }
    /// So many MiB.
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }
    /// So many GiB.
    pub const fn gib(n: u64) -> Self {
        Self(n << 30)
    }
    /// As a length in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (number, unit) =
            UNITS.iter().find_map(|(name, size)| Some((text.strip_suffix(name)?, *size))).unwrap_or((text, 1));
        number
            .trim()
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(unit))
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not a size; write for example \"256KiB\", \"64MiB\" or \"16GiB\""))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS[..4].iter().rev().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match unit {
            Some((name, size)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "span", "examples": ["5s", "15m", "72h", "30d"]})
    }
    fn inline_schema() -> bool {
        true
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "size", "examples": ["256KiB", "16GiB"]})
    }
    fn inline_schema() -> bool {
        true
    }
}

/// The schema of an address to listen on.
pub(super) fn address_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "socket-address", "examples": ["127.0.0.1:8080", "0.0.0.0:8443"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, seconds) in [("5s", 5), ("15m", 900), ("72h", 259_200), ("30d", 2_592_000), ("1h 30m", 5400)] {
            assert_eq!(text.parse(), Ok(Span::secs(seconds)), "{text}");
        }
        for text in ["5", "-5s", "soon", "999999999999999999d", "40000d", "9000000000000s", ""] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [("256KiB", 262_144), ("16 GiB", 1 << 34), ("10MB", 10_000_000), ("77", 77), ("5B", 5)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        assert!("lots".parse::<ByteSize>().is_err());
        assert_eq!(ByteSize::kib(256).to_string(), "256KiB");
    }
}
