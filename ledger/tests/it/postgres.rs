//! What is so only on PostgreSQL: several ledgers at once, parts by month, a server that goes away, credentials, certificates.

use std::sync::Arc;
use std::time::Duration;

use leadrelay_ledger::api::types::{Filter, LeadSummary, Page};
use leadrelay_ledger::store::Store;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Database, Secret};
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::lead::Lead;
use leadrelay_shared::service::{Ctx, State, Status, Stop};
use leadrelay_testkit::postgres::Postgres;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use crate::fixtures::*;
use crate::harness;
use crate::stand::{OnPostgres, Stand};

type Ledger = harness::Ledger<OnPostgres>;

const DAY: Duration = Duration::from_secs(24 * 3600);
const TABLES: [&str; 4] = ["lead", "event", "payload", "delivery"];

/// A cluster that a test may break: it ends with the process.
fn own_cluster(lines: &str, files: &[(&str, &str)]) -> &'static Postgres {
    Box::leak(Box::new(Postgres::start_with(lines, files)))
}

fn duplicate(seconds: i64, n: u32) -> Event {
    event(seconds, Fact::Duplicate { lead: lead_id(n), source: "addon".to_owned() })
}

/// All that is told of so many leads, one lead after the other.
fn stories(leads: std::ops::Range<u32>) -> Vec<Event> {
    let story = |n| {
        let [crm, partner] = ["crm", "partner"].map(|name| delivered(3, n, name, 0));
        [accepted(1, &lead(n)), routed(2, n, &["crm", "partner"], 0), crm, partner, duplicate(4, n), duplicate(5, n)]
    };
    leads.flat_map(story).collect()
}

