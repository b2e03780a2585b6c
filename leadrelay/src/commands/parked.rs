//! `leadrelay parked list|show|release|repair`: what waits for a person.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use leadrelay_ledger::api::types::{Filter, Page, ParkedDetail, ParkedItem};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::delivery::ParkReason;
use serde_json::Value;

use super::filter::Filters;
use super::leads::at;
use crate::cli::{Call, Done};
use crate::client::{Api, Remote, query};
use crate::output::{Output, moment, relative, short};

mod repair;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what waits, newest first.
    List {
        /// Parked for this reason: quarantined, unmatched, mapping_failed, rejected, gave_up, too_long or crashed.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        filters: Filters,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Go on after an earlier list, which has printed this.
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show one with its payload and the reason.
    Show {
        /// Its id or its lead's, or the beginning of it.
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Send it on its way again as it is.
    Release {
        /// Ids, or their beginnings.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Correct the body of a quarantined lead and send it on its way.
    Repair {
        /// Its id, or the beginning of it.
        id: String,
        /// The corrected body; `-` is standard input. Without it, the body is opened in $EDITOR.
        file: Option<PathBuf>,
        /// Only say what is still wrong with it.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        remote: Remote,
    },
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    match args.what {
        What::List { reason, filters, limit, cursor, remote } => {
            let mut query = query(&Filter { reason, ..filters.filter() });
            query.push(("limit".to_owned(), limit.to_string()));
            query.extend(cursor.map(|c| ("cursor".to_owned(), c)));
            let page: Page<ParkedItem> = remote.api(call)?.get(&["parked"], &query).await?;
            list(call.output, &page)?;
        }
        What::Show { id, remote } => {
            let item = item(&remote.api(call)?, &id).await?;
            show(call.output, &item)?;
        }
        What::Release { ids, remote } => {
            let api = remote.api(call)?;
            for id in ids {
                let id = api.parked_id(&id).await?;
                let _: Value = api.post(&["parked", &id, "release"], &serde_json::json!({})).await?;
                told(call.output, &id, "released")?;
            }
        }
        What::Repair { id, file, dry_run, remote } => {
            repair::run(call.output, &remote.api(call)?, &id, file, dry_run).await?;
        }
    }
    Ok(())
}

async fn item(api: &Api, id: &str) -> Result<ParkedDetail, crate::cli::Failure> {
    let id = api.parked_id(id).await?;
    api.get(&["parked", &id], &[]).await
}

fn told(output: Output, id: &str, what: &str) -> Done {
    if output.json {
        return output.json_line(&serde_json::json!({"id": id, "done": what}));
    }
    output.line(format!("{id} is {what}"));
    Ok(())
}

fn list(output: Output, page: &Page<ParkedItem>) -> Done {
    if output.json {
        return output.json(page);
    }
    if page.items.is_empty() {
        output.line("nothing is parked");
        return Ok(());
    }
    let now = Clock::real().now();
    let row = |item: &ParkedItem| {
        [
            short(&item.id),
            relative(now, item.at),
            short(&item.lead),
            item.source.clone(),
            item.destination.clone().unwrap_or_default(),
            item.reason.kind().to_owned(),
            item.text.clone(),
        ]
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    output.table(["ID", "PARKED", "LEAD", "SOURCE", "DESTINATION", "REASON", "WHY"], &rows);
    if let Some(next) = &page.next {
        output.line(format!("more: --cursor {next}"));
    }
    Ok(())
}

fn show(output: Output, item: &ParkedDetail) -> Done {
    if output.json {
        return output.json(item);
    }
    let now = Clock::real().now();
    output.line(format!("parked {}", item.id));
    output.line(format!("  lead        {}", item.lead));
    output.line(format!("  source      {}", item.source));
    if let Some(destination) = &item.destination {
        output.line(format!("  destination {destination}"));
    }
    output.line(format!("  parked      {} ({})", moment(item.at), relative(now, item.at)));
    output.line(format!("  why         {}", item.text));
    if let ParkReason::Quarantined { faults } = &item.reason {
        faults.iter().for_each(|f| output.line(format!("  fault       {}: {}", at(&f.pointer), f.reason)));
    }
    if let Some(body) = &item.body {
        output.line(format!("\nbody\n{body}"));
    } else if let Some(body) = &item.body_base64 {
        output.line(format!("\nbody, which is not text, in base64\n{body}"));
    }
    if let Some(record) = &item.record {
        output.line(format!("\nrecord\n{}", serde_json::to_string_pretty(record).unwrap_or_default()));
    }
    output.line(format!(
        "\n`leadrelay parked release {0}` sends it again as it is{1}",
        short(&item.id),
        repairable(item)
    ));
    Ok(())
}

fn repairable(item: &ParkedDetail) -> String {
    if item.delivery.is_some() {
        return String::new();
    }
    format!(", `leadrelay parked repair {}` lets you correct it first", short(&item.id))
}
