//! `leadrelay erase`: leads, or all that is held about a person, taken away for good.

use std::collections::BTreeMap;

use clap::Args as ClapArgs;
use leadrelay_ledger::api::types::{Erased, Erasure, LeadDetail, LeadSummary, Remaining, Whom};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::fields::cut;

use super::filter::name_of;
use super::person::{Person, held};
use crate::cli::{Call, Done, Failure};
use crate::client::{Api, Remote, is_whole};
use crate::output::{Output, confirm, count, is_interactive, relative, say};

/// The widest that a column of free text may be.
const WIDTH: usize = 32;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Ids of leads; with --yes in full, else their beginnings will do.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    person: Person,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
}

/// What would be erased, shown before anybody agrees to it.
struct Plan {
    leads: BTreeMap<String, LeadSummary>,
    /// There are more leads of this person than could be shown.
    more: bool,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let whom = args.person.whom();
    if args.ids.is_empty() && whom.is_none() {
        return Err(Failure::Usage("name ids, or the person with --email or --phone".to_owned()));
    }
    if args.yes && args.ids.iter().any(|id| !is_whole(id)) {
        return Err(Failure::Usage("with --yes, write ids in full: this cannot be undone".to_owned()));
    }
    let api = args.remote.api(call)?;
    let mut ids = args.ids;
    if !args.yes {
        for id in &mut ids {
            *id = api.lead_id(id).await?;
        }
        let plan = Plan::of(&api, &ids, whom.as_ref()).await?;
        if plan.leads.is_empty() {
            return receipt(call.output, &Erased::default());
        }
        agreed(call.output, &plan)?;
    }
    let mut erased = Erased::default();
    let outcome = erase(&api, &ids, whom.as_ref(), &mut erased).await;
    // Where it failed in between, what was erased before is said all the same.
    if outcome.is_ok() || !erased.leads.is_empty() {
        receipt(call.output, &erased)?;
    }
    outcome
}

impl Plan {
    async fn of(api: &Api, ids: &[String], whom: Option<&Whom>) -> Result<Self, Failure> {
        let (mut leads, mut more) = (BTreeMap::new(), false);
        for id in ids {
            let detail: LeadDetail = api.get(&["leads", id], &[]).await?;
            leads.insert(id.clone(), detail.lead);
        }
        if let Some(whom) = whom {
            let held = held(api, whom).await?;
            more = held.more;
            leads.extend(held.leads.into_iter().map(|detail| (detail.lead.id.to_string(), detail.lead)));
        }
        Ok(Self { leads, more })
    }

    fn show(&self, output: Output) {
        let now = Clock::real().now();
        let row = |(id, lead): (&String, &LeadSummary)| {
            let who = if lead.email.is_empty() { &lead.name } else { &lead.email };
            let received = relative(now, lead.received_at);
            [id.clone(), name_of(lead.state), received, lead.source.clone(), cut(who, WIDTH)]
        };
        let rows: Vec<_> = self.leads.iter().map(row).collect();
        output.table(["ID", "STATE", "RECEIVED", "SOURCE", "WHO"], &rows);
    }

    fn size(&self) -> String {
        let told = count(self.leads.len() as u64, "lead");
        if self.more { format!("{told} and more of this person") } else { told }
    }
}

/// Shows what would be erased, and goes on only when a person agrees.
fn agreed(output: Output, plan: &Plan) -> Done {
    if !output.json {
        plan.show(output);
    }
    if !is_interactive() {
        let size = plan.size();
        return Err(Failure::Usage(format!("nothing was erased; --yes erases {size} without being asked")));
    }
    if confirm(&format!("erase {} for good?", plan.size())) {
        return Ok(());
    }
    say("nothing was erased");
    Err(Failure::Exit(1))
}

async fn erase(api: &Api, ids: &[String], whom: Option<&Whom>, erased: &mut Erased) -> Done {
    for id in ids {
        erased.leads.push(api.delete(&["leads", id]).await?);
    }
    if let Some(whom) = whom {
        let of_person: Erased = api.post(&["erase"], whom).await?;
        erased.leads.extend(of_person.leads);
    }
    Ok(())
}

/// Says what was erased, and which records remain elsewhere.
fn receipt(output: Output, erased: &Erased) -> Done {
    if output.json {
        return output.json(erased);
    }
    if erased.leads.is_empty() {
        output.line("nothing is held; nothing was erased");
    }
    erased.leads.iter().for_each(|erasure| output.line(sentence(erasure)));
    let remaining = erased.leads.iter().flat_map(|erasure| &erasure.remaining);
    let row = |record: &Remaining| {
        let where_to = record.link.clone().unwrap_or_default();
        [record.destination.clone(), record.record.clone().unwrap_or_else(|| "not told".to_owned()), where_to]
    };
    let rows: Vec<_> = remaining.map(row).collect();
    if !rows.is_empty() {
        output.line("\nThese records remain at their destinations; delete them there:");
        output.table(["DESTINATION", "RECORD", "LINK"], &rows);
    }
    Ok(())
}

fn sentence(erasure: &Erasure) -> String {
    let mut told = format!("{}: {}", erasure.lead, if erasure.before { "was erased before" } else { "erased" });
    if erasure.body {
        told.push_str(", with its body");
    }
    if erasure.parked > 0 {
        told.push_str(&format!(", with {} that {} parked", copies(erasure.parked), was(erasure.parked)));
    }
    if !erasure.stopped.is_empty() {
        told.push_str(&format!("; no longer on its way to {}", erasure.stopped.join(", ")));
    }
    told
}

fn copies(n: u64) -> String {
    if n == 1 { "1 copy".to_owned() } else { format!("{n} copies") }
}

fn was(n: u64) -> &'static str {
    if n == 1 { "was" } else { "were" }
}
