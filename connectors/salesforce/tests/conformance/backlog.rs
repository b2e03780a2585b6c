//! A backlog through the worker, on the embedded queue: how many calls it costs, and that every lead arrives once.

use std::sync::Arc;
use std::time::Duration;

use leadrelay_connector_salesforce::SalesforceConnector;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Loader};
use leadrelay_shared::control::Control;
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::queue::{Queue, Topic, embedded};
use leadrelay_shared::service::{Ctx, Status, Stop};
use leadrelay_shared::worker;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Org, Salesforce, samples};

use super::rig::leads;

const LEADS: u64 = 1_000;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn ctx(world: &Salesforce, dir: &std::path::Path) -> Ctx {
    let text = format!(
        "[destinations.{}]\nconnector = 'salesforce'\nlogin_url = '{}'\nclient_id = '{}'\nclient_secret = '{}'\n\
         allow_private_addresses = true\n",
        samples::DESTINATION,
        world.login.url(),
        Org::CLIENT_ID,
        Org::CLIENT_SECRET
    );
    let config = Loader::default().parse(&text, dir, std::iter::empty()).expect("a configuration");
    let clock = Clock::real();
    let settings = embedded::Settings { dir: dir.join("queue"), max_size: 1 << 30, min_free: 0 };
    let queue = Queue::embedded(settings, clock.clone()).expect("a queue");
    queue.publish_control(Control::default());
    let loaded = Arc::new(Loaded { config, file: "leadrelay.toml".into(), base_dir: dir.to_owned() });
    Ctx { loaded, clock, queue, accounts: Default::default(), stop: Stop::default(), status: Status::default() }
}

/// Waits until so many deliveries are told, and fails if anything else is.
async fn delivered(queue: &Queue, count: u64) {
    let mut events = queue.claims(&Topic::<Vec<Event>>::events());
    let mut left = count;
    while left > 0 {
        for claim in events.next(500).await.expect("the queue works") {
            for event in claim.body() {
                match &event.fact {
                    Fact::Delivered { .. } => left -= 1,
                    Fact::Checked { unfit, .. } if unfit.is_empty() => {}
                    other => panic!("{other:?}"),
                }
            }
            claim.settle(Vec::new()).await.expect("settled");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_leads_that_wait_cost_ten_calls_at_most() {
    let world = Salesforce::start().await;
    let dir = tempfile::tempdir().expect("a directory");
    let ctx = ctx(&world, dir.path());
    let topic = Topic::deliver(samples::DESTINATION);
    for part in leads(LEADS).chunks(250) {
        let messages = part.iter().map(|delivery| topic.message(delivery.id.uuid(), delivery)).collect();
        ctx.queue.publish(messages).await.expect("stored");
    }
    let (queue, stop) = (ctx.queue.clone(), ctx.stop.clone());
    let worker = tokio::spawn(worker::run::<SalesforceConnector>(ctx, samples::DESTINATION.to_owned()));
    tokio::time::timeout(PATIENCE, delivered(&queue, LEADS)).await.expect("in time");
    stop.drain();
    worker.await.expect("no panic").expect("it ends well");
    let calls = world.org.calls();
    assert!(calls.collections + calls.saves <= 10, "{calls:?}");
    assert_eq!((calls.tokens, world.total()), (1, 1_000));
}
