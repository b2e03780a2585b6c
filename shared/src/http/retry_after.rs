//! When a server wants to be asked again: `Retry-After`, in seconds or as a date.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The longest wish that is honoured in full; a longer one counts as this.
pub const LONGEST: Duration = Duration::from_hours(7 * 24);

/// The time before which the server does not want to be asked again. What cannot be read, and a time that has come
/// already, is no wish.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let wishes = headers.get_all(RETRY_AFTER).iter().filter_map(|value| wish(value.to_str().ok()?.trim(), now));
    let latest = now.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
    wishes.max().map(|at| at.min(latest)).filter(|at| *at > now)
}

fn wish(text: &str, now: Timestamp) -> Option<Timestamp> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are more than the longest.
        let seconds = text.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST);
        return now.checked_add(seconds).ok();
    }
    date(text)
}

/// The three forms of RFC 9110, 5.6.7. The day of the week says nothing new and is not looked at.
fn date(text: &str) -> Option<Timestamp> {
    let civil = match text.split_once(", ") {
        Some((_, rest)) => {
            let rest = rest.strip_suffix(" GMT")?;
            let read = |format| DateTime::strptime(format, rest).ok();
            read("%d %b %Y %H:%M:%S").or_else(|| read("%d-%b-%y %H:%M:%S"))?
        }
        None => DateTime::strptime("%b %e %H:%M:%S %Y", text.split_once(' ')?.1).ok()?,
    };
    // The last hours of the year 9999 are a date and no time stamp.
    Some(TimeZone::UTC.to_timestamp(civil).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().expect("a time")
    }

    fn asked(values: &[&str]) -> Option<SignedDuration> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(RETRY_AFTER, value.parse().expect("a header value"));
        }
        retry_after(&headers, now()).map(|at| at.duration_since(now()))
    }

    #[test]
    fn seconds() {
        assert_eq!(asked(&["120"]), Some(SignedDuration::from_secs(120)));
        assert_eq!(asked(&[" 3600 "]), Some(SignedDuration::from_hours(1)));
        assert_eq!(asked(&["604800"]), Some(SignedDuration::from_hours(168)));
    }

    #[test]
    fn dates_in_all_three_forms() {
        let ten_minutes = Some(SignedDuration::from_mins(10));
        assert_eq!(asked(&["Mon, 23 Nov 2026 12:10:00 GMT"]), ten_minutes);
        assert_eq!(asked(&["Monday, 23-Nov-26 12:10:00 GMT"]), ten_minutes);
        assert_eq!(asked(&["Mon Nov 23 12:10:00 2026"]), ten_minutes);
        assert_eq!(asked(&["Wed Dec  2 12:00:00 2026"]), Some(LONGEST.try_into().expect("a week")));
        assert_eq!(asked(&["Sun Nov 29 12:00:00 2026"]), Some(SignedDuration::from_hours(6 * 24)));
    }

    #[test]
    fn a_wrong_day_of_the_week_does_not_hurt() {
        assert_eq!(asked(&["Tue, 23 Nov 2026 12:10:00 GMT"]), Some(SignedDuration::from_mins(10)));
    }

    #[test]
    fn the_absurd_is_bounded() {
        let longest = Some(SignedDuration::try_from(LONGEST).expect("a week"));
        assert_eq!(asked(&["999999999"]), longest);
        assert_eq!(asked(&["99999999999999999999999999"]), longest);
        assert_eq!(asked(&["Fri, 31 Dec 9999 23:59:59 GMT"]), longest);
    }

    #[test]
    fn garbage_and_the_past_are_no_wish() {
        for text in
            ["", "soon", "-5", "1.5", "0", "1e3", "Mon, 23 Nov 2026 12:10:00 CET", "Sun, 06 Nov 1994 08:49:37 GMT"]
        {
            assert_eq!(asked(&[text]), None, "{text}");
        }
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn of_two_wishes_the_later_one_counts() {
        assert_eq!(asked(&["60", "soon", "120"]), Some(SignedDuration::from_secs(120)));
    }

    proptest! {
        #[test]
        fn never_in_the_past_and_never_beyond_a_week(text in "\\PC{0,30}|[0-9]{1,30}") {
            let mut headers = HeaderMap::new();
            if let Ok(value) = text.parse() {
                headers.insert(RETRY_AFTER, value);
            }
            if let Some(at) = retry_after(&headers, now()) {
                prop_assert!(at > now() && at <= now() + LONGEST);
            }
        }
    }
}
