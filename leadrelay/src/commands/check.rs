//! `leadrelay check`: every mistake in the configuration at once; with `--live`, the broker and the destinations asked as well.

use clap::Args as ClapArgs;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Reading};
use leadrelay_shared::mapping::Rules;
use serde_json::json;

use crate::cli::{Call, Done, Failure};
use crate::connectors::connector;
use crate::output::count;

mod live;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Also ask RabbitMQ, where it is the queue, and every destination: proves the credentials, and holds the routes against
    /// the destinations' fields. What leadrelay needs on RabbitMQ is declared by it.
    #[arg(long)]
    live: bool,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let mut reading = judged(call);
    let told = if args.live { live::ask(&reading.loaded, &Clock::real()).await } else { Vec::new() };
    reading.add(told.iter().flat_map(|t| t.mistakes.clone()));
    let brokers = if args.live { live::brokers(&reading.loaded).await } else { Vec::new() };
    let unreachable = told.iter().any(|t| t.error.is_some()) || brokers.iter().any(|b| b.fault.is_some());
    match reading.complete() {
        Ok(loaded) => {
            if call.output.json {
                call.output
                    .json(&json!({"ok": !unreachable, "mistakes": [], "queue": brokers, "destinations": told}))?;
            } else {
                brokers.iter().for_each(|b| call.output.line(b.to_string()));
                told.iter().for_each(|t| call.output.line(t.to_string()));
                if !unreachable {
                    call.output.line(summary(&loaded));
                }
            }
            if unreachable { Err(Failure::Exit(1)) } else { Ok(()) }
        }
        Err(error) => {
            if call.output.json {
                call.output
                    .json(&json!({"ok": false, "mistakes": error.mistakes, "queue": brokers, "destinations": told}))?;
                return Err(Failure::Exit(2));
            }
            brokers.iter().for_each(|b| call.output.line(b.to_string()));
            told.iter().for_each(|t| call.output.line(t.to_string()));
            Err(Failure::Config(error))
        }
    }
}

/// The configuration with every mistake that can be found without asking anybody: those of its shape, of its rules, of
/// what the door needs and of what each connector needs.
pub(crate) fn judged(call: &Call) -> Reading {
    let mut reading = call.place.read();
    let loaded = reading.loaded.clone();
    reading.add(loaded.config.admin.may_be_served().err());
    reading.add(leadrelay_ingest::check(&loaded));
    reading.add(Rules::compile(&loaded.config).err().into_iter().flatten());
    for (name, destination) in &loaded.config.destinations {
        if let Some(connector) = connector(&destination.common.connector) {
            reading.add(connector.judge(&reading, name));
        }
    }
    reading
}

fn summary(loaded: &Loaded) -> String {
    let config = &loaded.config;
    let counted = |n: usize, noun| count(n as u64, noun);
    format!(
        "ok: {}, {}, {}",
        counted(config.sources.len(), "source"),
        counted(config.routes.len(), "route"),
        counted(config.destinations.len(), "destination")
    )
}

/// The configuration as the relay would run it.
pub(crate) fn sound(call: &Call) -> Result<Loaded, Failure> {
    Ok(judged(call).complete()?)
}
