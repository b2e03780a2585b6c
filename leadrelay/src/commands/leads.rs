//! `leadrelay leads list|show`: what came in, and what became of it.

use clap::{Args as ClapArgs, Subcommand};
use leadrelay_ledger::api::types::{DeliverySummary, LeadDetail, LeadState, LeadSummary, Page, TimelineEntry};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::fields::cut;

use super::filter::{Filters, name_of, state};
use crate::cli::{Call, Done};
use crate::client::{Remote, query};
use crate::output::{Output, moment, relative, short};

/// The widest that a column of free text may be.
const WIDTH: usize = 32;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List leads, newest first.
    List {
        /// In this state: accepted, routed, delivered, deferred, parked, quarantined, unmatched, duplicate or erased.
        #[arg(long, value_parser = state)]
        state: Option<LeadState>,
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
    /// Tell the story of one lead.
    Show {
        /// Its id, or the beginning of it.
        id: String,
        #[command(flatten)]
        remote: Remote,
    },
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    match args.what {
        What::List { state, filters, limit, cursor, remote } => {
            let mut filter = filters.filter();
            filter.state = state;
            let mut query = query(&filter);
            query.push(("limit".to_owned(), limit.to_string()));
            query.extend(cursor.map(|c| ("cursor".to_owned(), c)));
            let page: Page<LeadSummary> = remote.api(call)?.get(&["leads"], &query).await?;
            list(call.output, &page)?;
        }
        What::Show { id, remote } => {
            let api = remote.api(call)?;
            let id = api.lead_id(&id).await?;
            let lead: LeadDetail = api.get(&["leads", &id], &[]).await?;
            show(call.output, &lead)?;
        }
    }
    Ok(())
}

fn list(output: Output, page: &Page<LeadSummary>) -> Done {
    if output.json {
        return output.json(page);
    }
    if page.items.is_empty() {
        output.line("no leads");
        return Ok(());
    }
    let now = Clock::real().now();
    let row = |lead: &LeadSummary| {
        [
            short(&lead.id),
            name_of(lead.state),
            relative(now, lead.received_at),
            lead.source.clone(),
            cut(&who(lead), WIDTH),
            cut(&lead.company, WIDTH),
            lead.destinations.join(", "),
        ]
    };
    let rows: Vec<_> = page.items.iter().map(row).collect();
    output.table(["ID", "STATE", "RECEIVED", "SOURCE", "WHO", "COMPANY", "DESTINATIONS"], &rows);
    if let Some(next) = &page.next {
        output.line(format!("more: --cursor {next}"));
    }
    Ok(())
}

fn who(lead: &LeadSummary) -> String {
    if lead.name.is_empty() { lead.email.clone() } else { lead.name.clone() }
}

fn show(output: Output, detail: &LeadDetail) -> Done {
    if output.json {
        return output.json(detail);
    }
    let lead = &detail.lead;
    let now = Clock::real().now();
    output.line(format!("lead {}", lead.id));
    let fact = |name: &str, value: &str| {
        if !value.is_empty() {
            output.line(format!("  {name:<11} {value}"));
        }
    };
    fact("state", &name_of(lead.state));
    fact("source", &lead.source);
    fact("received", &format!("{} ({})", moment(lead.received_at), relative(now, lead.received_at)));
    fact("name", &lead.name);
    fact("email", &lead.email);
    fact("company", &lead.company);
    fact("offer", &lead.offer_title);
    fact("action", &lead.action);
    fact("marks", &marks(lead));
    fact("unread", detail.unread.as_deref().unwrap_or_default());
    for fault in &detail.faults {
        fact("fault", &format!("{}: {}", at(&fault.pointer), fault.reason));
    }
    if !detail.deliveries.is_empty() {
        output.line("\ndeliveries");
        detail.deliveries.iter().for_each(|d| delivery(output, d));
    }
    output.line("\ntimeline");
    detail.timeline.iter().for_each(|entry| output.line(format!("  {}  {}", moment(entry.at), sentence(entry))));
    Ok(())
}

/// Where a fault is, in words where it is everywhere.
pub(crate) fn at(pointer: &str) -> &str {
    if pointer.is_empty() { "the body" } else { pointer }
}

fn marks(lead: &LeadSummary) -> String {
    let mut marks = Vec::new();
    if lead.test {
        marks.push("test lead".to_owned());
    }
    if lead.do_not_contact {
        marks.push("do not contact".to_owned());
    }
    if lead.duplicates > 0 {
        marks.push(format!("sent again {}x", lead.duplicates));
    }
    if lead.round > 0 {
        marks.push(format!("replayed {}x", lead.round));
    }
    marks.join(", ")
}

fn delivery(output: Output, delivery: &DeliverySummary) {
    let now = Clock::real().now();
    let mut told = format!("{}, {}", name_of(delivery.state), attempts(delivery.attempts));
    let receipt = delivery.receipt.as_ref();
    if let Some(record) = receipt.and_then(|r| r.link.as_ref().or(r.record.as_ref())) {
        told.push_str(&format!(", {record}"));
    }
    if delivery.state != LeadState::Delivered {
        if let Some(reason) = &delivery.parked {
            told.push_str(&format!(": {reason}"));
        } else if let Some(error) = &delivery.last_error {
            told.push_str(&format!(": {error}"));
        }
        if let Some(next) = delivery.next_at {
            told.push_str(&format!("; again {}", relative(now, next)));
        }
    }
    output.line(format!("  {}  {told}  (route {}, id {})", delivery.destination, delivery.route, delivery.id));
}

fn attempts(n: u32) -> String {
    crate::output::count(n.into(), "attempt")
}

/// One line of a lead's story.
pub(crate) fn sentence(entry: &TimelineEntry) -> String {
    let notes = entry.notes.iter().map(|note| format!("; {}: {}", note.about, note.text));
    std::iter::once(entry.text.clone()).chain(notes).collect()
}