async fn numbers(store: &Store) -> (u64, u64, u64, usize) {
    let all = store.destinations().await.expect("read");
    let page = store.leads(Filter::default(), 200, None).await.expect("read");
    let duplicates = page.items.iter().map(|lead| lead.duplicates).map(u64::from).sum();
    (all["crm"].delivered, all["partner"].delivered, duplicates, page.items.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_number_of_ledgers_record_the_same_and_other_facts_at_once_and_count_each_once() {
    const LEADS: u32 = 60;
    let on = OnPostgres::new();
    let stores = [on.store().await, on.store().await, on.store().await];
    // Half of the leads are known before, and of some each fact is told alone: those who make a row wait for one another anyway.
    let known: Vec<Event> = (0..LEADS / 2).map(|n| accepted(1, &lead(n))).collect();
    stores[0].record(known, Vec::new()).await.expect("recorded");
    // All tell of the same leads at the same moment, each in an order of its own.
    let (alone, together) = (stories(0..10), stories(10..LEADS));
    for batch in alone.chunks(1).chain(together.chunks(33)) {
        let mut recording = Vec::new();
        for (n, store) in stores.iter().cycle().take(6).cloned().enumerate() {
            let mut events = batch.to_vec();
            events.rotate_left(n * 5 % batch.len());
            if n % 2 == 1 {
                events.reverse();
            }
            recording.push(tokio::spawn(async move { store.record(events, Vec::new()).await }));
        }
        for one in recording {
            one.await.expect("no panic").expect("recorded");
        }
    }
    assert_eq!(numbers(&stores[0]).await, (60, 60, 120, 60));
    for (table, rows) in [("lead", "60"), ("event", "360"), ("payload", "60"), ("delivery", "120"), ("lead_no", "60")] {
        assert_eq!(on.sql(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_ledgers_that_start_at_once_one_makes_the_schema() {
    let on = Arc::new(OnPostgres::new());
    let opening: Vec<_> = (0..6)
        .map(|_| {
            tokio::spawn({
                let on = on.clone();
                async move { on.store().await }
            })
        })
        .collect();
    for (n, one) in (0..).zip(opening) {
        let store = one.await.expect("no panic");
        store.record(stories(n..n + 1), Vec::new()).await.expect("recorded");
    }
    assert_eq!(on.sql("SELECT * FROM ledger_version"), "1");
    assert_eq!(numbers(&on.store().await).await, (6, 6, 12, 6));
}

#[tokio::test]
async fn a_later_schema_is_refused() {
    let on = OnPostgres::new();
    drop(on.store().await);
    on.sql("UPDATE ledger_version SET version = 99");
    let error = Store::connect(on.reached()).await.expect_err("a later one");
    assert!(error.to_string().contains("schema 99, this one knows up to 1); upgrade leadrelay"), "{error}");
}

async fn refused(database: Database) -> String {
    let error = Store::connect(database.clone()).await.expect_err("refused");
    let told = format!("{error} / {}", error.bland());
    for value in
        [database.password.as_ref().map_or("-", Secret::expose), &database.host, &database.user, &database.name]
    {
        assert!(!told.contains(value), "{told}");
    }
    told
}

#[tokio::test]
async fn what_keeps_it_from_being_opened_is_told_with_the_remedy_and_no_value() {
    let on = OnPostgres::new();
    let database = on.reached();
    let wrong = Database { password: Some(Secret::plain("hunter2")), ..database.clone() };
    let told = refused(wrong).await;
    assert!(told.contains("(SQLSTATE 28P01); correct the user in ledger.url, or ledger.password"), "{told}");
    assert!(told.ends_with("/ the database refuses the user or the password"), "{told}");
    let told = refused(Database { password: None, ..database.clone() }).await;
    assert!(told.contains("correct the user in ledger.url, or ledger.password"), "{told}");
    let told = refused(Database { name: "nowhere".to_owned(), ..database.clone() }).await;
    assert!(told.contains("it has no such database (SQLSTATE 3D000); make it with CREATE DATABASE"), "{told}");
    let told = refused(Database { port: leadrelay_testkit::broker::free_port(), ..database.clone() }).await;
    assert!(told.contains("it cannot be reached; see that it runs"), "{told}");
    let told = refused(Database { tls: true, ..database.clone() }).await;
    assert!(told.contains("its certificate is not trusted, or it speaks no TLS"), "{told}");
    let told = refused(Database { tls: true, ca: Some("/nowhere.pem".into()), ..database.clone() }).await;
    assert!(told.contains("the certificates of ledger.ca cannot be read"), "{told}");
    on.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO postgres");
    on.sql(&format!("ALTER DATABASE {} OWNER TO postgres", on.database.name));
    let told = refused(database).await;
    assert!(told.contains("the user may not do what the ledger needs (SQLSTATE 42501)"), "{told}");
}

/// An authority, and a certificate of it for a server of this name.
fn certificates(name: &str) -> (String, String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).expect("an authority").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    // With its issuer's name it would pass for self-signed.
    params.distinguished_name.push(DnType::CommonName, "server");
    (ca, params.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_server_must_be_the_one_that_its_certificate_names() {
    let (ca, certificate, key) = certificates("localhost");
    let lines = "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'";
    let on = OnPostgres::on(own_cluster(lines, &[("server.pem", &certificate), ("server.key", &key)]));
    let file = on.dir().join("ca.pem");
    std::fs::write(&file, ca).expect("written");
    let trusted = Database { host: "localhost".to_owned(), tls: true, ca: Some(file), ..on.reached() };
    let store = Store::connect(trusted.clone()).await.expect("it is the one");
    store.record(stories(0..1), Vec::new()).await.expect("recorded");
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'leadrelay-ledger'";
    assert_eq!(on.sql(encrypted), "t");

    let told = refused(Database { host: "127.0.0.1".to_owned(), ..trusted.clone() }).await;
    assert!(told.contains("its certificate is not trusted"), "another name: {told}");
    let told = refused(Database { ca: None, ..trusted }).await;
    assert!(told.contains("its certificate is not trusted"), "another authority: {told}");
}

fn blocked(ledger: &Ledger) -> Option<String> {
    match ledger.ctx.status.parts().remove("ledger") {
        Some(State::Blocked(reason)) => Some(reason),
        _ => None,
    }
}

async fn recovered(ledger: &Ledger) {
    ledger
        .until("it has recovered", async || {
            ledger.ctx.clock.advance(Duration::from_secs(30));
            blocked(ledger).is_none()
        })
        .await;
    ledger.recorded().await;
}

async fn leads(ledger: &Ledger) -> usize {
    ledger.get("/api/v1/leads?limit=200").await.ok::<Page<LeadSummary>>().items.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_events_wait_and_it_is_found_again() {
    let cluster = own_cluster("", &[]);
    let ledger = Ledger::at(Arc::new(OnPostgres::on(cluster)), "", Clock::manual(start())).await;
    ledger.tell(&[accepted(1, &lead(1))], &[]).await;
    cluster.stop();
    ledger.publish(&[accepted(2, &lead(2))], &[]).await;
    ledger.until("it says that it is blocked", async || blocked(&ledger).is_some()).await;
    let reason = blocked(&ledger).expect("a reason");
    assert!(reason.starts_with("history is not recorded: the "), "{reason}");
    assert!(!reason.contains("127.0.0.1") && !reason.contains(ledger.stand.database.password), "{reason}");
    let ready = ledger.request("GET", "/readyz", "", "").await;
    let state = &ready.json::<Value>()["parts"]["ledger"]["state"];
    assert_eq!((ready.status, state), (200, &Value::from("blocked")), "leads flow");
    assert_eq!(ledger.depth("events").await, 1, "it waits");
    assert_eq!(ledger.get("/api/v1/leads").await.status, 503);

    cluster.start_again();
    recovered(&ledger).await;
    assert_eq!(leads(&ledger).await, 2);

    // And where it is away from the start.
    let clock = ledger.ctx.clock.clone();
    let stand = ledger.stop().await;
    cluster.stop();
    let ledger = Ledger::at(stand, "", clock).await;
    let reason = blocked(&ledger).expect("a reason");
    assert_eq!(reason, "history is not recorded: the database cannot be reached; it is kept in the queue");
    ledger.publish(&[accepted(3, &lead(3))], &[]).await;
    cluster.start_again();
    recovered(&ledger).await;
    assert_eq!(leads(&ledger).await, 3);
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clicks_at_two_ledgers_send_once() {
    let ledger = Ledger::start().await;
    let second = Ctx { stop: Stop::default(), status: Status::default(), ..ledger.ctx.clone() };
    let running = AbortOnDropHandle::new(tokio::spawn(leadrelay_ledger::run(second.clone())));
    second.status.ready(&["ledger"]).await;
    let other = second.status.address("admin").await;
    let (none, ids) = (serde_json::json!({}), 0..20);
    for n in ids.clone() {
        let (event, message) = parked(10, n, "crm", 0);
        ledger.tell(&[accepted(1, &lead(n)), routed(2, n, &["crm"], 0), event], &[message]).await;
        let path = format!("/api/v1/parked/{}/release", delivery(n, "crm", 0).id);
        let (one, two) = tokio::join!(ledger.post(&path, &none), ledger.post_at(other, &path, &none));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
    }
    assert_eq!(ledger.depth("deliver.crm").await, ids.len() as u64);
    second.stop.drain();
    running.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_connection_that_broke_is_replaced() {
    let on = OnPostgres::new();
    let store = on.store().await;
    store.record(stories(0..1), Vec::new()).await.expect("recorded");
    let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(on.sql(others).starts_with('t'));
    store.record(stories(1..2), Vec::new()).await.expect("recorded over another");
    assert_eq!(numbers(&store).await, (2, 2, 4, 2));
}

fn parts(on: &OnPostgres) -> Vec<String> {
    on.rows("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY relname")
}

async fn forget_all(store: &Store, days: u32) {
    let before = start().checked_add(jiff::SignedDuration::from_hours(24 * i64::from(days))).expect("a time");
    while store.forget_history(before).await.expect("forgotten").more {}
}

#[tokio::test]
async fn a_month_that_is_past_is_dropped_whole_and_made_again_for_a_late_fact() {
    let on = OnPostgres::new();
    let (store, other) = (on.store().await, on.store().await);
    let day = |days: i64| days * 24 * 3600;
    // 23 November, 3 December, 22 January.
    for (n, days) in [(1, 0), (2, 10), (3, 60)] {
        let late = Lead { received_at: at(day(days)), ..lead(n) };
        let (event, message) = parked(day(days) + 9, n, "crm", 0);
        let events = vec![accepted(day(days), &late), routed(day(days) + 1, n, &["crm"], 0), event];
        store.record(events, vec![message]).await.expect("recorded");
    }
    let months = ["2026_11", "2026_12", "2027_01"];
    let wanted = |months: &[&str]| {
        let mut all: Vec<String> =
            TABLES.iter().flat_map(|table| months.iter().map(move |month| format!("{table}_{month}"))).collect();
        all.sort();
        all
    };
    assert_eq!(parts(&on), wanted(&months));
    other.record(stories(7..8), Vec::new()).await.expect("the other knows the month too");

    // 8 December: all of November, and of December what is older.
    forget_all(&store, 15).await;
    assert_eq!(parts(&on), wanted(&months[1..]));
    for (table, rows) in [("lead", "1"), ("lead_no", "1"), ("parked", "1"), ("lead_month", "2")] {
        assert_eq!(on.sql(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    // What the other ledger knows of the parts is no longer so.
    other.record(vec![duplicate(20, 1)], Vec::new()).await.expect("recorded in a new part");
    assert_eq!(parts(&on), wanted(&months));
    let page = store.leads(Filter::default(), 10, None).await.expect("read");
    assert_eq!(page.items.iter().map(|lead| lead.id).collect::<Vec<_>>(), [lead_id(3), lead_id(1)]);
}

#[tokio::test]
async fn a_month_in_which_a_lead_is_told_of_too_early_is_not_dropped_with_it() {
    let on = OnPostgres::new();
    let store = on.store().await;
    // A resend that was told of by a clock that was behind, and the lead itself a month later.
    let late = Lead { received_at: start() + 40 * DAY, ..lead(1) };
    store.record(vec![duplicate(0, 1)], Vec::new()).await.expect("recorded");
    store.record(vec![accepted(40 * 24 * 3600, &late), accepted(1, &lead(2))], Vec::new()).await.expect("recorded");
    forget_all(&store, 20).await;
    let page = store.leads(Filter::default(), 10, None).await.expect("read");
    assert_eq!(page.items.iter().map(|lead| lead.id).collect::<Vec<_>>(), [lead_id(1)]);
    forget_all(&store, 80).await;
    assert_eq!(parts(&on), [""; 0]);
}

#[tokio::test]
async fn a_sign_that_no_text_may_hold_there_keeps_nobody_from_recording() {
    let on = OnPostgres::new();
    let store = on.store().await;
    let body = r#"{"LeadSource": "x", "UserDetails": {"FirstName": "An\u0000n", "Email": "ann@example.com"}}"#;
    let odd = Lead { body: body.to_owned().into(), ..lead(1) };
    store.record(vec![accepted(1, &odd)], Vec::new()).await.expect("recorded");
    let page = store.leads(Filter::default(), 10, None).await.expect("read");
    assert!(page.items[0].name.starts_with("An"), "{}", page.items[0].name.escape_debug());
    let kept = store.kept(lead_id(1)).await.expect("read").and_then(|kept| kept.lead).expect("its body is kept");
    assert_eq!(kept.body.text(), Some(body), "as it came");
}
