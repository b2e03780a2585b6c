//! Rows are a function of the set of facts: any order, any repetition, the same rows.

use std::path::Path;

use leadrelay_ledger::api::types::{Filter, LeadState};
use leadrelay_ledger::store::{Open, OpenError, Store};
use leadrelay_shared::delivery::Parked;
use leadrelay_shared::event::{Event, Fact, PauseCause};
use leadrelay_shared::fields::Note;
use leadrelay_shared::lead::Lead;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::fixtures::*;

/// One thing that can be recorded.
#[derive(Clone, Debug)]
enum Telling {
    Event(Event),
    Parked(Parked),
}

/// What is parked in the pool: its last so many tellings are the messages of the events right before them.
const PARKED: usize = 5;

/// Everything that may happen to two leads, with rounds, late tellings and tellings that differ under one id.
fn pool() -> Vec<Telling> {
    let again = Lead { round: 1, faults: Vec::new(), ..faulty(2) };
    let mut events = vec![
        accepted(1, &lead(1)),
        routed(2, 1, &["crm", "partner"], 0),
        deferred(3, 1, "crm", 0, 1),
        deferred(60, 1, "crm", 0, 2),
        deferred(61, 1, "crm", 0, 2),
        delivered(90, 1, "crm", 0),
        delivered(91, 1, "crm", 0),
        delivered(70, 1, "partner", 1),
        deferred(40, 1, "partner", 0, 1),
        deferred(120, 1, "partner", 1, 1),
        replayed(50, 1, Some("partner"), 1),
        replayed(150, 1, Some("partner"), 2),
        replayed(160, 1, None, 3),
        routed(161, 1, &["partner"], 3),
        accepted(2, &faulty(2)),
        accepted(30, &again),
        replayed(29, 2, None, 1),
        routed(31, 2, &["crm"], 1),
        event(10, Fact::Duplicate { lead: lead_id(1), source: "addon".to_owned() }),
        event(11, Fact::Duplicate { lead: lead_id(1), source: "addon".to_owned() }),
        event(32, Fact::Unmatched { lead: lead_id(2), round: 1, rules: "v1".to_owned() }),
        event(
            33,
            Fact::Paused { destination: "crm".to_owned(), cause: PauseCause::Failing { error: down() }, until: None },
        ),
        event(34, Fact::Resumed { destination: "crm".to_owned() }),
    ];
    let mut messages = Vec::new();
    for (event, message) in [
        parked(41, 1, "partner", 0),
        parked(42, 1, "partner", 0),
        parked(130, 1, "partner", 1),
        parked(80, 1, "crm", 0),
        quarantined(3, &faulty(2)),
    ] {
        events.push(event);
        messages.push(message);
    }
    assert_eq!(messages.len(), PARKED);
    events.into_iter().map(Telling::Event).chain(messages.into_iter().map(Telling::Parked)).collect()
}

fn record(dir: &Path, tellings: &[Telling], batch: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(dir).expect("a store");
        for some in tellings.chunks(batch.max(1)) {
            let (mut events, mut parked) = (Vec::new(), Vec::new());
            for telling in some {
                match telling {
                    Telling::Event(event) => events.push(event.clone()),
                    Telling::Parked(message) => parked.push(message.clone()),
                }
            }
            store.record(events, parked).await.expect("recorded");
        }
    });
}

/// Every row of every table, without the numbers that only count arrivals.
fn rows(dir: &Path) -> Vec<Vec<Value>> {
    let db = Connection::open(dir.join("ledger.db")).expect("the database");
    let mut all = Vec::new();
    for sql in [
        "SELECT id, state, received_at, round, duplicates, accepted, source, format, test, dnc, name, email, company,
           offer_title, action, search, faults, settled_at FROM lead ORDER BY id",
        "SELECT l.id, d.id, d.destination, d.state, d.received_at FROM delivery d JOIN lead l ON l.no = d.lead ORDER BY 1, 2",
        "SELECT l.id, e.id, e.at, e.kind, e.fact FROM event e JOIN lead l ON l.no = e.lead ORDER BY 1, 2",
        "SELECT l.id, p.key, p.delivery, p.destination, p.route, p.at, p.round, p.kind, p.reason, p.waiting
           FROM parked p JOIN lead l ON l.no = p.lead ORDER BY 2",
        "SELECT l.id, p.body FROM payload p JOIN lead l ON l.no = p.lead ORDER BY 1",
        "SELECT * FROM destination ORDER BY name",
    ] {
        let mut statement = db.prepare(sql).expect("a statement");
        let columns = statement.column_count();
        let found = statement.query_map([], |row| (0..columns).map(|n| row.get(n)).collect()).expect("rows");
        all.extend(found.collect::<Result<Vec<Vec<Value>>, _>>().expect("rows"));
    }
    all
}

