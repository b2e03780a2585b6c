//! `kill -9` at random moments, at full speed, with a receiver that fails now and then: nothing answered 2xx is lost, and all
//! copies of one lead carry one `webhook-id`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leadrelay_testkit::{Fault, How, Plan};

use crate::support::chance::{Moments, number, seed};
use crate::support::partner::Partner;
use crate::support::poster;
use crate::support::process::Process;
use crate::support::world::{self, World};

const LEADS: u64 = 2_000;

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this run are what it is for")]
async fn whatever_was_answered_2xx_arrives() {
    let rounds = number("CHAOS_ROUNDS", 20);
    let seed = seed();
    let mut moments = Moments(seed);
    let receiver = Partner::start(world::SECRET).await;
    let faults = vec![
        Fault::before(How::Status(503)),
        Fault::after(How::Status(500)),
        Fault::before(How::Cut),
        Fault::after(How::Cut),
        Fault::after(How::CutAnswer),
    ];
    receiver.plan(Plan::Share { seed, percent: 5, faults });
    let dir = world::directory(&receiver.url(), world::ALL_TO_PARTNER);

    let mut acked = BTreeSet::new();
    for round in 0..rounds {
        let mut relay = Process::start(dir.path(), &[]);
        let door = relay.door().await;
        let first = round * LEADS;
        let posting = tokio::spawn(async move {
            poster::post(&door, 64, first..first + LEADS, leadrelay_testkit::samples::lead_json).await
        });
        moments.pass(20, 1520).await;
        relay.signal(libc::SIGKILL);
        relay.ended().await;
        let answers = posting.await.expect("posting ends");
        acked.extend(answers.iter().filter(|a| (200..300).contains(&a.status)).filter_map(poster::Answer::id));
    }

    let mut relay = Process::start(dir.path(), &[]);
    relay.door().await;
    let wanted: BTreeMap<String, String> =
        acked.iter().map(|id| (World::delivery(id, "partner"), id.clone())).collect();
    let missing = || wanted.keys().filter(|id| !receiver.has(id)).count();
    let all_there = tokio::time::timeout(Duration::from_secs(180), async {
        while missing() > 0 {
            world::turn().await;
        }
    });
    let arrived = all_there.await.is_ok();
    println!(
        "kill -9: seed {seed}, {rounds} rounds of {LEADS}: {} answered 2xx, {} missing; {} requests for {} ids at the receiver",
        acked.len(),
        missing(),
        receiver.server.requests(),
        receiver.distinct(),
    );
    assert!(arrived, "{} of {} leads that were answered 2xx did not arrive (seed {seed})", missing(), acked.len());
    relay.finish(dir.path()).await;
    assert!(!acked.is_empty(), "some leads were answered before the kill");
    for (lead, ids) in receiver.ids_by_lead() {
        assert_eq!(ids.len(), 1, "copies of {lead} came under {ids:?}");
    }
}
