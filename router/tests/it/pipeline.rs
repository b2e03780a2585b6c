//! The service on a queue: every lead that goes in comes out somewhere, and stopping loses nothing.
//!
//! Fail points are of the whole process, so every test here holds the scene, and they run one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fail::FailScenario;
use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Loaded;
use leadrelay_shared::delivery::{ParkReason, Parked, Waiting};
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::lead::{Fault, Lead};
use leadrelay_shared::queue::{Queue, QueueError, Topic, embedded};
use leadrelay_shared::service::{Ctx, RunError, State, Status, Stop};
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::TempDir;

use crate::support;

const ROUTES: &str = r#"
[[routes]]
name = "customers"
when = "not lead.do_not_contact"
to = "crm"
[routes.fields]
lastname = "{{ lead.last_name }}"
seats = "{{ 100 / lead.body.seats }}"
[[routes]]
name = "copy"
when = "lead.body.copy"
to = "archive"
[routes.fields]
lastname = "{{ lead.last_name }}"
"#;

fn open(dir: &Path, clock: &Clock) -> Queue {
    let settings = embedded::Settings { dir: dir.to_owned(), max_size: 1 << 30, min_free: 0 };
    Queue::embedded(settings, clock.clone()).expect("the queue opens")
}

fn ctx(routes: &str, queue: Queue, clock: Clock) -> Ctx {
    let loaded = Loaded { config: support::config(routes), file: "leadrelay.toml".into(), base_dir: ".".into() };
    Ctx {
        loaded: Arc::new(loaded),
        clock,
        queue,
        accounts: Default::default(),
        stop: Stop::default(),
        status: Status::default(),
    }
}

fn clock() -> Clock {
    Clock::manual("2024-03-01T10:00:00Z".parse().expect("a time"))
}

fn lead(n: u32, seats: u32, rest: &serde_json::Value) -> Lead {
    let mut body = json!({"UserDetails": {"LastName": format!("Lee {n}")}, "seats": seats});
    body.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
    support::lead(body.to_string())
}

async fn publish(queue: &Queue, leads: &[Lead]) {
    let messages = leads.iter().map(|lead| Topic::leads().message(lead.id.uuid(), lead)).collect();
    queue.publish(messages).await.expect("published");
}

/// Takes exactly `count` messages from a topic.
async fn take<T: DeserializeOwned + Clone>(queue: &Queue, topic: &Topic<T>, count: usize) -> Vec<T> {
    let mut claims = queue.claims(topic);
    let mut taken = Vec::new();
    while taken.len() < count {
        for claim in claims.next(count - taken.len()).await.expect("claims") {
            taken.push(claim.body().clone());
            claim.settle(Vec::new()).await.expect("settled");
        }
    }
    taken
}

/// The facts that wait to be read.
async fn facts(queue: &Queue) -> Vec<Event> {
    let mut told = Vec::new();
    while left(queue).await.contains_key("events") {
        told.extend(take(queue, &Topic::events(), 1).await.concat());
    }
    told
}

/// What is left, by topic.
async fn left(queue: &Queue) -> BTreeMap<String, u64> {
    let stats = queue.stats().await.expect("stats");
    stats.into_iter().filter(|s| s.total() > 0).map(|s| (s.topic.clone(), s.total())).collect()
}

#[tokio::test]
async fn every_lead_comes_out_where_it_should() {
    let _scene = FailScenario::setup();
    let (dir, clock) = (TempDir::new().expect("a folder"), clock());
    let ctx = ctx(ROUTES, open(dir.path(), &clock), clock);
    let both = lead(1, 4, &json!({"copy": true}));
    let half = lead(2, 0, &json!({"copy": true}));
    let unmatched = lead(3, 4, &json!({"ActionCode": "DNC"}));
    let fault = Fault { pointer: "/seats".into(), reason: "is not a number".into() };
    let quarantined = Lead { faults: vec![fault.clone()], ..lead(4, 4, &json!({})) };
    publish(&ctx.queue, &[both.clone(), half.clone(), unmatched.clone(), quarantined.clone()]).await;

    let router = tokio::spawn(leadrelay_router::run(ctx.clone()));
    let crm = take(&ctx.queue, &Topic::deliver("crm"), 1).await;
    let archive = take(&ctx.queue, &Topic::deliver("archive"), 2).await;
    let parked = take(&ctx.queue, &Topic::parked(), 3).await;
    ctx.stop.drain();
    router.await.expect("no panic").expect("a clean end");
    let events = facts(&ctx.queue).await;
    assert_eq!(left(&ctx.queue).await, BTreeMap::new());

    assert_eq!(crm[0].id, DeliveryId::of(both.id, "crm"));
    assert_eq!((crm[0].destination.as_str(), crm[0].route.as_str()), ("crm", "customers"));
    assert_eq!(json!(crm[0].record), json!({"lastname": "Lee 1", "seats": 25.0}));
    assert_eq!(archive.iter().filter(|d| d.lead == half.id || d.lead == both.id).count(), 2);
    check_parked(&parked, [&half, &unmatched, &quarantined], &fault);
    check_events(&events, [&both, &half, &unmatched, &quarantined]);
}

