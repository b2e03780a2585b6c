//! `leadrelay audit`: what operators have done.

use clap::Args as ClapArgs;
use leadrelay_ledger::api::types::{AuditEntry, Page};

use crate::cli::{Call, Done};
use crate::client::Remote;
use crate::output::{Output, moment};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// At most so many, the latest first.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Go on after an earlier list, which has printed this.
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let mut query = vec![("limit".to_owned(), args.limit.to_string())];
    query.extend(args.cursor.map(|c| ("cursor".to_owned(), c)));
    let page: Page<AuditEntry> = args.remote.api(call)?.get(&["audit"], &query).await?;
    list(call.output, &page)
}

fn list(output: Output, page: &Page<AuditEntry>) -> Done {
    if output.json {
        return output.json(page);
    }
    if page.items.is_empty() {
        output.line("nobody has done anything");
        return Ok(());
    }
    let row = |entry: &AuditEntry| {
        let who = if entry.operator.is_empty() { "unnamed" } else { &entry.operator };
        [
            moment(entry.at),
            who.to_owned(),
            entry.via.clone(),
            entry.act.clone(),
            entry.object.clone(),
            entry.outcome.clone().unwrap_or_else(|| "not known".to_owned()),
        ]
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    output.table(["WHEN", "WHO", "BY", "DID", "TO", "OUTCOME"], &rows);
    if let Some(next) = &page.next {
        output.line(format!("more: --cursor {next}"));
    }
    Ok(())
}
