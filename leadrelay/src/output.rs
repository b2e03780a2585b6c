//! All that the command line prints: lines and aligned tables for people, JSON for programs.
//!
//! Values of leads come from strangers, so nothing reaches a terminal before control characters are taken out of it
//! ([`clean`]). Whoever reads us may stop reading (`| head`); that is not a failure.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cli::{Done, Failure};

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// For programs.
    pub(crate) json: bool,
}

impl Output {
    /// One line for people.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        write(&format!("{}\n", clean(text.as_ref())));
    }

    /// Several lines for people, as they are.
    pub(crate) fn text(self, text: &str) {
        write(&clean(text));
    }

    /// A value for programs.
    pub(crate) fn json<T: Serialize>(self, value: &T) -> Done {
        printed(serde_json::to_string_pretty(value))
    }

    /// A value for programs on one line: one of several that come one after the other.
    pub(crate) fn json_line<T: Serialize>(self, value: &T) -> Done {
        printed(serde_json::to_string(value))
    }

    /// Rows under their headings, each column as wide as its widest cell.
    pub(crate) fn table<const N: usize>(self, headings: [&str; N], rows: &[[String; N]]) {
        write(&table(headings, rows));
    }
}

/// Says something about the work itself, on standard error.
pub(crate) fn say(text: impl AsRef<str>) {
    // Nobody is left to tell when standard error cannot be written.
    let _ = writeln!(std::io::stderr(), "{}", clean(text.as_ref()));
}

/// Whether a person is there to be asked.
pub(crate) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question that is answered with yes or no.
pub(crate) fn confirm(question: &str) -> bool {
    let mut stderr = std::io::stderr();
    let mut answer = String::new();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    asked.is_ok()
        && std::io::stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

fn printed(json: serde_json::Result<String>) -> Done {
    let text = json.map_err(|e| Failure::Failed(format!("the answer cannot be written as JSON: {e}")))?;
    write(&format!("{text}\n"));
    Ok(())
}

fn write(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // The reader may have gone, as `head` does.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// The same as text.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let headings = headings.map(str::to_owned);
    let mut widths = [0; N];
    for row in std::iter::once(&headings).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(one_line(cell).chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{:width$}", one_line(cell)));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A text without control characters, save line ends and tabs.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let bad = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_direction(c);
    if text.contains(bad) { text.replace(bad, "\u{fffd}").into() } else { text.into() }
}

/// The characters that turn the direction of what follows them.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn one_line(text: &str) -> Cow<'_, str> {
    match clean(text) {
        text if text.contains(['\n', '\t']) => text.replace(['\n', '\t'], " ").into(),
        text => text,
    }
}

/// `at` as seen from `now`: `3s ago`, `in 2h`.
pub(crate) fn relative(now: Timestamp, at: Timestamp) -> String {
    let apart = at.duration_since(now);
    match apart.as_secs() {
        0 => "now".to_owned(),
        seconds if seconds > 0 => format!("in {}", rough(apart)),
        _ => format!("{} ago", rough(apart.abs())),
    }
}

/// A length of time in one unit.
pub(crate) fn rough(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400 * 365, "y"), (86_400 * 2, "d"), (3_600 * 2, "h"), (60 * 2, "m")];
    let divisors = [86_400 * 365, 86_400, 3_600, 60];
    for ((from, unit), divisor) in units.into_iter().zip(divisors) {
        if seconds >= from {
            return format!("{}{unit}", seconds / divisor);
        }
    }
    if seconds == 0 { format!("{}ms", duration.as_millis()) } else { format!("{seconds}s") }
}

/// A point in time for people: UTC, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The beginning of an id: enough to tell and to type.
pub(crate) fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(8).collect()
}

/// `1 lead`, `2 leads`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_strangers_cannot_move_the_cursor() {
        let rows = [["a".to_owned(), "red \u{1b}[31m\nand more".to_owned()], ["longer".to_owned(), String::new()]];
        insta::assert_snapshot!(table(["ID", "NAME"], &rows), @r##"
ID      NAME
a       red �[31m and more
longer
"##);
    }

    #[test]
    fn what_cannot_be_json_is_a_failure() {
        // A key of a JSON object is a text.
        let odd = std::collections::BTreeMap::from([(vec![1], 1)]);
        let output = Output { json: true };
        assert!(matches!(output.json(&odd), Err(Failure::Failed(_))));
        assert!(matches!(output.json_line(&odd), Err(Failure::Failed(_))));
    }

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2030-01-01T12:00:00Z".parse().expect("a time");
        let told = |seconds: i64| relative(now, now + SignedDuration::from_secs(seconds));
        let all = [0, -1, -119, -120, -7_199, -7_200, -200_000, 5, 90_000].map(told);
        assert_eq!(all, ["now", "1s ago", "119s ago", "2m ago", "119m ago", "2h ago", "2d ago", "in 5s", "in 25h"]);
    }
}