fn some_of_the_pool() -> impl Strategy<Value = (Vec<usize>, Vec<usize>, usize)> {
    let count = pool().len();
    proptest::collection::vec(0..count, 1..16).prop_flat_map(move |mut told| {
        // A parked message is always published with its event: either may come first, but never one alone.
        let events = told.iter().filter(|n| **n >= count - PARKED).map(|n| n - PARKED).collect::<Vec<_>>();
        told.extend(events);
        let mut once = told.clone();
        once.sort_unstable();
        once.dedup();
        (Just(once), Just(told).prop_shuffle(), 2usize..6)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_repetition_make_the_same_rows((once, shuffled, batch) in some_of_the_pool()) {
        let pool = pool();
        let pick = |numbers: &[usize]| numbers.iter().map(|n| pool[*n].clone()).collect::<Vec<_>>();
        let (one, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        record(one.path(), &pick(&once), usize::MAX);
        record(other.path(), &pick(&shuffled), batch);
        prop_assert_eq!(rows(one.path()), rows(other.path()));
    }
}

async fn state_after(events: Vec<Event>, parked: Vec<Parked>) -> (LeadState, usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    store.record(events, parked).await.expect("recorded");
    let page = store.leads(Filter::default(), 10, None).await.expect("a page");
    assert_eq!(page.items.len(), 1);
    let parked = store.parked(Filter::default(), 10, None).await.expect("a page");
    (page.items[0].state, parked.items.len())
}

#[tokio::test]
async fn rounds_and_ranks_decide_where_a_lead_is() {
    let base = || vec![accepted(1, &lead(1)), routed(2, 1, &["crm"], 0)];
    let (event, message) = parked(9, 1, "crm", 0);
    let with = |more: Vec<Event>| base().into_iter().chain(more).collect::<Vec<_>>();

    assert_eq!(state_after(vec![accepted(1, &lead(1))], vec![]).await, (LeadState::Accepted, 0));
    assert_eq!(state_after(base(), vec![]).await, (LeadState::Routed, 0));
    assert_eq!(state_after(with(vec![deferred(3, 1, "crm", 0, 1)]), vec![]).await, (LeadState::Deferred, 0));
    assert_eq!(state_after(with(vec![event.clone()]), vec![message.clone()]).await, (LeadState::Parked, 1));
    // The message may come before its event.
    assert_eq!(state_after(base(), vec![message.clone()]).await, (LeadState::Parked, 1));
    // Sent on its way again.
    let again = with(vec![event.clone(), replayed(20, 1, Some("crm"), 1)]);
    assert_eq!(state_after(again.clone(), vec![message.clone()]).await, (LeadState::Routed, 0));
    // And parked again.
    let (event_1, message_1) = parked(30, 1, "crm", 1);
    let twice = again.iter().cloned().chain([event_1]).collect();
    assert_eq!(state_after(twice, vec![message_1, message.clone()]).await, (LeadState::Parked, 1));
    // What has arrived has arrived, whatever is told late.
    let late = with(vec![delivered(40, 1, "crm", 0), event, deferred(50, 1, "crm", 1, 1)]);
    assert_eq!(state_after(late, vec![message]).await, (LeadState::Delivered, 0));
    // Nothing but a resend is known of the first.
    let resend = event_of_a_resend();
    assert_eq!(state_after(vec![resend], vec![]).await, (LeadState::Duplicate, 0));
}

fn event_of_a_resend() -> Event {
    event(1, Fact::Duplicate { lead: lead_id(1), source: "addon".to_owned() })
}

#[tokio::test]
async fn the_destination_that_most_needs_a_person_decides() {
    let (event, message) = parked(9, 1, "partner", 0);
    let events = vec![accepted(1, &lead(1)), routed(2, 1, &["crm", "partner"], 0), delivered(3, 1, "crm", 0), event];
    assert_eq!(state_after(events, vec![message]).await, (LeadState::Parked, 1));
}

#[tokio::test]
async fn a_delivered_lead_takes_at_most_2_kib_beside_its_payload() {
    const LEADS: u32 = 1000;
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let mut payloads = 0;
    for n in 0..LEADS {
        let lead = lead(n);
        payloads += lead.body.len();
        let events = vec![accepted(1, &lead), routed(2, n, &["crm"], 0), delivered(3, n, "crm", 0)];
        store.record(events, vec![]).await.expect("recorded");
    }
    drop(store);
    let size =
        usize::try_from(std::fs::metadata(dir.path().join("ledger.db")).expect("the file").len()).expect("a size");
    let each = size.saturating_sub(payloads) / LEADS as usize;
    assert!(each <= 2048, "{each} bytes for each lead");
}

#[tokio::test]
async fn what_repeats_without_end_is_kept_within_bounds() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let mut events = vec![accepted(0, &lead(1)), routed(0, 1, &["crm"], 0)];
    for n in 0..300 {
        events.push(deferred(n, 1, "crm", 0, 0));
        events.push(event(n, Fact::Duplicate { lead: lead_id(1), source: "addon".to_owned() }));
    }
    store.record(events, vec![]).await.expect("recorded");
    let page = store.leads(Filter::default(), 10, None).await.expect("a page");
    assert_eq!(page.items[0].duplicates, 300);
    drop(store);
    let db = Connection::open(dir.path().join("ledger.db")).expect("the database");
    let kept: i64 = db.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).expect("a count");
    assert_eq!(kept, 202);
}

#[test]
fn a_second_ledger_is_refused_and_told_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Store::open(dir.path()).expect("a store");
    let error = Store::open(dir.path()).expect_err("a second one");
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().contains("another leadrelay has the ledger"), "{error}");
    drop(first);
    Store::open(dir.path()).expect("free again");
}

