//! Into two CRMs over RabbitMQ, with everything at them that passes, and each service killed in between.

use std::collections::{BTreeMap, BTreeSet};

use leadrelay_testkit::broker;
use leadrelay_testkit::broker::free_port;

use super::ALONE;
use super::fleet::{INGEST, LEDGER, ROUTER};
use crate::support::chance::{Moments, number, seed};
use crate::support::crms::{Crms, lead};
use crate::support::poster::{self, Door};
use crate::support::service;
use crate::support::world;

/// In the order in which they are started.
const SERVICES: [&str; 5] = [LEDGER, ROUTER, "leadrelay-connector-dynamics", "leadrelay-connector-salesforce", INGEST];

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this run are what it is for")]
async fn each_lead_is_in_each_crm_once_or_parked_for_a_true_reason() {
    let _alone = ALONE.lock().await;
    let (leads, seed) = (number("CHAOS_LEADS", 1_000), seed());
    let mut moments = Moments(seed);
    let crms = Crms::start().await;
    crms.plan(&mut moments);
    let trouble = crms.trouble(moments.next(1 << 30));
    let broker = broker::shared().await;
    let queue = broker.url(&broker.vhost().await);
    let tiers = r#"["200ms","500ms","2s"]"#;
    let more = format!("[queue]\nurl = \"{queue}\"\ndelay_tiers = {tiers}\n{}", crms.configuration());
    let dir = world::directory("https://partner.example.com/leads", &more);
    let listen = format!("127.0.0.1:{}", free_port());
    let door = Door { address: listen.parse().expect("an address"), path: format!("/v1/leads/addon/{}", world::TOKEN) };
    let variables = [("LEADRELAY_INGEST__LISTEN", listen.as_str())];

    let mut running = BTreeMap::new();
    for name in SERVICES {
        running.insert(name, service::start(name, dir.path(), &variables).await);
    }
    let mut acked = BTreeSet::new();
    let share = leads / SERVICES.len() as u64;
    for (round, name) in SERVICES.into_iter().enumerate() {
        let first = round as u64 * share;
        let answers = poster::post(&door, 16, first..first + share, lead).await;
        acked.extend(answers.iter().filter(|a| (200..300).contains(&a.status)).filter_map(poster::Answer::id));
        moments.pass(0, 1_500).await;
        let mut killed = running.remove(name).expect("it runs");
        killed.signal(libc::SIGKILL);
        killed.ended().await;
        running.insert(name, service::start(name, dir.path(), &variables).await);
    }
    drop(trouble);
    crms.mend();
    let admin = running.get_mut(LEDGER).expect("it runs").admin().await;
    let verdict = crms.judged(&acked, admin).await;
    println!("into two CRMs, RabbitMQ, each service killed once, seed {seed}: {verdict}");
    verdict.holds(seed);
}
