//! How times, numbers and words look on a page.

use jiff::Timestamp;
use minijinja::{State, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `3 minutes ago`: how long before the page's `now`.
pub(super) fn ago(state: &State<'_, '_>, at: &Value) -> String {
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let (Some(at), Some(now)) = (parse(at), state.lookup("now").as_ref().and_then(parse)) else {
        return "never".to_owned();
    };
    match now.as_second() - at.as_second() {
        0..10 => "just now".to_owned(),
        seconds @ 10.. => format!("{} ago", words(seconds)),
        seconds => format!("in {}", words(-seconds)),
    }
}

/// `2026-11-23 12:00:03 UTC`.
pub(super) fn time(at: &Value) -> String {
    let parsed = at.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    parsed.map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// `5 minutes`, of seconds.
pub(super) fn span(seconds: i64) -> String {
    words(seconds)
}

fn words(seconds: i64) -> String {
    let (n, unit) = match seconds {
        ..90 => (seconds, "second"),
        90..5_400 => ((seconds + 30) / 60, "minute"),
        5_400..129_600 => ((seconds + 1_800) / 3_600, "hour"),
        _ => ((seconds + 43_200) / 86_400, "day"),
    };
    if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") }
}

/// `12,345`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A word of the program as a person writes it: `no_destination` is `no destination`.
pub(super) fn said(word: &str) -> String {
    word.replace('_', " ")
}

/// A text as it stands in a URL.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A body or a record on several lines where it is JSON, and as it is where it is not.
pub(super) fn pretty(value: &Value) -> String {
    let json = match value.as_str() {
        Some(text) => match serde_json::from_str::<Json>(text) {
            Ok(json) => json,
            Err(_) => return text.to_owned(),
        },
        None => match serde_json::to_value(value) {
            Ok(json) => json,
            Err(_) => return String::new(),
        },
    };
    serde_json::to_string_pretty(&json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        for (seconds, told) in [(1, "1 second"), (89, "89 seconds"), (90, "2 minutes"), (3_600, "60 minutes")] {
            assert_eq!(span(seconds), told);
        }
        for (seconds, told) in [(5_400, "2 hours"), (86_400, "24 hours"), (259_200, "3 days")] {
            assert_eq!(span(seconds), told);
        }
    }

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn what_is_not_json_stays_as_it_is() {
        assert_eq!(pretty(&Value::from("{\"a\":1}")), "{\n  \"a\": 1\n}");
        assert_eq!(pretty(&Value::from("<b>")), "<b>");
    }
}
