//! The command line: what there is, and which exit code means what.
//!
//! 0: done. 1: it failed, or what was asked for did not come about. 2: a mistake in the configuration or in the call.
//! 130 and 143: a second SIGINT or SIGTERM stopped `up` at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use leadrelay_shared::config::ConfigError;
use leadrelay_shared::service::{RunError, Stopped};

use crate::commands::{
    alerts, audit, check, compare, completions, demo, destinations, erase, export, import, init, leads, ledger, man,
    parked, queue, replay, schema, secrets, send, setup, source, top, try_lead, up,
};
use crate::operator::Operator;
use crate::output::{Output, say};
use crate::place::Place;

const FIRST_STEPS: &str = "\
First steps:
  leadrelay up            start; where there is no configuration, write one to begin with
  leadrelay demo          see made-up leads arrive at two simulated CRMs that fail now and then
  leadrelay init          write one for a CRM or a webhook
  leadrelay send          post a test lead to the running relay and follow it
  leadrelay leads list    see what came in, and `leads show ID` what became of it

Exit codes: 0 done, 1 failed, 2 a mistake in the configuration or in the call.";

/// Takes sales leads over HTTP, has them on disk before it says thank you, and delivers each exactly once or parks it.
#[derive(Debug, Parser)]
#[command(name = "leadrelay", version, after_help = FIRST_STEPS, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// The configuration; by default leadrelay.toml in the current directory.
    #[arg(long, global = true, value_name = "FILE", env = "LEADRELAY_CONFIG")]
    config: Option<PathBuf>,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    /// Who does it, for the relay's audit log; by default the user of this machine.
    #[arg(long = "as", global = true, value_name = "NAME", env = "LEADRELAY_OPERATOR")]
    operator: Option<Operator>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the relay: all services in one process.
    Up,
    /// See it work: made-up leads, two simulated CRMs, faults on; needs no account anywhere.
    Demo(demo::Args),
    /// Write a configuration to begin with, for a CRM or for none.
    Init(init::Args),
    /// Tell every mistake in the configuration at once.
    Check(check::Args),
    /// Show what would become of a lead; sends nothing and needs no running relay.
    Try(try_lead::Args),
    /// Post a test lead to the running relay and follow it until it is delivered or parked.
    Send(send::Args),
    /// Who may send leads: add one, change its secret, print its URL.
    Source(source::Args),
    /// Look at leads and what became of them.
    Leads(leads::Args),
    /// Look at what waits for a person, and send it on its way.
    Parked(parked::Args),
    /// Send parked leads on their way again; they cannot arrive twice.
    Replay(replay::Args),
    /// Look at destinations; pause and resume them.
    Destinations(destinations::Args),
    /// Try other routes on the latest leads, and see what would be different.
    Compare(compare::Args),
    /// Watch sources, queues and destinations, live.
    Top(top::Args),
    /// See what is wrong; send a test to those who are told of it.
    Alerts(alerts::Args),
    /// Print all that is held about a person.
    Export(export::Args),
    /// Erase leads, or all that is held about a person. It cannot be undone.
    Erase(erase::Args),
    /// Bring in what another system has exported.
    Import(import::Args),
    /// See what operators have done.
    Audit(audit::Args),
    /// Prepare a CRM for the leads that it will get.
    Setup(setup::Args),
    /// Move what waits from the embedded queue to RabbitMQ, and back.
    Queue(queue::Args),
    /// Move the history into PostgreSQL.
    Ledger(ledger::Args),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Print the manual page, or write those of all commands.
    Man(man::Args),
    /// Make the secrets that the configuration names by file and that are missing: before a start in containers.
    #[command(hide = true)]
    Secrets(secrets::Args),
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It failed; exit code 1.
    Failed(String),
    /// A mistake in the call; exit code 2.
    Usage(String),
    /// Mistakes in the configuration; exit code 2.
    Config(ConfigError),
    /// Everything has been said; only the exit code is left.
    Exit(u8),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Stopped> for Failure {
    fn from(Stopped(code): Stopped) -> Self {
        Self::Exit(code)
    }
}

/// What a command gives back.
pub(crate) type Done = Result<(), Failure>;

/// What every command is given.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Where the configuration is.
    pub(crate) place: Place,
    /// How to print.
    pub(crate) output: Output,
    /// Who does it.
    pub(crate) operator: Operator,
}

/// Runs the command that this process was started with.
pub fn main() -> ExitCode {
    // Named places where a test can end the process; only the builds that tests make have any.
    let _points = fail::has_failpoints().then(fail::FailScenario::setup);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help that was asked for goes to standard output; it is printed or there is nobody to print it to.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(told(failure)),
    }
}

fn told(failure: Failure) -> u8 {
    match failure {
        Failure::Failed(reason) => {
            say(format!("error: {reason}"));
            1
        }
        Failure::Usage(reason) => {
            say(format!("error: {reason}"));
            2
        }
        Failure::Config(error) => {
            say(error.to_string());
            2
        }
        Failure::Exit(code) => code,
    }
}

fn run(cli: Cli) -> Done {
    let call = Call {
        place: Place::new(cli.config),
        output: Output { json: cli.json },
        operator: cli.operator.unwrap_or_default(),
    };
    let Some(command) = cli.command else {
        call.output.text(&Cli::command().render_long_help().to_string());
        return Ok(());
    };
    match command {
        Command::Up => up::run(&call),
        Command::Demo(args) => demo::run(&call, &args),
        Command::Init(args) => init::run(&call, &args),
        Command::Check(args) => block_on(check::run(&call, args)),
        Command::Try(args) => try_lead::run(&call, args),
        Command::Send(args) => block_on(send::run(&call, args)),
        Command::Source(args) => source::run(&call, args),
        Command::Leads(args) => block_on(leads::run(&call, args)),
        Command::Parked(args) => block_on(parked::run(&call, args)),
        Command::Replay(args) => block_on(replay::run(&call, args)),
        Command::Destinations(args) => block_on(destinations::run(&call, args)),
        Command::Top(args) => block_on(top::run(&call, args)),
        Command::Alerts(args) => block_on(alerts::run(&call, args)),
        Command::Compare(args) => block_on(compare::run(&call, args)),
        Command::Export(args) => block_on(export::run(&call, args)),
        Command::Erase(args) => block_on(erase::run(&call, args)),
        Command::Import(args) => block_on(import::run(&call, args)),
        Command::Audit(args) => block_on(audit::run(&call, args)),
        Command::Setup(args) => block_on(setup::run(&call, args)),
        Command::Queue(args) => block_on(queue::run(&call, args)),
        Command::Ledger(args) => block_on(ledger::run(&call, &args)),
        Command::Schema => schema::run(&call),
        Command::Completions(args) => completions::run(&call, args),
        Command::Man(args) => man::run(&call, &args),
        Command::Secrets(args) => secrets::run(&call, args),
    }
}

fn block_on(command: impl Future<Output = Done>) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| Failure::Failed(format!("this machine cannot run it: {e}")))?.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
