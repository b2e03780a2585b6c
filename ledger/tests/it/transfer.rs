//! A history out of a file into PostgreSQL: all of it, once, however often the move begins again.

use leadrelay_ledger::api::types::Filter;
use leadrelay_ledger::store::{Moved, Store};
use leadrelay_shared::event::{Fact, PauseCause};

use crate::fixtures::*;
use crate::stand::{OnFile, OnPostgres, Stand as _};

/// All that the store's readers tell.
async fn told(store: &Store) -> String {
    let leads = store.leads(Filter::default(), 2000, None).await.expect("read").items;
    let mut kept = Vec::new();
    for lead in leads.iter().step_by(97) {
        kept.push(format!("{:?}", store.kept(lead.id).await.expect("read")));
    }
    let parked = store.parked_rows(Filter::default(), 200, None).await.expect("read").0;
    let sources = store.sources(vec!["addon".to_owned()]).await.expect("read");
    let (counts, names) = (store.counts().await.expect("read"), store.destinations().await.expect("read"));
    let paused = store.paused().await.expect("read");
    let items: Vec<_> = parked.iter().map(|row| (&row.item, &row.waiting, row.lead_round)).collect();
    format!("{}\n{kept:?}\n{items:?}\n{sources:?}\n{counts:?}\n{names:?}\n{paused:?}", serde_json::json!(leads))
}

/// A file with delivered, parked, quarantined and resent leads.
async fn filled(file: &OnFile) -> Store {
    let store = file.store().await;
    store.record(many(), Vec::new()).await.expect("recorded");
    let (event_1, message_1) = parked(10, 2001, "partner", 0);
    let (event_2, message_2) = quarantined(11, &faulty(2002));
    let cause = PauseCause::Failing { error: down() };
    let others = vec![
        accepted(1, &lead(2001)),
        accepted(1, &faulty(2002)),
        event_1,
        event_2,
        event(12, Fact::Duplicate { lead: lead_id(3), source: "addon".to_owned() }),
        event(13, Fact::Paused { destination: "partner".to_owned(), cause, until: None }),
    ];
    store.record(others, vec![message_1, message_2]).await.expect("recorded");
    store.pause("crm".to_owned(), "holiday".to_owned(), at(14)).await.expect("recorded");
    store
}

async fn rest(from: &Store, to: &Store) -> Moved {
    loop {
        let moved = from.move_some(to).await.expect("moved");
        if moved.done {
            return moved;
        }
    }
}

#[tokio::test]
async fn all_of_it_arrives_once_though_the_move_ends_half_way() {
    let (file, on) = (OnFile::new(), OnPostgres::new());
    let from = filled(&file).await;
    let to = on.store().await;
    for wanted in [100, 200, 300] {
        assert_eq!(from.move_some(&to).await.expect("moved"), Moved { leads: wanted, done: false });
    }
    // Another process goes on.
    drop((from, to));
    let (from, to) = (file.store().await, on.store().await);
    assert_eq!(rest(&from, &to).await, Moved { leads: 1002, done: true });
    assert_eq!(told(&to).await, told(&from).await);
    for table in ["lead", "payload", "delivery", "event", "parked"] {
        let count = |rows: Vec<String>| rows.len();
        let sql = format!("SELECT lead FROM {table}").replace("lead FROM lead", "no FROM lead");
        assert_eq!(count(on.rows(&sql)), count(file.rows(&sql)), "{table}");
    }
    // It is a ledger's from now on, which knows what it has been told.
    to.record(many(), Vec::new()).await.expect("recorded");
    assert_eq!(told(&to).await, told(&from).await);
    let error = from.move_some(&to).await.expect_err("it is done").to_string();
    assert!(error.contains("has a history already") && error.contains("name an empty database"), "{error}");
}

#[tokio::test]
async fn what_is_there_already_is_left_alone() {
    let (file, on) = (OnFile::new(), OnPostgres::new());
    let (from, to) = (filled(&file).await, on.store().await);
    to.pause("crm".to_owned(), "since monday".to_owned(), at(1)).await.expect("recorded");
    let error = from.move_some(&to).await.expect_err("it is not empty").to_string();
    assert!(error.contains("has a history already"), "{error}");

    let on = OnPostgres::new();
    let to = on.store().await;
    from.move_some(&to).await.expect("moved");
    let other = OnFile::new();
    let another = other.store().await;
    another.record(vec![accepted(1, &lead(5))], Vec::new()).await.expect("recorded");
    let error = another.move_some(&to).await.expect_err("it is another one").to_string();
    assert!(error.contains("a part of another history"), "{error}");

    to.record(vec![accepted(1, &lead(2001))], Vec::new()).await.expect("a ledger runs");
    let error = loop {
        match from.move_some(&to).await {
            Ok(moved) => assert!(!moved.done),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("stop it, and move into an empty database"), "{error}");
}

#[tokio::test]
async fn what_is_sealed_moves_as_it_is_and_opens_there_with_the_same_key() {
    const KEY: [u8; 32] = [7; 32];
    let (file, on) = (OnFile::new(), OnPostgres::new());
    let from = file.store().await.sealing(&[KEY]);
    let (event, message) = parked(10, 2, "partner", 0);
    from.record(vec![accepted(1, &lead(1)), accepted(1, &lead(2)), event], vec![message]).await.expect("recorded");
    let wanted = told(&from).await;
    drop(from);
    // Whoever moves it needs no key.
    let (from, to) = (file.store().await, on.store().await);
    rest(&from, &to).await;
    assert!(to.kept(lead_id(1)).await.is_err_and(|error| error.to_string().contains("add it to ledger.payload_key")));
    let to = to.sealing(&[KEY]);
    assert_eq!(told(&to).await, wanted);
    assert_eq!(to.kept(lead_id(2)).await.expect("read").expect("known").lead.expect("kept").body, lead(2).body);
}
