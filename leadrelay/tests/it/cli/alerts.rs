//! `leadrelay alerts`, against a running relay.

use serde_json::Value;

use super::support::{Home, TOKEN};
use super::up::Up;

/// How often something is asked for before it is given up: each time is a process.
const PATIENCE: usize = 2000;

/// Test leads match no route and are parked, which is told at once.
fn home(more: &str) -> Home {
    Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'out'\n\
         [[routes]]\nname = 'real'\nwhen = 'not lead.test'\nto = 'inbox'\n[alerts]\ngrace = '0s'\n{more}"
    ))
}

#[test]
fn what_is_wrong_is_listed_and_a_test_says_that_nobody_is_told() {
    let home = home("");
    let up = Up::start(&home);
    let sent = up.ask(&home, &["send", "--to", up.after("listening for leads at ")]);
    assert_eq!(sent.code, 1, "{}", sent.told());
    let listed = || -> Value {
        let ran = up.ask(&home, &["alerts", "list", "--json"]);
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.told()))
    };
    let found = (0..PATIENCE).map(|_| listed()).find(|alerts| alerts["current"][0]["state"] == "active");
    let alert = found.expect("it is told")["current"][0].clone();
    assert_eq!((&alert["kind"], &alert["subject"]), (&"parked".into(), &"unmatched".into()), "{alert:#}");
    let shown = up.ask(&home, &["alerts"]);
    for told in ["KIND", "told", "1 lead is parked: no route matches them", "/parked?reason=unmatched"] {
        assert!(shown.code == 0 && shown.out.contains(told), "{told} in {}", shown.told());
    }
    let tested = up.ask(&home, &["alerts", "test"]);
    assert!(tested.code == 1 && tested.err.contains("[alerts.mail]"), "{}", tested.told());
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}

#[test]
fn a_test_says_whom_it_does_not_reach_and_shows_no_secret() {
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let home = home(&format!(
        "[alerts.mail]\nserver = '127.0.0.1'\nport = {port}\ntls = 'none'\nuser = 'relay'\npassword = 'hunter2'\n\
         from = 'leadrelay@example.com'\nto = ['ops@example.com']\n"
    ));
    let up = Up::start(&home);
    let tested = up.ask(&home, &["alerts", "test"]);
    assert_eq!(tested.code, 1, "{}", tested.told());
    assert!(tested.out.contains(&format!("mail: not sent: no connection to 127.0.0.1:{port}")), "{}", tested.told());
    let tested = up.ask(&home, &["alerts", "test", "--json"]);
    let said: Value = serde_json::from_str(&tested.out).expect("JSON");
    assert_eq!((tested.code, &said[0]["sent"]), (1, &false.into()), "{}", tested.told());
    assert!(!tested.told().contains("hunter2"));
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}
