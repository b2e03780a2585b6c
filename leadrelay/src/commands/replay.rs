//! `leadrelay replay`: parked leads on their way again, under the same delivery ids, so that none can arrive twice.

use clap::Args as ClapArgs;
use leadrelay_ledger::api::types::{Filter, LeadState, Replay, Replayed};

use super::filter::{Filters, needs_ids_or_all, state};
use crate::cli::{Call, Done, Failure};
use crate::client::{Api, Remote};
use crate::output::{Output, confirm, count, is_interactive, say};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Ids of leads, deliveries or parked items, or their beginnings.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Everything that is parked and matches what follows.
    #[arg(long)]
    all: bool,
    /// Of leads in this state.
    #[arg(long, value_parser = state, requires = "all")]
    state: Option<LeadState>,
    /// Parked for this reason: quarantined, unmatched, mapping_failed, rejected, gave_up, too_long or crashed.
    #[arg(long, requires = "all")]
    reason: Option<String>,
    #[command(flatten)]
    filters: Filters,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    needs_ids_or_all(&args.ids, args.all, "leadrelay replay")?;
    let api = args.remote.api(call)?;
    let replay = if args.all {
        let filter = Filter { state: args.state, reason: args.reason, ..args.filters.filter() };
        if !agreed(&api, &filter, args.yes).await? {
            // A program that reads the result reads that nothing was sent.
            return if call.output.json { told(call.output, &Replayed::default()) } else { Ok(()) };
        }
        Replay::Filter(filter)
    } else {
        if args.filters.filter() != Filter::default() {
            return Err(Failure::Usage("filters go with --all".to_owned()));
        }
        Replay::Ids(whole(&api, &args.ids).await?)
    };
    let replayed: Replayed = api.post(&["replay"], &replay).await?;
    told(call.output, &replayed)
}

/// Shows how many there are, and asks a person who is there.
async fn agreed(api: &Api, filter: &Filter, yes: bool) -> Result<bool, Failure> {
    let n = api.count_parked(filter).await?;
    if n == 0 {
        say("nothing that is parked matches");
        return Ok(false);
    }
    if yes || !is_interactive() {
        say(format!("{} match", count(n, "parked item")));
        return Ok(true);
    }
    Ok(confirm(&format!("send {} on their way again?", count(n, "parked item"))))
}

async fn whole(api: &Api, ids: &[String]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        all.push(api.any_id(id).await?);
    }
    Ok(all)
}

/// Says what was sent on its way, and what was not and why. Something refused is a failure.
pub(crate) fn told(output: Output, replayed: &Replayed) -> Done {
    if output.json {
        output.json(replayed)?;
    } else {
        output.line(format!("{} on the way again", count(replayed.count, "item")));
        for (id, reason) in &replayed.refused {
            output.line(format!("{id}: {reason}"));
        }
    }
    if replayed.refused.is_empty() { Ok(()) } else { Err(Failure::Exit(1)) }
}
