//! `leadrelay top`: how everything is, again and again.

mod frame;
mod screen;

use std::time::Duration;

use clap::Args as ClapArgs;
use leadrelay_ledger::api::types::{DestinationStatus, SourceStatus, Stats};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Span;
use serde::Serialize;

use self::screen::Screen;
use crate::cli::{Call, Done, Failure};
use crate::client::{Api, Remote};

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(100);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// How often to look.
    #[arg(long, default_value = "1s", value_parser = str::parse::<Span>)]
    every: Span,
    #[command(flatten)]
    remote: Remote,
}

/// How everything is at one time.
#[derive(Debug, Serialize)]
struct Look {
    at: jiff::Timestamp,
    sources: Vec<SourceStatus>,
    destinations: Vec<DestinationStatus>,
    stats: Stats,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let (api, clock) = (args.remote.api(call)?, Clock::real());
    // What cannot be reached at all is told as by every other command.
    let first = look(&api, &clock).await?;
    if call.output.json {
        return call.output.json(&first);
    }
    let Some(mut screen) = Screen::open()? else {
        call.output.text(&frame::frame(&first, api.at()));
        return Ok(());
    };
    let mut shown = frame::frame(&first, api.at());
    loop {
        screen.show(&shown)?;
        if screen.ended_within(&clock, args.every.0.max(SHORTEST)).await? {
            return Ok(());
        }
        shown = match look(&api, &clock).await {
            Ok(look) => frame::frame(&look, api.at()),
            // It may be back in a moment.
            Err(Failure::Failed(reason)) => format!("{reason}\n"),
            Err(other) => return Err(other),
        };
    }
}

async fn look(api: &Api, clock: &Clock) -> Result<Look, Failure> {
    let sources = api.get(&["sources"], &[]).await?;
    let destinations = api.get(&["destinations"], &[]).await?;
    let stats = api.get(&["stats"], &[]).await?;
    Ok(Look { at: clock.now(), sources, destinations, stats })
}
