//! Filters and cursors as conditions of SQL. Values are always bound, never written into the text.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::db::Value;
use super::micros;
use super::rows::state_word;
use crate::api::types::Filter;

/// The most that one page holds.
pub const PAGE_MAX: usize = 200;

/// The words of a search that are looked at.
const WORDS_MAX: usize = 8;

/// Where the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the last item.
    pub at: i64,
    /// Its number, for items of one time.
    pub no: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}", self.at, self.no)
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok().map(u64::cast_signed);
        let both = text.split_once('.').and_then(|(at, no)| Some(Self { at: number(at)?, no: number(no)? }));
        both.ok_or("is not a cursor that a list has given")
    }
}

/// Conditions that must all hold, and the values for their question marks.
#[derive(Default)]
pub(super) struct Conditions {
    parts: Vec<Cow<'static, str>>,
    values: Vec<Value>,
}

impl Conditions {
    /// What is said of the lead itself, `l`. A search finds the beginning of an id in one of the columns `ids`.
    pub(super) fn lead(&mut self, filter: &Filter, ids: &[&str]) {
        self.text("l.state = ?", filter.state.map(state_word));
        self.text("l.source = ?", filter.source.as_deref());
        for word in filter.q.iter().flat_map(|q| q.split_whitespace()).take(WORDS_MAX) {
            self.word(word, ids);
        }
    }

    pub(super) fn text(&mut self, condition: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.parts.push(condition.into());
            self.values.push(Value::Text(value.to_owned()));
        }
    }

    pub(super) fn time(&mut self, condition: &'static str, value: Option<Timestamp>) {
        if let Some(value) = value {
            self.parts.push(condition.into());
            self.values.push(Value::Int(micros(value)));
        }
    }

    /// After the cursor, in a list with the latest first.
    pub(super) fn before(&mut self, at: &str, no: &str, cursor: Option<Cursor>) {
        if let Some(cursor) = cursor {
            // "Earlier, or of the same time and before it", written so that an index can begin at the time.
            self.parts.push(format!("({at} < ? OR {no} < ?) AND {at} <= ?").into());
            self.values.extend([cursor.at, cursor.no, cursor.at].map(Value::Int));
        }
    }

    /// A word of a search: part of a text, or an id's beginning.
    fn word(&mut self, word: &str, ids: &[&str]) {
        self.values.push(Value::Text(format!("%{}%", escaped(&word.to_lowercase()))));
        let mut either = r"(l.search LIKE ? ESCAPE '\'".to_owned();
        if let Some((low, high)) = id_range(word) {
            for column in ids {
                either.push_str(&format!(" OR {column} BETWEEN ? AND ?"));
                self.values.extend([Value::Blob(low.to_vec()), Value::Blob(high.to_vec())]);
            }
        }
        either.push(')');
        self.parts.push(either.into());
    }

    /// The condition and its values.
    pub(super) fn into_sql(self) -> (String, Vec<Value>) {
        (if self.parts.is_empty() { "true".to_owned() } else { self.parts.join(" AND ") }, self.values)
    }
}

/// A text in which the signs of `LIKE` stand for themselves.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The ids that begin with `prefix`: at least 6 hexadecimal digits, with or without the dashes.
pub(super) fn id_range(prefix: &str) -> Option<([u8; 16], [u8; 16])> {
    let digits: Vec<u8> = prefix
        .bytes()
        .filter(|b| *b != b'-')
        .map(|b| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    if !(6..=32).contains(&digits.len()) {
        return None;
    }
    let mut range = ([0; 16], [0xff; 16]);
    for (n, digit) in digits.into_iter().enumerate() {
        let (shift, mask) = if n % 2 == 0 { (4, 0x0f) } else { (0, 0xf0) };
        range.0[n / 2] |= digit << shift;
        range.1[n / 2] = (range.1[n / 2] & mask) | (digit << shift);
    }
    Some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_own_text() {
        for cursor in [Cursor { at: 0, no: 1 }, Cursor { at: -5, no: i64::MAX }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert!("x.1".parse::<Cursor>().is_err());
        assert!("1".parse::<Cursor>().is_err());
    }

    #[test]
    fn an_ids_beginning_is_a_range() {
        let (low, high) = id_range("0a1b2c-3").expect("a prefix");
        assert_eq!(low[..5], [0x0a, 0x1b, 0x2c, 0x30, 0]);
        assert_eq!(high[..5], [0x0a, 0x1b, 0x2c, 0x3f, 0xff]);
        assert_eq!(id_range("0a1b2"), None);
        assert_eq!(id_range("ann@example.com"), None);
    }

    #[test]
    fn the_signs_of_like_stand_for_themselves() {
        assert_eq!(escaped(r"100%_\"), r"100\%\_\\");
    }
}
