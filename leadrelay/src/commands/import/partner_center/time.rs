//! When a lead was made, as an export may write it.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Ways in which a day is written; the first two can mean different days.
const DAYS: [&str; 4] = ["%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y-%m-%d"];

/// The times that `text` can mean, in UTC: none where it is not a time.
pub(super) fn read(text: &str) -> Vec<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return vec![at];
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return moment(at).into_iter().collect();
    }
    // The hour does not matter: what is near is days apart.
    let day = text.split([' ', 'T', ',']).next().unwrap_or_default();
    let days = DAYS.iter().filter_map(|format| Date::strptime(format, day).ok());
    let mut all: Vec<Timestamp> = days.filter_map(|day| moment(day.at(12, 0, 0, 0))).collect();
    all.sort();
    all.dedup();
    all
}

fn moment(at: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_way_that_they_can_mean() {
        let days = |text: &str| read(text).iter().map(|at| at.strftime("%Y-%m-%d").to_string()).collect::<Vec<_>>();
        assert_eq!(days("2026-03-04T05:06:07Z"), ["2026-03-04"]);
        assert_eq!(days("2026-03-04 05:06:07"), ["2026-03-04"]);
        assert_eq!(days("3/4/2026 5:06:07 AM"), ["2026-03-04", "2026-04-03"]);
        assert_eq!(days("3/14/2026"), ["2026-03-14"]);
        assert_eq!(days("14.3.2026"), ["2026-03-14"]);
        assert_eq!(days("soon"), [""; 0]);
    }
}
