//! `leadrelay alerts [list|test]`.

use clap::{Args as ClapArgs, Subcommand};
use leadrelay_ledger::api::types::{Alert, AlertChannel, AlertState, AlertTested, Alerts};
use leadrelay_shared::clock::Clock;

use crate::cli::{Call, Done, Failure};
use crate::client::{Api, Remote};
use crate::output::{Output, count, relative};

/// Alerts that are over, in the list for people.
const RECENT: usize = 10;

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
    /// Show what is wrong, what was, and whether those who are told can be reached.
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Send one message to everybody who is told, now.
    Test {
        #[command(flatten)]
        remote: Remote,
    },
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    match args.what {
        None => list(call.output, &args.remote.api(call)?).await,
        Some(What::List { remote }) => list(call.output, &remote.api(call)?).await,
        Some(What::Test { remote }) => test(call.output, &remote.api(call)?).await,
    }
}

async fn list(output: Output, api: &Api) -> Done {
    let alerts: Alerts = api.get(&["alerts"], &[]).await?;
    if output.json {
        return output.json(&alerts);
    }
    if alerts.current.is_empty() {
        output.line("nothing is wrong");
    }
    let shown = alerts.current.iter().chain(alerts.recent.iter().take(RECENT));
    let rows: Vec<_> = shown.map(row).collect();
    if !rows.is_empty() {
        output.table(["KIND", "STATE", "SINCE", "WHAT"], &rows);
    }
    for alert in &alerts.current {
        output.line(format!("{}: {}; {}", alert.subject, alert.remedy, alert.link));
    }
    alerts.channels.iter().filter_map(trouble).for_each(|line| output.line(line));
    Ok(())
}

fn row(alert: &Alert) -> [String; 4] {
    let now = Clock::real().now();
    let state = match (alert.state, alert.ended_at) {
        (AlertState::Ended, Some(at)) => format!("over {}", relative(now, at)),
        (AlertState::Ended, None) => "over".to_owned(),
        (AlertState::Active, _) => "told".to_owned(),
        (AlertState::Pending, _) => "new".to_owned(),
    };
    [alert.kind.as_str().to_owned(), state, relative(now, alert.since), alert.text.clone()]
}

/// What keeps a channel from being told.
fn trouble(channel: &AlertChannel) -> Option<String> {
    let error = channel.last_error.as_ref()?;
    Some(format!("{}: {error}; {} to be sent", channel.name, count(channel.waiting, "message")))
}

async fn test(output: Output, api: &Api) -> Done {
    let tested: Vec<AlertTested> = api.post(&["alerts", "test"], &serde_json::json!({})).await?;
    if output.json {
        output.json(&tested)?;
    } else {
        for one in &tested {
            output.line(match &one.error {
                None => format!("{}: sent", one.channel),
                Some(error) => format!("{}: not sent: {error}", one.channel),
            });
        }
    }
    match tested.iter().filter(|one| !one.sent).count() {
        _ if tested.is_empty() => {
            let remedy = "add [alerts.mail] or [alerts.webhook] to the configuration and start the relay again";
            Err(Failure::Failed(format!("nobody is told of alerts; {remedy}")))
        }
        0 => Ok(()),
        _ => Err(Failure::Exit(1)),
    }
}