#[tokio::test]
async fn an_earlier_schema_is_brought_up_to_date_with_what_it_holds() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let cause = PauseCause::Failing { error: down() };
    let paused = Fact::Paused { destination: "crm".to_owned(), cause, until: None };
    let under_way = [event(1, paused), accepted(1, &lead(1)), routed(2, 1, &["crm"], 0)];
    store.record(under_way.to_vec(), Vec::new()).await.expect("stored");
    drop(store);
    let db = Connection::open(dir.path().join("ledger.db")).expect("the database");
    let to_2 = "DROP INDEX delivery_open; DROP INDEX parked_group; DROP TABLE alert; DROP TABLE alert_message;
        ALTER TABLE delivery DROP COLUMN route; ALTER TABLE delivery DROP COLUMN open_since; PRAGMA user_version = 2";
    db.execute_batch(to_2).expect("as it was");
    drop(db);
    drop(Store::open(dir.path()).expect("it is brought up to date"));
    let db = Connection::open(dir.path().join("ledger.db")).expect("the database");
    db.execute_batch(to_2).expect("as it was");
    let to_1 = "ALTER TABLE destination DROP COLUMN unfit; ALTER TABLE destination DROP COLUMN unfit_at; PRAGMA user_version = 1";
    db.execute_batch(to_1).expect("as it was");
    drop(db);
    let store = Store::open(dir.path()).expect("it is brought up to date");
    let unfit = vec![Note::new("routes[0].fields.jobtitle", "`crm` has no such field")];
    let checked = Fact::Checked { destination: "crm".to_owned(), unfit: unfit.clone() };
    store.record(vec![event(2, checked)], Vec::new()).await.expect("stored");
    let crm = store.destinations().await.expect("read").remove("crm").expect("it is known");
    assert!(crm.failing.is_some() && crm.unfit == unfit, "{crm:?}");
    // What was under way is known by its route with its next fact.
    store.record(vec![deferred(3, 1, "crm", 0, 1)], Vec::new()).await.expect("stored");
    let open = store.open_deliveries("crm".to_owned(), "customers".to_owned(), at(5)).await.expect("read");
    assert_eq!(open, Some(Open { oldest: at(1), late: 1 }));
}

#[test]
fn a_later_schema_and_a_file_that_is_no_database_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(Store::open(dir.path()).expect("a store"));
    let db = Connection::open(dir.path().join("ledger.db")).expect("the database");
    db.pragma_update(None, "user_version", 99).expect("a version");
    drop(db);
    let error = Store::open(dir.path()).expect_err("a later one");
    assert!(error.to_string().contains("schema 99, this one knows up to 3"), "{error}");
    assert!(error.to_string().contains("upgrade leadrelay"), "{error}");

    std::fs::write(dir.path().join("ledger.db"), vec![b'x'; 8192]).expect("written");
    let error = Store::open(dir.path()).expect_err("no database");
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[cfg(unix)]
#[test]
fn others_on_the_machine_cannot_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let _store = Store::open(dir.path()).expect("a store");
    for name in ["ledger.db", "ledger.db-wal"] {
        let mode = std::fs::metadata(dir.path().join(name)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}
