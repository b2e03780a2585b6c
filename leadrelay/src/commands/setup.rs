//! `leadrelay setup salesforce`: prepares an org, and says before it does anything what it will do.

use clap::{Args as ClapArgs, Subcommand};
use leadrelay_connector_salesforce::{SalesforceConnector, Setup};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Loaded;
use leadrelay_shared::connector::Connector as _;
use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::worker::parts;
use serde_json::json;

use crate::cli::{Call, Done, Failure};
use crate::output::{confirm, is_interactive};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the field in Salesforce that keeps a lead from arriving twice, and let leadrelay's user see it.
    #[command(after_help = SALESFORCE_HELP)]
    Salesforce {
        /// The destination; not needed where there is one for Salesforce alone.
        destination: Option<String>,
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
    },
}

const SALESFORCE_HELP: &str = "\
It logs in as the destination does, so that user needs the permissions Customize Application and Manage Profiles and Permission
Sets while this runs, and not afterwards. What is there already is left as it is.";

/// What is lost without the field; said to whoever does not want it, or cannot have it.
const WITHOUT: &str = "\
Without the field: `external_id_field = \"none\"` makes leadrelay look for a record like the lead before every write. That costs a
second call, and a lead arrives twice when an answer is lost and the record is edited before the next attempt.";

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let What::Salesforce { destination, yes } = args.what;
    let loaded = call.place.load()?;
    let name = the_one(&loaded, destination)?;
    let usage = |reason| Failure::Usage(format!("destinations.{name}: {reason}"));
    let (settings, context) = parts::<SalesforceConnector>(&loaded, &Clock::real(), &name).map_err(usage)?;
    let setup = Setup::new(settings, context).map_err(usage)?;
    let plan = setup.plan().await.map_err(|error| failed(&name, &error))?;
    let words: Vec<String> = plan.iter().map(ToString::to_string).collect();
    if plan.is_empty() {
        return tell(call, &words, format!("{name}: the org is ready; there is nothing to do"));
    }
    if !call.output.json {
        call.output.line(format!("In the org of {name} this will:"));
        words.iter().for_each(|step| call.output.line(format!("  - {step}")));
    }
    if !yes && !is_interactive() {
        return Err(Failure::Usage(format!("nothing was done; say --yes to have it done.\n{WITHOUT}")));
    }
    if !yes && !confirm("Do it?") {
        call.output.line(format!("Nothing was done.\n{WITHOUT}"));
        return Err(Failure::Exit(1));
    }
    for step in &plan {
        setup.make(step).await.map_err(|error| failed(&name, &error))?;
    }
    tell(call, &words, format!("{name}: done; `leadrelay check --live` looks at it"))
}

/// The destination that is meant.
fn the_one(loaded: &Loaded, named: Option<String>) -> Result<String, Failure> {
    let all = loaded.config.destinations.iter();
    let mut names =
        all.filter(|(_, to)| to.common.connector == SalesforceConnector::NAME).map(|(name, _)| name.clone());
    let found = match named {
        Some(named) => {
            names.find(|name| *name == named).ok_or_else(|| format!("no destination `{named}` is a Salesforce"))
        }
        None => match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            (Some(_), Some(_)) => Err("there are several destinations for Salesforce; name one".to_owned()),
            (None, _) => Err("no destination has connector = \"salesforce\"; add one first".to_owned()),
        },
    };
    found.map_err(Failure::Usage)
}

fn failed(name: &str, error: &DeliveryError) -> Failure {
    Failure::Failed(format!(
        "{name}: {error}\nAn administrator can do it by hand; the connector's README says how. This can be run again.\n{WITHOUT}"
    ))
}

fn tell(call: &Call, done: &[String], text: String) -> Done {
    if call.output.json {
        return call.output.json(&json!({"done": done}));
    }
    call.output.line(text);
    Ok(())
}
