//! `leadrelay demo`: the relay between leads that it makes up and two CRMs that it simulates, with faults on.

use std::time::Duration;

use clap::Args as ClapArgs;
use leadrelay_ledger::api::types::{LeadDetail, LeadState};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::http::Url;
use leadrelay_shared::service::{on_threads, serve};
use leadrelay_shared::{secrets, telemetry};
use leadrelay_testkit::samples;

use self::stage::Stage;
use super::send::posted;
use super::source::url_at;
use crate::cli::{Call, Done, Failure};
use crate::client::{Api, Remote};
use crate::output::count;
use crate::place::Place;
use crate::relay::Relay;
use crate::{sample, template};

mod stage;

/// How often the relay is asked what became of the leads.
const EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// How many leads to make up.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    leads: u64,
    /// How many of a hundred calls go wrong at the CRMs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=90))]
    faults: u8,
    /// End when all leads are where they belong, instead of running on.
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(call: &Call, args: &Args) -> Done {
    on_threads(demo(call, args))
}

async fn demo(call: &Call, args: &Args) -> Done {
    let failed =
        |error: std::io::Error| Failure::Failed(format!("the demonstration has no place on the disk: {error}"));
    let dir = tempfile::tempdir().map_err(failed)?;
    let stage = Stage::set(args.faults).await;
    let place = Place::new(Some(dir.path().join("leadrelay.toml")));
    template::write_text(&place, &stage.configuration()).map_err(failed)?;
    secrets::make_admin_token(&place.file).map_err(Failure::Failed)?;
    let call = Call { place, ..call.clone() };
    let loaded = call.place.load()?;
    telemetry::init(&loaded.config.log).map_err(Failure::Usage)?;
    let start = Relay::start(loaded, Clock::real());
    if args.once {
        let relay = start.await?;
        relay.ready().await?;
        show(&call, args, &stage, &relay).await?;
        return Ok(relay.drain().await?);
    }
    let announce = async |relay: &Relay| {
        show(&call, args, &stage, relay).await?;
        more(&call, &stage, relay).await
    };
    serve(start, announce).await
}

/// Posts the leads and follows them to where they belong.
async fn show(call: &Call, args: &Args, stage: &Stage, relay: &Relay) -> Done {
    let say = |text: String| {
        if !call.output.json {
            call.output.line(text);
        }
    };
    let leads = count(args.leads, "lead");
    say(format!(
        "{leads} for a simulated Dynamics 365 and a simulated Salesforce, where {} of 100 calls go wrong",
        args.faults
    ));
    let url = door(relay).await?;
    let mut ids = Vec::new();
    for n in 0..args.leads {
        ids.push(posted(url.clone(), samples::lead_json(n).into_bytes()).await?.0);
    }
    say(format!("all of them are answered 202: on disk, and {} at the CRMs so far", count(stage.records(), "record")));
    let admin = relay.ctx.status.address("admin").await;
    let api = Remote::at(admin).api(call)?;
    for id in &ids {
        let detail = followed(&api, id).await?;
        if call.output.json {
            call.output.json_line(&detail)?;
        } else {
            call.output.line(format!("{id}  {}", stage::line(&detail)));
        }
    }
    say(stage.sum(args.leads));
    Ok(())
}

/// What may be tried next.
async fn more(call: &Call, stage: &Stage, relay: &Relay) -> Done {
    if call.output.json {
        return Ok(());
    }
    let (command, file) = (sample::program_name(), call.place.file.display());
    let admin = relay.ctx.status.address("admin").await;
    call.output.line(format!("the demonstration goes on until Ctrl-C; the records: {}", stage.pages()));
    call.output.line(format!("post one yourself: {}", sample::curl(door(relay).await?.as_str())));
    call.output.line(format!("its story: {command} --config {file} leads list --address {admin}"));
    Ok(())
}

async fn door(relay: &Relay) -> Result<Url, Failure> {
    let base = format!("http://{}", relay.ctx.status.address("ingest").await);
    let url = url_at(&relay.ctx.loaded, template::SOURCE, &base)?;
    url.parse().map_err(|_| Failure::Failed("the address of ingest is no URL".to_owned()))
}

/// Waits until a lead is where it can get by itself.
async fn followed(api: &Api, id: &str) -> Result<LeadDetail, Failure> {
    loop {
        let detail: Option<LeadDetail> = api.find(&["leads", id]).await?;
        if let Some(detail) = detail
            && matches!(detail.lead.state, LeadState::Delivered | LeadState::Parked)
        {
            return Ok(detail);
        }
        tokio::time::sleep(EVERY).await;
    }
}
