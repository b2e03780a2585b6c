//! A lead to try things with, and how to call this program.

use std::path::Path;

use serde_json::{Value, json};

use crate::place::{FILE, Place};

/// A lead as the marketplace sends one, of a person who does not exist.
pub(crate) fn lead() -> Value {
    json!({
        "UserDetails": {
            "FirstName": "Robin",
            "LastName": "Sample",
            "Email": "robin@example.com",
            "Phone": "+1 425 555 0100",
            "Country": "US",
            "Company": "Contoso",
            "Title": "Head of Sales"
        },
        "LeadSource": "AzureMarketplace-INS|contoso.sample-offer",
        "ActionCode": "INS",
        "OfferTitle": "Sample offer",
        "Description": "Sent by hand to see it arrive"
    })
}

/// A lead that carries the mark by which the marketplace's own test leads are known.
pub(crate) fn test_lead(ticks: i64) -> Value {
    let mark = format!("MSFT_TEST_{ticks:018}");
    json!({
        "UserDetails": {
            "FirstName": mark,
            "LastName": mark,
            "Email": format!("{mark}@example.com"),
            "Phone": "4255550100",
            "Country": "US",
            "Company": mark,
            "Title": mark
        },
        "LeadSource": "AzureMarketplace",
        "ActionCode": "INS",
        "OfferTitle": "Sample offer",
        "Description": mark
    })
}

/// One line that posts the sample lead to `url`.
pub(crate) fn curl(url: &str) -> String {
    // A certificate for this machine's own address is rare: what is tried here is the lead, not the certificate.
    let insecure = if url.starts_with("https:") { " -k" } else { "" };
    format!("curl -sS{insecure} -H 'Content-Type: application/json' -d '{}' '{url}'", lead())
}

/// How to call this program as it was called: `leadrelay`, or through cargo, with the same configuration.
pub(crate) fn command(place: &Place) -> String {
    let program = program_name();
    match place.file.to_str() {
        Some(FILE) | None => program.to_owned(),
        Some(file) => format!("{program} --config {}", quoted(file)),
    }
}

/// How to call this program as it was called, whatever its configuration is.
pub(crate) fn program_name() -> &'static str {
    let called = std::env::args_os().next().unwrap_or_default();
    program(Path::new(&called))
}

fn program(called: &Path) -> &'static str {
    let steps: Vec<_> = called.iter().filter_map(|s| s.to_str()).collect();
    match steps.as_slice() {
        [.., "target", "debug", _] => "cargo run --",
        [.., "target", "release", _] => "cargo run --release --",
        _ => "leadrelay",
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+,:=@%".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::lead::{Body, Facts};

    use super::*;

    #[test]
    fn the_printed_command_survives_the_shell() {
        let line = curl("http://127.0.0.1:8080/v1/leads/a/b");
        assert!(!line.contains('\n'));
        assert_eq!(line.matches('\'').count(), 6, "nothing in it ends a quote: {line}");
    }

    #[test]
    fn a_test_lead_is_known_as_one_and_the_sample_is_not() {
        let facts = |lead: Value| Facts::read(&Body::from(lead.to_string()));
        assert!(facts(test_lead(639_000_000_000_000_000)).test);
        assert!(!facts(lead()).test);
    }

    #[test]
    fn the_program_is_named_as_it_was_called() {
        assert_eq!(program(Path::new("target/debug/leadrelay")), "cargo run --");
        assert_eq!(program(Path::new("/usr/bin/leadrelay")), "leadrelay");
        assert_eq!(quoted("my relay's.toml"), r"'my relay'\''s.toml'");
    }
}
