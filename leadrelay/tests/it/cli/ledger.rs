//! `leadrelay ledger move` into a real PostgreSQL, ended in the middle; and keys for payloads.

use jiff::Timestamp;
use leadrelay_ledger::store::Store;
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::id::LeadId;
use leadrelay_shared::lead::{Format, Lead};
use leadrelay_testkit::postgres;

use super::support::Home;

const LEADS: u32 = 450;

/// A directory with a configuration, and with a history where `leads` is more than none.
async fn home(config: &str, leads: u32) -> Home {
    let home = Home::with(config);
    if leads > 0 {
        let events: Vec<Event> = (0..leads).map(accepted).collect();
        let store = Store::open(&home.path("data")).expect("a store");
        store.record(events, Vec::new()).await.expect("recorded");
    }
    home
}

fn accepted(n: u32) -> Event {
    let at = Timestamp::from_second(1_790_000_000 + i64::from(n)).expect("a time");
    let lead = Lead {
        id: LeadId::derive(&[b"move", &n.to_be_bytes()]),
        source: "addon".to_owned(),
        format: Format::Json,
        received_at: at,
        body: format!(r#"{{"email": "ann{n}@example.com"}}"#).into(),
        faults: Vec::new(),
        round: 0,
    };
    Event { at, fact: Fact::Accepted { lead } }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_goes_on_where_it_was() {
    let cluster = postgres::shared();
    let database = cluster.database();
    let config = format!("[ledger]\nurl = \"{}\"\npassword = \"{}\"\n", database.url, database.password);
    let home = home(&config, LEADS).await;
    let killed = home.command(&["ledger", "move"]).env("FAILPOINTS", "ledger::move_between=1*off->return").output();
    assert_eq!(killed.expect("it runs").status.code(), None, "it was ended in the middle");
    let count = |sql: &str| cluster.sql(&database.name, &format!("SELECT count(*) FROM {sql}"));
    assert_eq!(count("lead"), "200");

    let ran = home.run(&["ledger", "move", "--json"]);
    assert_eq!((ran.code, ran.out.trim()), (0, "{\n  \"leads\": 450\n}"), "{}", ran.told());
    assert_eq!((count("lead"), count("event"), count("payload")), ("450".into(), "450".into(), "450".into()));

    let ran = home.run(&["ledger", "move"]);
    assert!(ran.code == 1 && ran.err.contains("has a history already"), "{}", ran.told());
    assert!(!ran.told().contains(database.password), "{}", ran.told());
}

#[tokio::test]
async fn what_is_missing_is_told_with_the_remedy() {
    let ran = home("", 1).await.run(&["ledger", "move"]);
    assert!(ran.code == 2 && ran.err.contains("write there how PostgreSQL is reached"), "{}", ran.told());
    let nowhere = "[ledger]\nurl = \"postgres://relay@127.0.0.1:9/leads\"\n";
    let ran = home(nowhere, 0).await.run(&["ledger", "move"]);
    assert!(ran.code == 1 && ran.err.contains("there is no history to move: "), "{}", ran.told());
    assert!(ran.err.contains("data/ledger.db does not exist"), "{}", ran.told());
    let home = home(nowhere, 1).await;
    let ran = home.run(&["ledger", "move"]);
    assert!(ran.code == 1 && ran.err.contains("it cannot be reached; see that it runs"), "{}", ran.told());
    let _runs = Store::open(&home.path("data")).expect("a ledger");
    let ran = home.run(&["ledger", "move"]);
    assert!(ran.code == 1 && ran.err.contains("another leadrelay has the ledger"), "{}", ran.told());
}

#[test]
fn a_key_is_made_once_and_a_fresh_one_stands_before_it() {
    let home = Home::with("[ledger]\npayload_key = { file = \"keys/payload.key\" }\n");
    let file = home.path("keys/payload.key");
    let lines = || std::fs::read_to_string(&file).expect("a file").lines().map(str::to_owned).collect::<Vec<_>>();
    let told = home.run(&["check"]);
    assert!(told.code == 2 && told.told().contains("payload.key cannot be read"), "{}", told.told());
    let name = file.display().to_string();
    let ran = home.run(&["ledger", "key", "new", &name]);
    assert_eq!(ran.code, 0, "{}", ran.told());
    let first = lines();
    assert_eq!((first.len(), first[0].len()), (1, 44));
    assert!(!ran.told().contains(&first[0]), "no key is shown");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let checked = home.run(&["check"]);
    assert_eq!(checked.code, 0, "{}", checked.told());

    let ran = home.run(&["ledger", "key", "new", &name]);
    assert!(ran.code == 2 && ran.err.contains("--rotate") && lines() == first, "{}", ran.told());
    let ran = home.run(&["ledger", "key", "new", &name, "--rotate", "--json"]);
    assert!(ran.code == 0 && ran.out.contains("\"keys\": 2"), "{}", ran.told());
    let second = lines();
    assert!(second.len() == 2 && second[0].len() == 44 && second[0] != first[0] && second[1] == first[0]);
    assert_eq!(home.run(&["check"]).code, 0);

    let other = home.path("other");
    std::fs::write(&other, "hunter2\n").expect("written");
    let ran = home.run(&["ledger", "key", "new", &other.display().to_string(), "--rotate"]);
    assert!(ran.code == 2 && ran.err.contains("something else than keys") && !ran.told().contains("hunter2"));
    assert_eq!(std::fs::read_to_string(&other).expect("a file"), "hunter2\n");
}
