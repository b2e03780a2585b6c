//! `leadrelay man`: the manual pages, made of what `--help` says.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;
use serde_json::json;

use crate::cli::{Call, Cli, Done, Failure};
use crate::output::count;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write a page for every command into this directory, which is made if need be; without it, the first page is printed.
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) fn run(call: &Call, args: &Args) -> Done {
    match &args.output {
        Some(dir) => write(call, dir),
        None => print(call),
    }
}

fn print(call: &Call) -> Done {
    let mut page = Vec::new();
    Man::new(Cli::command()).render(&mut page).map_err(|e| Failure::Failed(format!("the page cannot be made: {e}")))?;
    call.output.text(&String::from_utf8_lossy(&page));
    Ok(())
}

fn write(call: &Call, dir: &Path) -> Done {
    let cannot = |e: std::io::Error| Failure::Failed(format!("{} cannot be written: {e}", dir.display()));
    std::fs::create_dir_all(dir).map_err(cannot)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(cannot)?;
    let pages = pages(&Cli::command());
    if call.output.json {
        return call.output.json(&json!({"dir": dir, "pages": pages}));
    }
    call.output.line(format!("{} in {}", count(pages, "page"), dir.display()));
    Ok(())
}

/// One for each command that help shows.
fn pages(command: &clap::Command) -> u64 {
    1 + command.get_subcommands().filter(|below| !below.is_hide_set()).map(pages).sum::<u64>()
}
