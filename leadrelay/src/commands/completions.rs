//! `leadrelay completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Call, Cli, Done};

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell that completes.
    shell: Shell,
}

pub(crate) fn run(call: &Call, args: Args) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "leadrelay", &mut script);
    call.output.text(&String::from_utf8_lossy(&script));
    Ok(())
}
