//! Query parameters: known by name, each given once, and otherwise a 400 that names the right one.

use leadrelay_shared::config::nearest;

use super::problem::Problem;
use super::types::{Filter, LeadState};
use crate::store::{Cursor, PAGE_MAX, state, state_word};

const PAGE_DEFAULT: usize = 50;
/// The longest search.
const Q_MAX: usize = 200;

/// What a list is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listing {
    pub(crate) filter: Filter,
    pub(crate) limit: usize,
    pub(crate) cursor: Option<Cursor>,
}

pub(crate) const LEADS: [&str; 8] = ["state", "source", "destination", "q", "since", "until", "limit", "cursor"];
pub(crate) const PARKED: [&str; 9] =
    ["state", "source", "destination", "reason", "q", "since", "until", "limit", "cursor"];

pub(crate) const STATES: [LeadState; 9] = [
    LeadState::Duplicate,
    LeadState::Delivered,
    LeadState::Accepted,
    LeadState::Routed,
    LeadState::Deferred,
    LeadState::Unmatched,
    LeadState::Quarantined,
    LeadState::Parked,
    LeadState::Erased,
];

/// Reads the parameters of a list. A parameter without a value counts as absent.
pub(crate) fn listing(pairs: Vec<(String, String)>, known: &[&str]) -> Result<Listing, Problem> {
    let mut listing = Listing { filter: Filter::default(), limit: PAGE_DEFAULT, cursor: None };
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in pairs {
        if !known.contains(&name.as_str()) {
            return Err(unknown(&name, known));
        }
        if seen.contains(&name) {
            return Err(Problem::bad_request(format!("the parameter `{name}` is given twice")));
        }
        if !value.is_empty() {
            take(&mut listing, &name, value)?;
        }
        seen.push(name);
    }
    Ok(listing)
}

/// Refuses every parameter, for paths that take none.
pub(super) fn none(pairs: &[(String, String)]) -> Result<(), Problem> {
    match pairs.first() {
        Some((name, _)) => Err(unknown(name, &[])),
        None => Ok(()),
    }
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let shown: String = name.chars().take(40).collect();
    let remedy = match nearest(name, known.iter().copied()) {
        Some(right) => format!("did you mean `{right}`?"),
        None if known.is_empty() => "this path takes none".to_owned(),
        None => format!("there are {}", known.join(", ")),
    };
    Problem::bad_request(format!("there is no parameter `{shown}`; {remedy}"))
}

fn take(listing: &mut Listing, name: &str, value: String) -> Result<(), Problem> {
    let time = || {
        let wrong = |_| Problem::bad_request(format!("`{name}` is not a time; write for example 2026-11-23T12:00:00Z"));
        value.parse().map(Some).map_err(wrong)
    };
    let filter = &mut listing.filter;
    match name {
        "state" => filter.state = Some(known_state(&value)?),
        "source" => filter.source = Some(value),
        "destination" => filter.destination = Some(value),
        "reason" => filter.reason = Some(value),
        "q" if value.chars().count() > Q_MAX => {
            return Err(Problem::bad_request(format!("`q` is longer than {Q_MAX} characters")));
        }
        "q" => filter.q = Some(value),
        "since" => filter.since = time()?,
        "until" => filter.until = time()?,
        "limit" => match value.parse() {
            Ok(limit @ 1..=PAGE_MAX) => listing.limit = limit,
            _ => return Err(Problem::bad_request(format!("`limit` is a number from 1 to {PAGE_MAX}"))),
        },
        _ => {
            let cursor = value.parse().map_err(|wrong| Problem::bad_request(format!("`cursor` {wrong}")))?;
            listing.cursor = Some(cursor);
        }
    }
    Ok(())
}

fn known_state(word: &str) -> Result<LeadState, Problem> {
    state(word).ok_or_else(|| {
        let words = STATES.map(state_word);
        let remedy = match nearest(word, words) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("there are {}", words.join(", ")),
        };
        Problem::bad_request(format!("`state` is not one that a lead can be in; {remedy}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[(&str, &str)]) -> Result<Listing, String> {
        let pairs = text.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        listing(pairs, &LEADS).map_err(|problem| problem.to_string())
    }

    #[test]
    fn what_is_empty_is_absent() {
        let all = LEADS.map(|name| (name, ""));
        let listing = read(&all).expect("a listing");
        assert_eq!(listing, Listing { filter: Filter::default(), limit: 50, cursor: None });
    }

    #[test]
    fn what_is_wrong_is_told_with_the_remedy() {
        for (name, value, told) in [
            ("sorce", "x", "did you mean `source`?"),
            ("colour", "x", "there are state, source"),
            ("state", "parkd", "did you mean `parked`?"),
            ("since", "yesterday", "2026-11-23T12:00:00Z"),
            ("limit", "201", "from 1 to 200"),
            ("limit", "0", "from 1 to 200"),
            ("cursor", "x", "is not a cursor"),
        ] {
            let error = read(&[(name, value)]).expect_err("a problem");
            assert!(error.contains(told), "{error}");
        }
        assert!(read(&[("q", "a"), ("q", "b")]).expect_err("a problem").contains("twice"));
    }
}