fn check_parked(parked: &[Parked], [half, unmatched, quarantined]: [&Lead; 3], fault: &Fault) {
    let reason = |lead: &Lead| {
        let mut found = parked.iter().filter(|p| p.what == Waiting::Lead(lead.clone()));
        let reason = found.next().expect("it is parked").reason.clone();
        assert!(found.next().is_none(), "once");
        reason
    };
    let ParkReason::MappingFailed { route, key, .. } = reason(half) else { panic!("its mapping failed") };
    assert_eq!((route.as_str(), key.as_str()), ("customers", "fields.seats"));
    assert_eq!(reason(unmatched), ParkReason::Unmatched);
    assert_eq!(reason(quarantined), ParkReason::Quarantined { faults: vec![fault.clone()] });
}

fn check_events(events: &[Event], [both, half, unmatched, quarantined]: [&Lead; 4]) {
    let kinds = |lead: &Lead| {
        let of = events.iter().filter(|e| e.lead() == Some(lead.id));
        let mut kinds: Vec<_> = of.map(|e| json!(e.fact)["kind"].as_str().expect("a kind").to_owned()).collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(both), ["accepted", "routed"]);
    assert_eq!(kinds(half), ["accepted", "parked", "routed"]);
    assert_eq!(kinds(unmatched), ["accepted", "unmatched"]);
    assert_eq!(kinds(quarantined), ["accepted", "quarantined"]);
    for event in events {
        match &event.fact {
            Fact::Accepted { lead } => {
                assert_eq!(event.at, lead.received_at);
                assert!([both, half, unmatched, quarantined].contains(&lead));
            }
            Fact::Routed { lead, deliveries, notes, .. } if *lead == half.id => {
                assert_eq!(deliveries.len(), 1);
                assert!(notes.iter().any(|n| n.about == "customers" && n.text.starts_with("failed at fields.seats")));
            }
            _ => assert_eq!(event.at, "2024-03-01T10:00:00Z".parse::<Timestamp>().expect("a time")),
        }
    }
}

