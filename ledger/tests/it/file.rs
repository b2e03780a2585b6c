//! What is so only where the store is a file.

use std::time::Duration;

use leadrelay_ledger::api::types::Page;
use leadrelay_ledger::store::{Open, OpenError, Store};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::event::{Fact, PauseCause};
use leadrelay_shared::fields::Note;
use rusqlite::Connection;

use crate::fixtures::*;
use crate::harness::Ledger;
use crate::stand::OnFile;

const DAY: Duration = Duration::from_secs(24 * 3600);

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
    let to_2 = "DROP INDEX delivery_open; DROP INDEX parked_group; DROP TABLE alert; DROP TABLE alert_message; DROP TABLE audit;
        DROP TABLE erased; DROP INDEX payload_sealed; ALTER TABLE payload DROP COLUMN sealed;
        DROP INDEX parked_sealed; ALTER TABLE parked DROP COLUMN sealed;
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
    let checked = Fact::Checked { destination: "crm".to_owned(), unfit: unfit.clone(), error: None };
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

#[tokio::test]
async fn forgetting_many_gives_the_room_back() {
    let clock = Clock::manual(start());
    let ledger = Ledger::<OnFile>::with("", clock.clone()).await;
    ledger.tell(&many(), &[]).await;
    let free = || {
        let db = ledger.stand.connection();
        let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0)).expect("a count");
        pages
    };
    let before = free();
    clock.advance(401 * DAY);
    ledger
        .until("everything is forgotten and the file is small", async || {
            clock.advance(Duration::from_mins(10));
            ledger.get("/api/v1/leads").await.ok::<Page<serde_json::Value>>().items.is_empty() && free() < before / 4
        })
        .await;
}

#[tokio::test]
async fn nothing_of_a_sealed_payload_can_be_read_in_the_files() {
    let readable = async |keys: &[[u8; 32]]| {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store").sealing(keys);
        let (event, message) = quarantined(10, &faulty(2));
        store.record(vec![accepted(1, &lead(1)), accepted(1, &faulty(2)), event], vec![message]).await.expect("stored");
        let files = std::fs::read_dir(dir.path()).expect("files").map(|file| file.expect("a file").path());
        let bytes: Vec<u8> = files.flat_map(|file| std::fs::read(file).expect("its bytes")).collect();
        // The number is in the body of one and in no column; the other is nothing but what was sent.
        let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        (has("555 0100"), has(r#"{"LeadSource": "x""#), has(r#"{\"LeadSource\": \"x\""#))
    };
    let (body, faulty, waits) = readable(&[]).await;
    assert!(body && faulty && waits, "it is there to be read without a key: {body} {faulty} {waits}");
    assert_eq!(readable(&[[1; 32]]).await, (false, false, false));
}
