//! `leadrelay destinations [list|pause|resume|check]`.

mod ask;

use clap::{Args as ClapArgs, Subcommand};
use leadrelay_ledger::api::types::{DestinationStatus, Pause};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Span;
use leadrelay_shared::event::PauseCause;
use serde_json::Value;

use crate::cli::{Call, Done};
use crate::client::{Api, Remote};
use crate::output::{Output, relative, rough};

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show how each destination is.
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Stop delivering to one; its leads wait.
    Pause {
        /// Its name.
        name: String,
        /// Why, for others to see.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Deliver to one again.
    Resume {
        /// Its name.
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Have the relay ask one for its fields, now, and say what came of it.
    Check {
        /// Its name.
        name: String,
        /// How long to wait for its answer.
        #[arg(long, default_value = "30s", value_parser = str::parse::<Span>)]
        timeout: Span,
        #[command(flatten)]
        remote: Remote,
    },
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    match args.what {
        None => list(call.output, &args.remote.api(call)?).await,
        Some(What::List { remote }) => list(call.output, &remote.api(call)?).await,
        Some(What::Pause { name, reason, remote }) => {
            let _: Value = remote.api(call)?.post(&["destinations", &name, "pause"], &Pause { reason }).await?;
            told(call.output, &name, "paused")
        }
        Some(What::Resume { name, remote }) => {
            let _: Value = remote.api(call)?.post(&["destinations", &name, "resume"], &serde_json::json!({})).await?;
            told(call.output, &name, "resumed")
        }
        Some(What::Check { name, timeout, remote }) => ask::run(call.output, &remote.api(call)?, &name, timeout).await,
    }
}

fn told(output: Output, name: &str, what: &str) -> Done {
    if output.json {
        return output.json(&serde_json::json!({"name": name, "done": what}));
    }
    output.line(format!("{name} is {what}"));
    Ok(())
}

async fn list(output: Output, api: &Api) -> Done {
    let destinations: Vec<DestinationStatus> = api.get(&["destinations"], &[]).await?;
    if output.json {
        return output.json(&destinations);
    }
    if destinations.is_empty() {
        output.line("no destinations");
        return Ok(());
    }
    let rows: Vec<_> = destinations.iter().map(row).collect();
    output.table(["NAME", "CONNECTOR", "STATE", "WAITING", "OLDEST", "DELIVERED", "PARKED", "LAST SUCCESS"], &rows);
    for destination in &destinations {
        if let (Some(error), true) = (&destination.last_error, is_news(destination)) {
            output.line(format!("{}: {error}", destination.name));
        }
        for note in &destination.unfit {
            output.line(format!("{}: {}: {}", destination.name, note.about, note.text));
        }
    }
    Ok(())
}

/// The last error came after the last success.
fn is_news(destination: &DestinationStatus) -> bool {
    destination.last_error_at > destination.last_success_at
}

fn row(destination: &DestinationStatus) -> [String; 8] {
    let now = Clock::real().now();
    let waiting = destination.ready + destination.delayed + destination.in_flight;
    let oldest = destination.oldest_age_seconds.and_then(|s| i64::try_from(s).ok());
    [
        destination.name.clone(),
        destination.connector.clone(),
        state(destination),
        waiting.to_string(),
        oldest.map_or_else(String::new, |s| rough(jiff::SignedDuration::from_secs(s))),
        destination.delivered.to_string(),
        destination.parked.to_string(),
        destination.last_success_at.map_or_else(|| "never".to_owned(), |at| relative(now, at)),
    ]
}

/// How a destination is, in a word or two.
pub(crate) fn state(destination: &DestinationStatus) -> String {
    match (&destination.cause, destination.paused) {
        (_, false) => "ready".to_owned(),
        (Some(PauseCause::Operator { reason }), true) if !reason.is_empty() => format!("paused by hand: {reason}"),
        (Some(PauseCause::Operator { .. }), true) => "paused by hand".to_owned(),
        (Some(PauseCause::Failing { error }), true) => format!("paused: {}", error.kind.as_str()),
        (None, true) => "paused".to_owned(),
    }
}
