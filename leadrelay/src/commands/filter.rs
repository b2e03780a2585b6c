//! Which leads or parked items a command is about.

use clap::Args;
use jiff::Timestamp;
use leadrelay_ledger::api::types::{Filter, LeadState};

use super::input::moment;
use crate::cli::Failure;

/// All that is given must hold.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filters {
    /// From this source.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// For this destination.
    #[arg(long, value_name = "NAME")]
    pub(crate) destination: Option<String>,
    /// Not older than this: a time, or how long ago (2h, 7d).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Not younger than this.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
    /// Words to find in name, e-mail, company or offer, or the beginning of an id.
    #[arg(long = "find", value_name = "WORDS")]
    pub(crate) words: Option<String>,
}

impl Filters {
    /// As the API takes them.
    pub(crate) fn filter(self) -> Filter {
        let Self { source, destination, since, until, words } = self;
        Filter { source, destination, since, until, q: words, ..Filter::default() }
    }
}

/// A lead's state by its name.
pub(crate) fn state(text: &str) -> Result<LeadState, String> {
    let named = serde_json::from_value(text.to_lowercase().into());
    named.map_err(|_| {
        "the states are accepted, routed, delivered, deferred, parked, quarantined, unmatched, duplicate and erased"
            .to_owned()
    })
}

/// A state's name.
pub(crate) fn name_of(state: LeadState) -> String {
    serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Refuses a call that could mean everything by accident.
pub(crate) fn needs_ids_or_all(ids: &[String], all: bool, command: &str) -> Result<(), Failure> {
    match (ids.is_empty(), all) {
        (true, false) => {
            Err(Failure::Usage(format!("name ids, or write `{command} --all` with what they have in common")))
        }
        (false, true) => Err(Failure::Usage("name ids, or write --all; not both".to_owned())),
        _ => Ok(()),
    }
}
