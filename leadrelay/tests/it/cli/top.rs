//! `leadrelay top`, where there is no terminal: one look, and then it ends.

use serde_json::Value;

use super::support::{Home, TOKEN};
use super::up::Up;

#[test]
fn without_a_terminal_it_is_one_look() {
    let home = Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'out'\n\
         [[routes]]\nname = 'all'\nto = 'inbox'\n"
    ));
    let up = Up::start(&home);
    let sent = up.ask(&home, &["send", "--to", up.after("listening for leads at ")]);
    assert_eq!(sent.code, 0, "{}", sent.told());
    let shown = up.ask(&home, &["top"]);
    assert_eq!(shown.code, 0, "{}", shown.told());
    for told in ["SOURCE", "addon   1", "DESTINATION", "inbox        ready", "leads   delivered 1", "parked  none"] {
        assert!(shown.out.contains(told), "{told} in {}", shown.told());
    }
    let look: Value = serde_json::from_str(&up.ask(&home, &["top", "--json"]).out).expect("JSON");
    assert_eq!(
        (&look["sources"][0]["leads"], &look["destinations"][0]["name"]),
        (&1.into(), &"inbox".into()),
        "{look:#}"
    );
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}