#[tokio::test]
async fn a_lead_that_comes_twice_says_the_same_twice() {
    let _scene = FailScenario::setup();
    let (dir, clock) = (TempDir::new().expect("a folder"), clock());
    let ctx = ctx(ROUTES, open(dir.path(), &clock), clock);
    let lead = lead(1, 4, &json!({}));
    let again = Topic::leads().message(LeadId::derive(&[b"again"]).uuid(), &lead);
    publish(&ctx.queue, std::slice::from_ref(&lead)).await;
    ctx.queue.publish(vec![again]).await.expect("published");
    let router = tokio::spawn(leadrelay_router::run(ctx.clone()));
    let deliveries = take(&ctx.queue, &Topic::deliver("crm"), 2).await;
    ctx.stop.drain();
    router.await.expect("no panic").expect("a clean end");
    let events = facts(&ctx.queue).await;
    assert_eq!(deliveries[0], deliveries[1]);
    assert_eq!(events.iter().map(Event::id).collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(left(&ctx.queue).await, BTreeMap::new());
}

#[tokio::test]
async fn draining_finishes_what_is_claimed_and_loses_nothing() {
    let _scene = FailScenario::setup();
    let (dir, clock) = (TempDir::new().expect("a folder"), clock());
    let ctx = ctx(ROUTES, open(dir.path(), &clock), clock);
    let leads: Vec<Lead> = (0..500).map(|n| lead(n, 4, &json!({}))).collect();
    publish(&ctx.queue, &leads).await;
    let router = tokio::spawn(leadrelay_router::run(ctx.clone()));
    take(&ctx.queue, &Topic::deliver("crm"), 1).await;
    ctx.stop.drain();
    router.await.expect("no panic").expect("a clean end");
    let remaining = left(&ctx.queue).await;
    let count = |topic: &str| remaining.get(topic).copied().unwrap_or_default();
    let routed = count("deliver.crm") + 1;
    assert_eq!(count("leads") + routed, 500);
    let told: BTreeSet<_> = facts(&ctx.queue).await.iter().filter_map(Event::lead).collect();
    assert_eq!(told.len() as u64, routed);
}

#[tokio::test]
async fn an_immediate_stop_gives_everything_back() {
    let _scene = FailScenario::setup();
    let (dir, clock) = (TempDir::new().expect("a folder"), clock());
    let ctx = ctx(ROUTES, open(dir.path(), &clock), clock);
    let leads: Vec<Lead> = (0..500).map(|n| lead(n, 4, &json!({}))).collect();
    publish(&ctx.queue, &leads).await;
    let router = tokio::spawn(leadrelay_router::run(ctx.clone()));
    ctx.status.ready(&["router"]).await;
    ctx.stop.now();
    router.await.expect("no panic").expect("a clean end");
    // Whatever the first run did, a second one does the rest, and each lead is delivered once.
    let again = Ctx { stop: Stop::default(), ..ctx.clone() };
    let router = tokio::spawn(leadrelay_router::run(again.clone()));
    let mut ids: Vec<_> = take(&ctx.queue, &Topic::deliver("crm"), 500).await.iter().map(|d| d.lead).collect();
    again.stop.drain();
    router.await.expect("no panic").expect("a clean end");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 500);
}

#[tokio::test]
async fn a_queue_that_refuses_holds_the_leads_until_it_takes_again() {
    let _scene = FailScenario::setup();
    let (dir, clock) = (TempDir::new().expect("a folder"), clock());
    let ctx = ctx(ROUTES, open(dir.path(), &clock), clock.clone());
    let leads: Vec<Lead> = (0..10).map(|n| lead(n, 4, &json!({}))).collect();
    publish(&ctx.queue, &leads).await;

    // The first commit from here is that of the claims.
    fail::cfg("queue::commit_refused", "1*off->return").expect("a fail point");
    let router = tokio::spawn(leadrelay_router::run(ctx.clone()));
    while !matches!(ctx.status.parts().get("router"), Some(State::Blocked(_))) {
        tokio::task::yield_now().await;
    }
    assert!(!ctx.status.is_ready());
    fail::remove("queue::commit_refused");
    // Both the queue and the router look again when time has passed.
    let passing = async {
        loop {
            clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
    };
    let crm = Topic::deliver("crm");
    tokio::select! {
        deliveries = take(&ctx.queue, &crm, 10) => assert_eq!(deliveries.len(), 10),
        () = passing => {}
    }
    ctx.stop.drain();
    router.await.expect("no panic").expect("a clean end");
    let told: BTreeSet<_> = facts(&ctx.queue).await.iter().filter_map(Event::lead).collect();
    assert_eq!(told.len(), 10);
    assert_eq!(left(&ctx.queue).await, BTreeMap::new());
}

#[tokio::test]
async fn a_queue_that_closes_ends_the_service_with_its_reason() {
    let _scene = FailScenario::setup();
    let (dir, clock) = (TempDir::new().expect("a folder"), clock());
    let ctx = ctx(ROUTES, open(dir.path(), &clock), clock);
    let router = tokio::spawn(leadrelay_router::run(ctx.clone()));
    ctx.status.ready(&["router"]).await;
    ctx.queue.close().await;
    let ended = router.await.expect("no panic");
    assert!(matches!(ended, Err(RunError::Queue(QueueError::Closed))), "{ended:?}");
}

#[tokio::test]
async fn rules_with_mistakes_do_not_start() {
    let _scene = FailScenario::setup();
    let (dir, clock) = (TempDir::new().expect("a folder"), clock());
    let ctx = ctx(&support::one_field("{{ lead.emial }}"), open(dir.path(), &clock), clock);
    let Err(RunError::Other(told)) = leadrelay_router::run(ctx).await else { panic!("it must not start") };
    assert_eq!(told, "leadrelay.toml: routes[0].fields.value: a lead has no `emial`; did you mean `lead.email`?");
}
