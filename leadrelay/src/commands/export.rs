//! `leadrelay export`: all that is held about a person, as JSON.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use leadrelay_ledger::api::types::Held;
use leadrelay_shared::secrets::write_private;
use serde_json::json;

use super::person::{Person, held};
use crate::cli::{Call, Done, Failure};
use crate::client::Remote;
use crate::output::{count, say};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    person: Person,
    /// Write it into this file, for its owner alone; what was there is replaced.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let whom = args.person.whom().ok_or_else(|| Failure::Usage("say who is meant: --email or --phone".to_owned()))?;
    let held = held(&args.remote.api(call)?, &whom).await?;
    match &args.output {
        Some(file) => {
            write(file, &held)?;
            told(call, file, &held)?;
        }
        None => call.output.json(&held)?,
    }
    if held.leads.is_empty() {
        say("nothing is held about this person");
    }
    if held.more {
        say(format!("there is more: these are the latest {}", count(held.leads.len() as u64, "lead")));
    }
    Ok(())
}

fn write(file: &Path, held: &Held) -> Done {
    let text = serde_json::to_string_pretty(held)
        .map_err(|e| Failure::Failed(format!("the answer cannot be written as JSON: {e}")))?;
    write_private(file, &format!("{text}\n"))
        .map_err(|e| Failure::Failed(format!("{} cannot be written: {e}", file.display())))
}

fn told(call: &Call, file: &Path, held: &Held) -> Done {
    if call.output.json {
        return call.output.json(&json!({"file": file, "leads": held.leads.len(), "more": held.more}));
    }
    call.output.line(format!("{} in {}", count(held.leads.len() as u64, "lead"), file.display()));
    Ok(())
}
