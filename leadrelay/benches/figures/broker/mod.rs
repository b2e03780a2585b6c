//! The services as processes of their own, on a RabbitMQ of their own, against bare loops over the client library on that broker.
//!
//! Broker, services, senders, receiver and loops share the machine, and so the bare loops run beside nothing else and the services
//! beside the senders and the receiver that they need. Each pair is measured one after the other, several times.

mod bare;
mod bare_door;
mod fleet;
mod receiver;

use std::time::Duration;

use leadrelay_testkit::broker::Broker;

use self::fleet::Fleet;
use self::receiver::Receiver;
use crate::accept::{CONNECTIONS, rate};
use crate::flow::memory;
use crate::{Figure, Wanted, say, stopwatch};

/// Seconds of work for each side, so that starting up does not count.
const ACCEPTED: u64 = 60_000;
const DELIVERED: u64 = 30_000;
const ROUNDS: usize = 3;
/// For the latency: so many leads a second, for so long.
const PER_SECOND: u64 = 50;
const SECONDS: u64 = 20;
/// For scaling: the receiver's time for an answer, and the calls that one connector makes at once.
const ANSWER: Duration = Duration::from_millis(50);
const CALLS: usize = 8;

/// Leads accepted, against publishing the same bytes.
pub(crate) async fn accepted() -> Figure {
    let broker = Broker::start().await;
    let (mut ours, mut raw, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let a = bare::publish(&broker, ACCEPTED, CONNECTIONS).await;
        let door = bare_door::rate(&broker, ACCEPTED).await;
        let receiver = Receiver::counting(Duration::ZERO);
        let mut fleet = Fleet::new(&broker, &receiver, CALLS).await;
        fleet.start("leadrelay-ingest").await;
        let b = rate(&fleet.door(), 0, ACCEPTED).await;
        fleet.stop().await;
        say(&format!(
            "accepted: round {round}: {a:.0}/s bare, {door:.0}/s through a bare door, {b:.0}/s through ingest"
        ));
        raw.push(a);
        ours.push(b);
        ratios.push(b / a);
    }
    figure("accepted on RabbitMQ, against a bare publisher", ratios, Wanted::AtLeast(0.8), &ours, &raw)
}

/// Leads from the door to the receiver, against three bare hops; and what each service holds in memory meanwhile.
pub(crate) async fn delivered() -> Vec<Figure> {
    let broker = Broker::start().await;
    let (mut ours, mut raw, mut ratios, mut most) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for round in 0..ROUNDS {
        let a = bare::three_hops(&broker, DELIVERED, CONNECTIONS).await;
        let receiver = Receiver::counting(Duration::ZERO);
        let mut fleet = Fleet::new(&broker, &receiver, 32).await;
        for service in ["leadrelay-ingest", "leadrelay-router", "leadrelay-connector-webhook"] {
            fleet.start(service).await;
        }
        let began = stopwatch::start();
        let door = fleet.door();
        let posting = tokio::spawn(async move { rate(&door, 0, DELIVERED).await });
        while receiver.distinct() < DELIVERED {
            most = most.max(fleet.resident_mib());
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(began.elapsed().as_secs() < 120, "{} of {DELIVERED} after two minutes", receiver.distinct());
        }
        let b = DELIVERED as f64 / began.elapsed().as_secs_f64();
        posting.await.expect("posting ends");
        fleet.stop().await;
        say(&format!(
            "delivered: round {round}: {a:.0}/s over bare hops, {b:.0}/s through the services, {most:.0} MiB"
        ));
        raw.push(a);
        ours.push(b);
        ratios.push(b / a);
    }
    let what = "through ingest, router and connector, against three bare hops";
    vec![
        figure(what, ratios, Wanted::AtLeast(0.6), &ours, &raw),
        memory("resident memory of the largest service", most, 60.0),
    ]
}

/// The time from accepting to delivery at a steady rate, against the bare hops.
pub(crate) async fn latency() -> Figure {
    let broker = Broker::start().await;
    let (mut ours, mut raw, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let a = p99(bare::latency(&broker, PER_SECOND, SECONDS).await);
        let receiver = Receiver::timing();
        let mut fleet = Fleet::new(&broker, &receiver, CALLS).await;
        for service in ["leadrelay-ingest", "leadrelay-router", "leadrelay-connector-webhook"] {
            fleet.start(service).await;
        }
        let b = p99(receiver.latency(&fleet.door(), PER_SECOND, SECONDS).await);
        fleet.stop().await;
        say(&format!(
            "latency: round {round}: {:.2} ms over bare hops, {:.2} ms through the services",
            a * 1e3,
            b * 1e3
        ));
        raw.push(a * 1e3);
        ours.push(b * 1e3);
        ratios.push(b / a);
    }
    let (a, b) = (stopwatch::median(raw), stopwatch::median(ours));
    Figure {
        what: "p99 from accepted to delivered at 50 leads a second, against three bare hops",
        value: stopwatch::median(ratios),
        unit: "",
        wanted: Wanted::AtMost(2.0),
        detail: format!("{b:.1} ms against {a:.1} ms, median of {ROUNDS}"),
    }
}

/// Deliveries with four connectors, against one, to a receiver that takes its time.
pub(crate) async fn scaled() -> Figure {
    let (mut rates, broker) = (Vec::new(), Broker::start().await);
    for connectors in [1, 4] {
        let receiver = Receiver::counting(ANSWER);
        let mut fleet = Fleet::new(&broker, &receiver, CALLS).await;
        // The ledger tells connectors which destinations are paused; without it they wait a while for that.
        for service in ["leadrelay-ledger", "leadrelay-ingest"] {
            fleet.start(service).await;
        }
        let leads = 1_000 * connectors;
        rate(&fleet.door(), 0, leads).await;
        for _ in 0..connectors {
            fleet.start("leadrelay-connector-webhook").await;
        }
        // Last, so that all connectors begin together.
        fleet.start("leadrelay-router").await;
        receiver.reaches(1).await;
        let (before, began) = (receiver.distinct(), stopwatch::start());
        receiver.reaches(leads).await;
        rates.push((leads - before) as f64 / began.elapsed().as_secs_f64());
        fleet.stop().await;
    }
    Figure {
        what: "deliveries with four connectors, against one",
        value: rates[1] / rates[0],
        unit: "",
        wanted: Wanted::AtLeast(3.5),
        detail: format!("{:.0}/s against {:.0}/s, {CALLS} calls at once each, answers after 50 ms", rates[1], rates[0]),
    }
}

fn figure(what: &'static str, ratios: Vec<f64>, wanted: Wanted, ours: &[f64], raw: &[f64]) -> Figure {
    let median = |values: &[f64]| stopwatch::median(values.to_vec());
    let detail = format!("{:.0}/s against {:.0}/s, median of {ROUNDS}", median(ours), median(raw));
    Figure { what, value: stopwatch::median(ratios), unit: "", wanted, detail }
}

/// The 99th of a hundred, in seconds.
fn p99(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() * 99 / 100]
}
