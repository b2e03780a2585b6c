//! The rules: which leads go where, and as what. Pure.
//!
//! Invariant: a lead goes at most once to each destination, and what one route does wrong does not touch another.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::config::{Config, Mistake};
use crate::delivery::{Delivery, ParkReason};
use crate::fields::Note;
use crate::id::{DeliveryId, LeadId};
use crate::lead::Lead;

use super::filters::{self, Tables};
use super::route::{Route, Verdict};
use super::scope::Scope;
use super::template::Language;
use super::value;

/// The routes of a configuration, compiled.
pub struct Rules {
    language: Language,
    routes: Vec<Route>,
    version: String,
}

/// What becomes of one lead.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// One for each destination.
    pub deliveries: Vec<Delivery>,
    /// Routes that failed on this lead: each is parked as [`ParkReason::MappingFailed`].
    pub failed: Vec<ParkReason>,
    /// Routes that do not apply or yield to an earlier one, by name, and why.
    pub skipped: Vec<Note>,
}

impl Rules {
    /// Compiles the routes.
    ///
    /// # Errors
    /// Every mistake, with key and reason.
    pub fn compile(config: &Config) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut language = Language::new(tables(config, &mut mistakes));
        let compile = |(n, route)| Route::compile(route, &format!("routes[{n}]"), &mut language, &mut mistakes);
        let routes = config.routes.iter().enumerate().map(compile).collect();
        if mistakes.is_empty() { Ok(Self { language, routes, version: version(config) }) } else { Err(mistakes) }
    }

    /// A digest of the routes as configured.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Applies the rules. Does no I/O and never fails as a whole.
    ///
    /// The first route that applies to a lead has its destination; later ones yield to it, even if it fails.
    pub fn route(&self, lead: &Lead) -> Routing {
        let mut routing = Routing::default();
        for (route, verdict) in self.apply(lead) {
            match verdict {
                Verdict::Delivers { record, notes } => routing.deliveries.push(Delivery {
                    id: DeliveryId::of(lead.id, &route.to),
                    lead: lead.id,
                    destination: route.to.clone(),
                    route: route.name.clone(),
                    record,
                    notes,
                    accepted_at: lead.received_at,
                    attempt: 0,
                    first_attempt_at: None,
                    round: lead.round,
                }),
                Verdict::Failed { key, reason } => {
                    routing.failed.push(ParkReason::MappingFailed { route: route.name.clone(), key, reason });
                }
                Verdict::OtherSource => routing.skipped.push(Note::new(&route.name, "is for other sources")),
                Verdict::NotMet => routing.skipped.push(Note::new(&route.name, "its condition is not met")),
                Verdict::Yields(first) => {
                    routing.skipped.push(Note::new(&route.name, format!("yields to {first}, which has {}", route.to)));
                }
            }
        }
        routing
    }

    /// What every route says to a lead.
    pub(crate) fn apply(&self, lead: &Lead) -> Vec<(&Route, Verdict)> {
        let scope = Scope::of(lead);
        let context = scope.clone().context();
        let mut taken = HashMap::new();
        self.routes
            .iter()
            .map(|route| (route, route.apply(&self.language, &scope, &context, &lead.source, &mut taken)))
            .collect()
    }
}

/// Prints the names of the routes.
impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<_> = self.routes.iter().map(|route| &route.name).collect();
        f.debug_struct("Rules").field("version", &self.version).field("routes", &routes).finish()
    }
}

fn tables(config: &Config, mistakes: &mut Vec<Mistake>) -> Tables {
    let mut tables = Tables::new();
    for (name, table) in &config.lookups {
        let mut folded = BTreeMap::new();
        for (key, json) in table {
            if folded.insert(filters::fold(key), value::from_json(json)).is_some() {
                let mistake =
                    Mistake::new(format!("lookups.{name}.{key}"), "is there twice: letter case does not count");
                mistakes.push(mistake.remedy("leave one of them out"));
            }
        }
        tables.insert(name.clone(), folded);
    }
    tables
}

/// Twelve hex digits over routes and lookups as configured.
fn version(config: &Config) -> String {
    // Unwrap safety: both are plain data with string keys, which JSON can always hold.
    #[expect(clippy::expect_used, reason = "see above")]
    let text = serde_json::to_vec(&(&config.routes, &config.lookups)).expect("routes and lookups are plain data");
    LeadId::derive(&[b"rules", &text]).to_string().replace('-', "").chars().take(12).collect()
}
