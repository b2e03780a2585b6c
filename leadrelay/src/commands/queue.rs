//! `leadrelay queue move`: from the embedded queue to RabbitMQ, or back.
//!
//! The configuration says how RabbitMQ is reached, so that no password is typed, and where the embedded queue is; the call says
//! the direction.

use std::time::Duration;

use clap::{ArgGroup, Args as ClapArgs, Subcommand};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Loaded;
use leadrelay_shared::queue::{Health, Queue, Topic, embedded};
use serde_json::json;

use self::transfer::{Moved, Summary, transfer};
use crate::cli::{Call, Done, Failure};
use crate::output::{count, say};

mod transfer;

/// How long RabbitMQ may take to answer.
const CONNECT: Duration = Duration::from_secs(20);
/// How often it is said how far this has got.
const TELL_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Move every message between the embedded queue and the RabbitMQ of the configuration, with its id and its delay.
    #[command(after_help = MOVE_HELP)]
    Move(MoveArgs),
}

const MOVE_HELP: &str = "\
To RabbitMQ: stop the relay, write queue.url and queue.password, run `queue move --from embedded`, start.
Back: stop every service, run `queue move --to embedded`, write queue.url = \"embedded\", start.

A message leaves the one only when the other has it on disk. If this ends half-way, run it again: what was on its way may then
come twice under the same id, which makes one record.";

/// RabbitMQ does not tell its queues over AMQP.
const ELSEWHERE: &str = "\
Moved are the topics and delays of this configuration. Before RabbitMQ is switched off, see with `rabbitmqctl list_queues name messages`
that nothing else that begins with leadrelay holds messages; for a destination that is no longer configured, run this again with
--destination, and for a delay that is no longer configured, put it into queue.delay_tiers again.";

#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("direction").required(true).args(["from", "to"])))]
struct MoveArgs {
    /// Out of the embedded queue in data_dir, into RabbitMQ.
    #[arg(long, value_name = "embedded", value_parser = ["embedded"])]
    from: Option<String>,
    /// Out of RabbitMQ, into the embedded queue in data_dir.
    #[arg(long, value_name = "embedded", value_parser = ["embedded"])]
    to: Option<String>,
    /// A destination that is no longer configured and may still have deliveries in RabbitMQ; may be given several times.
    #[arg(long, value_name = "NAME", requires = "to")]
    destination: Vec<String>,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let Command::Move(args) = args.command;
    let loaded = call.place.load()?;
    let clock = Clock::real();
    let Some(mut settings) = loaded.broker("leadrelay queue move") else {
        return Err(Failure::Usage(
            "queue.url is \"embedded\": write there how RabbitMQ is reached, and this moves between the two".to_owned(),
        ));
    };
    settings.topics.extend(args.destination.iter().map(|name| Topic::deliver(name).name().to_string()));
    // First, because it tells a relay that still runs.
    let embedded = embedded(&loaded, &clock)?;
    let broker = Queue::amqp(settings, clock.clone());
    let done = async {
        connected(&broker, &clock).await?;
        let (from, to) = if args.from.is_some() { (&embedded, &broker) } else { (&broker, &embedded) };
        let mut told_at = clock.monotonic();
        let moved = transfer(from, to, &clock, |so_far| {
            if clock.monotonic() >= told_at + TELL_EVERY {
                told_at = clock.monotonic();
                say(format!("{} moved so far", count(total(so_far).messages, "message")));
            }
        });
        moved.await.map_err(|error| Failure::Failed(format!("{error}. Nothing is lost; run this again for the rest")))
    };
    let done = done.await;
    broker.close().await;
    embedded.close().await;
    tell(call, &done?)?;
    if args.to.is_some() && !call.output.json {
        say(ELSEWHERE);
    }
    Ok(())
}

fn embedded(loaded: &Loaded, clock: &Clock) -> Result<Queue, Failure> {
    let limits = &loaded.config.queue;
    let dir = loaded.data_dir().join("queue");
    let settings = embedded::Settings { dir, max_size: limits.max_size.0, min_free: limits.min_free.0 };
    Queue::embedded(settings, clock.clone()).map_err(|error| Failure::Failed(error.to_string()))
}

async fn connected(broker: &Queue, clock: &Clock) -> Result<(), Failure> {
    let mut health = broker.health();
    tokio::select! {
        // Fails only when the engine is gone, and then moving says so.
        _ = health.wait_for(|health| *health == Health::Ready) => return Ok(()),
        () = clock.sleep(CONNECT) => {}
    }
    match &*broker.health().borrow() {
        Health::Ready => Ok(()),
        Health::Blocked(reason) => Err(Failure::Failed(reason.clone())),
    }
}

fn total(summary: &Summary) -> Moved {
    summary.values().fold(Moved::default(), |sum, of| Moved {
        messages: sum.messages + of.messages,
        delayed: sum.delayed + of.delayed,
    })
}

fn tell(call: &Call, moved: &Summary) -> Done {
    let all = total(moved);
    if call.output.json {
        return call.output.json(&json!({"messages": all.messages, "delayed": all.delayed, "topics": moved}));
    }
    let rows: Vec<_> =
        moved.iter().map(|(topic, of)| [topic.clone(), of.messages.to_string(), of.delayed.to_string()]).collect();
    if !rows.is_empty() {
        call.output.table(["TOPIC", "MESSAGES", "DELAYED"], &rows);
    }
    call.output.line(format!("{} moved", count(all.messages, "message")));
    Ok(())
}
