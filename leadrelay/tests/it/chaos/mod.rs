//! Faults against a real RabbitMQ and the services as processes of their own.
//!
//! For each family: every lead that was answered 2xx is delivered or parked, all copies of one lead carry one `webhook-id`, and no
//! queue holds anything in the end. Each runs once with every test run; `make chaos` runs them for longer and prints one table.

mod alarms;
mod cluster;
mod consumer;
mod crms;
mod destinations;
mod fleet;
mod killed;
mod outages;
mod poison;
mod report;
mod wires;

use self::report::Row;
use crate::support::chance::{Moments, number, seed};

/// The machine is small, and these are about order and moments: one after the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

macro_rules! families {
    ($($name:ident => $run:path),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let _alone = ALONE.lock().await;
                let row = $run(&mut Moments(seed()), 1).await;
                shown(&[row], 1);
            }
        )*

        /// What `make chaos` runs.
        #[tokio::test(flavor = "multi_thread")]
        #[ignore = "takes long; `make chaos` runs it"]
        async fn all_families() {
            let rounds = number("CHAOS_ROUNDS", 10);
            let _alone = ALONE.lock().await;
            let mut rows = Vec::new();
            $(rows.push($run(&mut Moments(seed()), rounds).await);)*
            shown(&rows, rounds);
        }
    };
}

families! {
    services_killed_at_random_moments => killed::services,
    the_broker_killed => outages::killed,
    the_broker_away_for_longer_than_every_delay => outages::stopped,
    connections_half_open => wires::half_open,
    confirms_delayed_or_lost => wires::confirms,
    alarms_of_memory_and_disk => alarms::raised,
    a_queue_that_is_full => alarms::full,
    a_consumer_that_outlives_the_timeout => consumer::slow,
    a_message_that_kills_its_worker => poison::pill,
    a_destination_removed_while_retries_wait => destinations::removed,
    queues_that_stand_there_with_other_arguments => destinations::predeclared,
    three_nodes_and_their_leader_killed => cluster::leader_killed,
}

/// Prints the table, and fails where a promise is broken.
#[expect(clippy::print_stdout, reason = "the table of this run is what it is for")]
fn shown(rows: &[Row], rounds: u64) {
    println!("\nseed {}, {rounds} rounds\n{}", seed(), Row::HEAD);
    for row in rows {
        println!("{row}");
    }
    let broken: Vec<_> = rows.iter().filter(|row| !row.holds()).collect();
    assert!(broken.is_empty(), "seed {}: {broken:#?}", seed());
}
