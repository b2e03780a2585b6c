//! `leadrelay destinations check`: the running relay asks a destination, and its answer is waited for.

use std::time::Duration;

use jiff::Timestamp;
use leadrelay_ledger::api::types::DestinationStatus;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Span;
use serde_json::{Value, json};

use crate::cli::{Done, Failure};
use crate::client::Api;
use crate::output::Output;

/// How often the relay is asked whether there is an answer.
const EVERY: Duration = Duration::from_millis(200);

/// When a destination last answered, and last failed.
type Times = (Option<Timestamp>, Option<Timestamp>);

pub(super) async fn run(output: Output, api: &Api, name: &str, timeout: Span) -> Done {
    let before = status(api, name).await?.as_ref().map(times).unwrap_or_default();
    // It names the one that may be meant where there is none of this name.
    let _: Value = api.post(&["destinations", name, "check"], &json!({})).await?;
    let clock = Clock::real();
    let end = clock.monotonic() + timeout.0;
    loop {
        let now = status(api, name).await?;
        if let Some(status) = now.filter(|status| times(status) != before) {
            return told(output, &status, status.last_error_at != before.1);
        }
        if clock.monotonic() >= end {
            return Err(Failure::Failed(format!(
                "{name} has not answered within {} seconds; `leadrelay destinations list` will show it, and its worker's log says \
                 whether it runs",
                timeout.0.as_secs()
            )));
        }
        clock.sleep(EVERY).await;
    }
}

fn times(status: &DestinationStatus) -> Times {
    (status.checked_at, status.last_error_at)
}

async fn status(api: &Api, name: &str) -> Result<Option<DestinationStatus>, Failure> {
    let all: Vec<DestinationStatus> = api.get(&["destinations"], &[]).await?;
    Ok(all.into_iter().find(|status| status.name == name))
}

fn told(output: Output, status: &DestinationStatus, failed: bool) -> Done {
    let error = status.last_error.as_ref().filter(|_| failed);
    if output.json {
        output.json(&json!({"name": status.name, "error": error, "unfit": status.unfit}))?;
    } else if let Some(error) = error {
        output.line(format!("{}: {}: {error}", status.name, error.kind.as_str()));
    } else if status.unfit.is_empty() {
        output.line(format!("{}: answers, and the routes fit its fields", status.name));
    } else {
        status.unfit.iter().for_each(|note| output.line(format!("{}: {}: {}", status.name, note.about, note.text)));
    }
    if error.is_some() || !status.unfit.is_empty() { Err(Failure::Exit(1)) } else { Ok(()) }
}
