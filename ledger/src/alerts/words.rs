//! Causes in plain words, and what to do about them. Only the kind of a failure is told, never a destination's own text.

use std::time::Duration;

use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::event::PauseCause;

/// Why `destination` is paused, and what to do.
pub(super) fn pause(destination: &str, cause: &PauseCause) -> (String, String) {
    match cause {
        PauseCause::Operator { .. } => (
            format!("{destination} is paused: somebody paused it by hand, and the console shows the reason given"),
            format!("`leadrelay destinations resume {destination}` when it may go on"),
        ),
        PauseCause::Failing { error } => {
            let (why, remedy) = failure(error);
            let status = error.status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
            (format!("{destination} is paused: {why}{status}; its leads wait"), remedy.to_owned())
        }
    }
}

fn failure(error: &DeliveryError) -> (&'static str, &'static str) {
    match error.kind {
        ErrorKind::Unauthorized => (
            "it refuses the credential",
            "renew the secret or the rights of its user, and start the relay again if the secret is another",
        ),
        ErrorKind::Throttled => (
            "its limit of requests is used up",
            "nothing, it goes on by itself; where it happens often, ask for a higher limit",
        ),
        ErrorKind::Misconfigured => (
            "the settings for it are wrong",
            "`leadrelay check --live` says which; correct them and start the relay again",
        ),
        ErrorKind::Unavailable => (
            "it cannot be reached, or says that it cannot serve now",
            "see whether it is up; it is tried again by itself",
        ),
        ErrorKind::Uncertain => {
            ("it does not answer in time", "see whether it is up and how fast; it is tried again by itself")
        }
        ErrorKind::Rejected | ErrorKind::Contended | ErrorKind::Unexpected => {
            ("its answers are none that are known", "see its last error in the console; it is tried again by itself")
        }
    }
}

/// Why leads are parked, by the kind of reason, and what to do.
pub(super) fn parked(kind: &str, destination: Option<&str>) -> (String, &'static str) {
    let place = destination.unwrap_or("the destination");
    match kind {
        "quarantined" => ("what came was no lead".to_owned(), "repair each in the console, or release it as it is"),
        "unmatched" => ("no route matches them".to_owned(), "add a route for them, and replay them"),
        "mapping_failed" => ("a route fails on them".to_owned(), "correct the route, and replay them"),
        "rejected" => {
            (format!("{place} refuses them"), "see which field it names, correct the route or the CRM, and replay them")
        }
        "gave_up" => (
            format!("{place} did not take them within the time of its retry policy"),
            "see that it works again, and replay them",
        ),
        "too_long" => (
            format!("a value is longer than its field at {place}"),
            "cut it in the route or write too_long = \"cut\", and replay them",
        ),
        "crashed" => (
            "the process ended again and again while it held them".to_owned(),
            "look into the log, and replay them with a later version",
        ),
        "no_destination" => (
            format!("{place} is no longer configured"),
            "add it again and replay them, or replay their leads by today's routes",
        ),
        _ => ("a person must look at them".to_owned(), "look at them in the console"),
    }
}

/// `1 lead`, `2 leads`.
pub(super) fn leads(n: u64) -> String {
    if n == 1 { "1 lead".to_owned() } else { format!("{n} leads") }
}

/// A length of time in one unit: `90 seconds`, `5 minutes`, `26 hours`, `3 days`.
pub(super) fn length(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 if seconds != 60 => format!("{seconds} seconds"),
        0..7200 => plural(seconds / 60, "minute"),
        7200..172_800 => plural(seconds / 3600, "hour"),
        _ => plural(seconds / 86_400, "day"),
    }
}

fn plural(n: u64, unit: &str) -> String {
    if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") }
}
