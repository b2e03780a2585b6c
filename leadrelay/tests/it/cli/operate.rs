//! The commands that look at leads and send them on their way again, against a running relay.

use serde_json::Value;

use super::support::{Home, Ran, TOKEN};
use super::up::Up;

/// How often something is asked for before it is given up: each time is a process.
const PATIENCE: usize = 1000;

/// Test leads match no route and are parked.
fn home() -> Home {
    Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'out'\n\
         [[routes]]\nname = 'real'\nwhen = 'not lead.test'\nto = 'inbox'\n"
    ))
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.told()))
}

fn ask(up: &Up, home: &Home, args: &[&str]) -> Value {
    let ran = up.ask(home, &[args, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.told());
    json(&ran)
}

/// Posts a lead and gives its id.
fn send(up: &Up, home: &Home, args: &[&str], code: i32) -> String {
    let to = up.after("listening for leads at ");
    let sent = up.ask(home, &[&["send", "--json", "--to", to], args].concat());
    assert_eq!(sent.code, code, "{}", sent.told());
    let first: Value = serde_json::from_str(sent.out.lines().next().expect("a line")).expect("JSON");
    first["id"].as_str().expect("an id").to_owned()
}

fn ids(page: &Value, key: &str) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item[key].as_str().expect("an id").to_owned()).collect()
}

/// Waits until so many are parked and this lead has been through so often.
fn until_parked_again(up: &Up, home: &Home, lead: &str, round: u64, all: usize) {
    let mut last = Value::Null;
    for _ in 0..PATIENCE {
        let shown = ask(up, home, &["leads", "show", lead]);
        last = ask(up, home, &["parked", "list"]);
        let back = shown["lead"]["round"] == round && shown["lead"]["state"] == "unmatched";
        if back && ids(&last, "lead").len() == all {
            return;
        }
    }
    panic!("{lead} was not parked again: {last:#}");
}

#[test]
fn what_is_parked_is_shown_released_and_replayed() {
    let home = home();
    let up = Up::start(&home);
    let none = ask(&up, &home, &["replay", "--all", "--yes"]);
    assert_eq!(none, serde_json::json!({"count": 0, "refused": {}}));

    let released = send(&up, &home, &[], 1);
    let replayed = send(&up, &home, &[], 1);
    let third = send(&up, &home, &[], 1);
    until_parked_again(&up, &home, &third, 0, 3);

    let shown = up.ask(&home, &["parked", "show", &released]);
    assert_eq!(shown.code, 0, "{}", shown.told());
    for told in [&*released, "addon", "why", "MSFT_TEST_", "parked release", "parked repair"] {
        assert!(shown.out.contains(told), "{told} in {}", shown.told());
    }
    let item = ask(&up, &home, &["parked", "show", &released]);
    assert_eq!((&item["lead"], &item["reason"]["kind"]), (&released.clone().into(), &"unmatched".into()), "{item:#}");

    let told = up.ask(&home, &["parked", "release", &released]);
    assert!(told.code == 0 && told.out.contains("is released"), "{}", told.told());
    until_parked_again(&up, &home, &released, 1, 3);

    let told = ask(&up, &home, &["replay", &replayed]);
    assert_eq!(told, serde_json::json!({"count": 1, "refused": {}}));
    until_parked_again(&up, &home, &replayed, 1, 3);

    let told = up.ask(&home, &["replay", "--all", "--reason", "unmatched", "--source", "addon", "--yes"]);
    assert!(told.code == 0 && told.out.contains("3 items on the way again"), "{}", told.told());
    assert!(told.err.contains("3 parked items match"), "{}", told.told());
    for (lead, round) in [(&released, 2), (&replayed, 2), (&third, 1)] {
        until_parked_again(&up, &home, lead, round, 3);
    }
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}

#[test]
fn filters_find_the_leads_that_they_name() {
    let home = home();
    let up = Up::start(&home);
    let tests = [send(&up, &home, &[], 1), send(&up, &home, &[], 1)];
    // A sample is followed to its end, and that is a delivery.
    let sample = send(&up, &home, &["--sample"], 0);
    let found = |args: &[&str]| {
        let mut ids = ids(&ask(&up, &home, &[&["leads", "list"], args].concat()), "id");
        ids.sort();
        ids
    };
    let sorted = |ids: &[&String]| {
        let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        ids.sort();
        ids
    };
    let (parked, all) = (sorted(&[&tests[0], &tests[1]]), sorted(&[&tests[0], &tests[1], &sample]));
    assert_eq!(found(&["--state", "unmatched"]), parked);
    assert_eq!(found(&["--state", "delivered"]), std::slice::from_ref(&sample));
    assert_eq!(found(&["--destination", "inbox"]), std::slice::from_ref(&sample));
    assert_eq!(found(&["--source", "addon"]), all);
    assert_eq!(found(&["--source", "other"]), [""; 0]);
    assert_eq!(found(&["--since", "1h"]), all);
    assert_eq!(found(&["--until", "1h"]), [""; 0]);
    assert_eq!(found(&["--find", "robin"]), std::slice::from_ref(&sample));
    assert_eq!(found(&["--find", "robin", "--state", "unmatched"]), [""; 0]);
    let first = ask(&up, &home, &["leads", "list", "--limit", "2"]);
    let rest = found(&["--cursor", first["next"].as_str().expect("there are more")]);
    let mut both = [ids(&first, "id"), rest.clone()].concat();
    both.sort();
    assert_eq!((rest.len(), both), (1, all));
    assert_eq!(up.ask(&home, &["leads", "list", "--state", "lost"]).code, 2);

    let destinations = ask(&up, &home, &["destinations"]);
    let inbox = &destinations[0];
    assert_eq!((&inbox["name"], &inbox["connector"]), (&"inbox".into(), &"file".into()), "{inbox:#}");
    assert_eq!((&inbox["delivered"], &inbox["paused"]), (&1.into(), &false.into()), "{inbox:#}");
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}
