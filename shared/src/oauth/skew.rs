//! Clocks that differ: the cause of an assertion that is refused as expired or as not valid yet.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::http::Answer;
use crate::http::header::DATE;

/// Clocks that differ by more are told.
const TOLD_S: i64 = 60;

/// What is to be said of this machine's clock after a login was refused for its time, with the server's `Date` as measure.
pub fn clock_in_words(answer: &Answer, now: Timestamp) -> String {
    match skew_s(answer, now).filter(|skew_s| skew_s.abs() > TOLD_S) {
        Some(skew_s) => {
            let way = if skew_s > 0 { "fast" } else { "slow" };
            format!("this machine's clock is {} s {way}; correct it", skew_s.abs())
        }
        None => "is this machine's clock right?".to_owned(),
    }
}

/// How far our clock is ahead of the server's, in seconds.
fn skew_s(answer: &Answer, now: Timestamp) -> Option<i64> {
    let date = answer.headers.get(DATE)?.to_str().ok()?;
    let theirs = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(now.as_second() - theirs.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::header::{HeaderMap, HeaderValue};

    #[test]
    fn a_clock_that_is_wrong_is_told_in_seconds() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("Mon, 23 Nov 2026 12:00:00 GMT"));
        let answer = Answer { status: 401, headers, body: Default::default(), truncated: false };
        let at = |second: i64| Timestamp::from_second(1_795_435_200 + second).expect("a time");
        assert_eq!(clock_in_words(&answer, at(600)), "this machine's clock is 600 s fast; correct it");
        assert_eq!(clock_in_words(&answer, at(-900)), "this machine's clock is 900 s slow; correct it");
        assert_eq!(clock_in_words(&answer, at(59)), "is this machine's clock right?");
    }
}
