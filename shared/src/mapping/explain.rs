//! What the rules would do with a lead, for a person: nothing is sent.

use crate::delivery::Record;
use crate::fields::Note;
use crate::lead::{Fault, Lead};
use serde::Serialize;

use super::route::Verdict;
use super::rules::Rules;
use super::scope::Scope;

/// What would become of a lead.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// What would become of it as a whole.
    pub outcome: Outcome,
    /// The lead as rules see it, without what is empty.
    pub lead: Record,
    /// Why the body is not a lead; where there are any, no route is applied.
    pub faults: Vec<Fault>,
    /// Every route, in the order of the configuration.
    pub routes: Vec<RouteExplanation>,
}

/// What would become of a lead as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At least one destination would get it, and no route fails.
    Routed,
    /// At least one route fails: it would be parked, and what other routes make would be sent.
    Parked,
    /// No route applies: it would be parked.
    Unmatched,
    /// It is not a lead: it would be parked.
    Quarantined,
}

/// What one route says to a lead.
#[derive(Clone, Debug, Serialize)]
pub struct RouteExplanation {
    /// The route's name.
    pub name: String,
    /// Its destination.
    pub to: String,
    /// `delivers`, `does not match`, `yields to <route>` or `failed`.
    pub verdict: String,
    /// Where it failed or what did not match: `from`, `when` or `fields.<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the destination would get, before values are cut to its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// What was left out of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// Says what the rules would do with a lead.
pub fn explain(rules: &Rules, lead: &Lead) -> Explanation {
    let routes: Vec<_> = if lead.is_sound() {
        rules.apply(lead).into_iter().map(|(route, verdict)| explain_route(&route.name, &route.to, verdict)).collect()
    } else {
        Vec::new()
    };
    let any = |verdict: &str| routes.iter().any(|route| route.verdict == verdict);
    let outcome = match (lead.is_sound(), any("failed"), any("delivers")) {
        (false, ..) => Outcome::Quarantined,
        (true, true, _) => Outcome::Parked,
        (true, false, true) => Outcome::Routed,
        (true, false, false) => Outcome::Unmatched,
    };
    Explanation { outcome, lead: Scope::of(lead).record(), faults: lead.faults.clone(), routes }
}

fn explain_route(name: &str, to: &str, verdict: Verdict) -> RouteExplanation {
    let (verdict, key, reason, record, notes) = match verdict {
        Verdict::Delivers { record, notes } => ("delivers".to_owned(), None, None, Some(record), notes),
        Verdict::OtherSource => not_matched("from", "it is for other sources"),
        Verdict::NotMet => not_matched("when", "its condition is not met"),
        Verdict::Yields(first) => (format!("yields to {first}"), None, None, None, Vec::new()),
        Verdict::Failed { key, reason } => ("failed".to_owned(), Some(key), Some(reason), None, Vec::new()),
    };
    RouteExplanation { name: name.to_owned(), to: to.to_owned(), verdict, key, reason, record, notes }
}

type Parts = (String, Option<String>, Option<String>, Option<Record>, Vec<Note>);

fn not_matched(key: &str, reason: &str) -> Parts {
    ("does not match".to_owned(), Some(key.to_owned()), Some(reason.to_owned()), None, Vec::new())
}
