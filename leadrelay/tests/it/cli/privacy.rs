//! Erasing, telling what is held, the audit log, and trying other routes, against a running relay.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::support::{Home, Ran, TOKEN};
use super::up::Up;

const ROUTE: &str = "[[routes]]\nname = 'real'\nwhen = 'not lead.test'\nto = 'inbox'\n";

/// Test leads match no route and are parked.
fn home() -> Home {
    Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'out'\n{ROUTE}"
    ))
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.told()))
}

/// Posts a lead and gives its id.
fn send(up: &Up, home: &Home, args: &[&str], code: i32) -> String {
    let to = up.after("listening for leads at ");
    let sent = up.ask(home, &[&["send", "--json", "--to", to], args].concat());
    assert_eq!(sent.code, code, "{}", sent.told());
    let first: Value = serde_json::from_str(sent.out.lines().next().expect("a line")).expect("JSON");
    first["id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_person_is_told_what_is_held_and_erased() {
    let home = home();
    let up = Up::start(&home);
    let (sample, test) = (send(&up, &home, &["--sample"], 0), send(&up, &home, &[], 1));
    let held = json(&up.ask(&home, &["export", "--email", "ROBIN@example.com"]));
    assert_eq!(
        (&held["leads"][0]["lead"]["id"], &held["leads"][1]),
        (&sample.clone().into(), &Value::Null),
        "{held:#}"
    );
    let told = up.ask(&home, &["export", "--phone", "0014255550100", "--output", "held/robin.json"]);
    assert!(told.code == 0 && told.out == "2 leads in held/robin.json\n", "{}", told.told());
    assert_eq!(home.path("held/robin.json").metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let written: Value = serde_json::from_str(&home.read("held/robin.json")).expect("JSON");
    assert_eq!(written["leads"].as_array().map(Vec::len), Some(2), "{written:#}");

    // Nobody is there to be asked, and so nothing happens without --yes.
    let asked = up.ask(&home, &["erase", &test, "--email", "robin@example.com"]);
    assert!(asked.code == 2 && asked.err.contains("--yes erases 2 leads"), "{}", asked.told());
    for told in [&*sample, &*test, "delivered", "unmatched", "robin@example.com"] {
        assert!(asked.out.contains(told), "{told} in {}", asked.told());
    }
    let beginning = up.ask(&home, &["erase", &test[..13], "--yes"]);
    assert!(beginning.code == 2 && beginning.err.contains("in full"), "{}", beginning.told());

    let receipt = up.ask(&home, &["erase", "--email", "Robin@Example.com", "--yes", "--as", "Robin S."]);
    assert_eq!(receipt.code, 0, "{}", receipt.told());
    for told in [&*format!("{sample}: erased, with its body"), "These records remain", "inbox"] {
        assert!(receipt.out.contains(told), "{told} in {}", receipt.told());
    }
    let parked = json(&up.ask(&home, &["erase", &test, "--yes", "--json"]));
    assert_eq!((&parked["leads"][0]["lead"], &parked["leads"][0]["parked"]), (&test.clone().into(), &1.into()));
    let again = up.ask(&home, &["erase", &test, "--yes"]);
    assert!(again.code == 0 && again.out.contains(&format!("{test}: was erased before")), "{}", again.told());

    let none = up.ask(&home, &["export", "--email", "robin@example.com"]);
    assert!(none.code == 0 && none.err.contains("nothing is held"), "{}", none.told());
    let none = up.ask(&home, &["erase", "--email", "robin@example.com"]);
    assert!(none.code == 0 && none.out.contains("nothing was erased"), "{}", none.told());
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}

#[test]
fn what_operators_do_is_taken_down_with_their_names() {
    let home = home();
    let up = Up::start(&home);
    let first = json(&up.ask(&home, &["audit", "--json"]));
    assert_eq!(first["items"], serde_json::json!([]));
    assert_eq!(up.ask(&home, &["destinations", "pause", "inbox", "--as", "Ann"]).code, 0);
    assert_eq!(up.ask(&home, &["destinations", "resume", "inbox", "--as", "Bo"]).code, 0);
    let audit = json(&up.ask(&home, &["audit", "--json"]));
    let told = |n: usize| {
        let entry = &audit["items"][n];
        [&entry["operator"], &entry["via"], &entry["act"], &entry["object"], &entry["outcome"]].map(|v| v.as_str())
    };
    assert_eq!(told(0), ["Bo", "api", "resume", "inbox", "done"].map(Some), "{audit:#}");
    assert_eq!(told(1), ["Ann", "api", "pause", "inbox", "done"].map(Some), "{audit:#}");
    let one = up.ask(&home, &["audit", "--limit", "1"]);
    assert!(one.code == 0 && one.out.contains("Bo") && one.out.contains("more: --cursor"), "{}", one.told());
    assert!(!one.out.contains("Ann"), "{}", one.told());
    assert_eq!(up.ask(&home, &["audit", "--limit", "201"]).code, 2);
    assert_eq!(up.ask(&home, &["audit", "--as", ""]).code, 2);
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}

#[test]
fn other_routes_are_tried_on_what_came_in() {
    let home = home();
    let up = Up::start(&home);
    let sample = send(&up, &home, &["--sample"], 0);
    home.write("same.toml", ROUTE);
    let same = up.ask(&home, &["compare", "same.toml"]);
    assert!(same.code == 0 && same.out.contains("nothing would be different for 1 lead"), "{}", same.told());
    home.write("other.toml", &format!("{ROUTE}[routes.fields]\nname = '{{{{ lead.last_name }}}}'\n"));
    let other = up.ask(&home, &["compare", "other.toml", "--last", "5"]);
    for told in [&sample[..8], "LEAD", "inbox", "name", "Sample", "1 of 1 lead would be different"] {
        assert!(other.code == 0 && other.out.contains(told), "{told} in {}", other.told());
    }
    let other = json(&up.ask(&home, &["compare", "other.toml", "--json"]));
    assert_eq!((&other["leads"], &other["told"][0]["lead"]), (&1.into(), &sample.into()), "{other:#}");
    home.write("wrong.toml", "[[routes]]\nname = 'all'\nto = 'outbox'\n");
    let wrong = up.ask(&home, &["compare", "wrong.toml"]);
    assert!(wrong.code == 1 && wrong.err.contains("there is no destination `outbox`"), "{}", wrong.told());
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}

#[test]
fn a_destination_is_asked_and_its_answer_waited_for() {
    let home = home();
    let up = Up::start(&home);
    let fits = up.ask(&home, &["destinations", "check", "inbox"]);
    assert!(fits.code == 0 && fits.out == "inbox: answers, and the routes fit its fields\n", "{}", fits.told());
    let fits = json(&up.ask(&home, &["destinations", "check", "inbox", "--json"]));
    assert_eq!(fits, serde_json::json!({"name": "inbox", "error": null, "unfit": []}));
    let none = up.ask(&home, &["destinations", "check", "inbix"]);
    assert!(none.code == 1 && none.err.contains("did you mean `inbox`?"), "{}", none.told());

    // A file where its directory was.
    let _ = std::fs::remove_dir_all(home.path("out"));
    home.write("out", "");
    let fails = up.ask(&home, &["destinations", "check", "inbox"]);
    assert!(fails.code == 1 && fails.out.starts_with("inbox: "), "{}", fails.told());
    let fails = up.ask(&home, &["destinations", "check", "inbox", "--json"]);
    assert!(fails.code == 1 && json(&fails)["error"]["kind"].is_string(), "{}", fails.told());
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}
