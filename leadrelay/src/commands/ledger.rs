//! `leadrelay ledger`: keys for payloads, and the move of the history from the file in `data_dir` into PostgreSQL.

mod key;

use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use leadrelay_ledger::store::{Moved, Store};
use leadrelay_shared::clock::Clock;
use serde_json::json;

use crate::cli::{Call, Done, Failure};
use crate::output::{count, say};

/// How often it is said how far this has got.
const TELL_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Move the history from the file in data_dir into the PostgreSQL of the configuration.
    #[command(after_help = MOVE_HELP)]
    Move,
    /// The keys that payloads are sealed with where they are kept.
    Key(key::Args),
}

const MOVE_HELP: &str = "\
Stop the ledger, write ledger.url and ledger.password, run `ledger move`, start.

The database must be empty. If this ends half-way, run it again: it goes on where it was. What is sealed stays sealed with
the key that it has: ledger.payload_key goes with it. The file stays as it is; remove ledger.db from data_dir when you no longer want
it.";

pub(crate) async fn run(call: &Call, args: &Args) -> Done {
    match &args.command {
        Command::Key(args) => key::run(call, args),
        Command::Move => move_all(call).await,
    }
}

async fn move_all(call: &Call) -> Done {
    let loaded = call.place.load()?;
    let Some(database) = loaded.ledger_database() else {
        return Err(Failure::Usage(
            "there is no ledger.url: write there how PostgreSQL is reached, and this moves the history into it"
                .to_owned(),
        ));
    };
    let file = loaded.data_dir().join("ledger.db");
    if !file.exists() {
        let reason = format!("there is no history to move: {} does not exist; see data_dir", file.display());
        return Err(Failure::Failed(reason));
    }
    // First, because it tells a ledger that still runs.
    let from = Store::open(&loaded.data_dir()).map_err(|error| Failure::Failed(error.to_string()))?;
    let to = Store::connect(database).await.map_err(|error| Failure::Failed(error.to_string()))?;
    let moved = all(&from, &to).await?;
    if call.output.json {
        return call.output.json(&json!({"leads": moved.leads}));
    }
    call.output.line(format!("the history of {} moved", count(moved.leads, "lead")));
    Ok(())
}

async fn all(from: &Store, to: &Store) -> Result<Moved, Failure> {
    let clock = Clock::real();
    let mut told_at = clock.monotonic();
    loop {
        let moved = from.move_some(to).await.map_err(|error| Failure::Failed(error.to_string()))?;
        if moved.done {
            return Ok(moved);
        }
        fail::fail_point!("ledger::move_between", |_| std::process::abort());
        if clock.monotonic() >= told_at + TELL_EVERY {
            told_at = clock.monotonic();
            say(format!("the history of {} moved so far", count(moved.leads, "lead")));
        }
    }
}
