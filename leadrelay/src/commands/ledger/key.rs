//! `leadrelay ledger key new`: a key that payloads are sealed with, in a file for its owner alone.

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use leadrelay_shared::config::{LedgerConfig, Secret};
use leadrelay_shared::secrets::{new_key, rewrite, write_private};
use serde_json::json;

use crate::cli::{Call, Done, Failure};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a file with a fresh key, or put a fresh key before those in a file.
    #[command(after_help = NEW_HELP)]
    New {
        /// The file, which ledger.payload_key = { file = ".." } names.
        file: PathBuf,
        /// Put a fresh key before those that are there. Payloads under those are read still, and sealed again with the fresh one.
        #[arg(long)]
        rotate: bool,
    },
}

const NEW_HELP: &str = "\
Without the key nobody can read what was sealed with it, you included: keep a copy, and not beside the backups of the history.
A running ledger reads the file when it starts; see docs/privacy.md for rotation step by step.";

pub(super) fn run(call: &Call, args: &Args) -> Done {
    let Command::New { file, rotate } = &args.command;
    let keys = if *rotate { rotated(file)? } else { made(file)? };
    if call.output.json {
        return call.output.json(&json!({"file": file, "keys": keys}));
    }
    match keys {
        1 => call.output.line(format!("made {}", file.display())),
        keys => call.output.line(format!(
            "{} has {keys} keys now, the fresh one first; restart the ledger, which seals with it what is under the others",
            file.display()
        )),
    }
    Ok(())
}

fn made(file: &Path) -> Result<usize, Failure> {
    // What is there may be the only copy of a key that payloads are sealed with.
    if file.symlink_metadata().is_ok() {
        let remedy = "name another file, or put a fresh key before those that are there with --rotate";
        return Err(Failure::Usage(format!("{} is there already; {remedy}", file.display())));
    }
    fresh().and_then(|key| write_private(file, &format!("{key}\n")).map_err(|e| cannot(file, &e)))?;
    Ok(1)
}

fn rotated(file: &Path) -> Result<usize, Failure> {
    let there = Secret::from_file(file).map_err(Failure::Failed)?;
    let lines: Vec<String> = there.lines().map(str::to_owned).collect();
    let keys = LedgerConfig { payload_key: Some(there), ..LedgerConfig::default() }.payload_keys().len();
    if keys != lines.len() {
        let reason = "holds something else than keys of 32 bytes in base64; name the file of ledger.payload_key";
        return Err(Failure::Usage(format!("{} {reason}", file.display())));
    }
    let text = format!("{}\n{}\n", fresh()?, lines.join("\n"));
    rewrite(file, &text).map_err(|e| cannot(file, &e))?;
    Ok(keys + 1)
}

fn fresh() -> Result<String, Failure> {
    new_key().map_err(|e| Failure::Failed(e.to_string()))
}

fn cannot(file: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("{} cannot be written: {error}", file.display()))
}
