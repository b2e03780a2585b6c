//! Into two CRMs on the embedded queue, with everything at them that passes, and `kill -9` in between.

use std::collections::BTreeSet;

use crate::support::chance::{Moments, number, seed};
use crate::support::crms::{Crms, lead};
use crate::support::poster;
use crate::support::process::Process;
use crate::support::world;

/// Leads between two kills.
const ROUNDS: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this run are what it is for")]
async fn each_lead_is_in_each_crm_once_or_parked_for_a_true_reason() {
    let (leads, seed) = (number("CHAOS_LEADS", 1_000), seed());
    let mut moments = Moments(seed);
    let crms = Crms::start().await;
    crms.plan(&mut moments);
    let trouble = crms.trouble(moments.next(1 << 30));
    let dir = world::directory("https://partner.example.com/leads", &crms.configuration());
    let mut acked = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut relay = Process::start(dir.path(), &[]);
        let door = relay.door().await;
        let share = leads / ROUNDS;
        let answers = poster::post(&door, 16, round * share..(round + 1) * share, lead).await;
        acked.extend(answers.iter().filter(|a| (200..300).contains(&a.status)).filter_map(poster::Answer::id));
        moments.pass(200, 2_000).await;
        relay.signal(libc::SIGKILL);
        relay.ended().await;
    }
    let mut relay = Process::start(dir.path(), &[]);
    let admin = relay.admin().await;
    drop(trouble);
    crms.mend();
    let verdict = crms.judged(&acked, admin).await;
    println!("into two CRMs, embedded, {ROUNDS} times kill -9, seed {seed}: {verdict}");
    verdict.holds(seed);
}
