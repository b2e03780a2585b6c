//! What the program says of itself, and what it says where no relay is.

use super::support::Home;

#[test]
fn without_arguments_it_explains_itself() {
    let ran = Home::empty().run(&[]);
    assert_eq!(ran.code, 0);
    for told in ["First steps", "leadrelay up", "leads list", "Exit codes"] {
        assert!(ran.out.contains(told), "{told} in {}", ran.out);
    }
}

#[test]
fn a_wrong_call_is_told_with_exit_code_2() {
    let ran = Home::empty().run(&["leds"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("leads"), "{}", ran.err);
}

#[test]
fn the_schema_is_one_and_knows_the_connectors() {
    let ran = Home::empty().run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let file = &schema["$defs"]["destination-file"]["properties"];
    assert!(file["path"].is_object() && file["concurrency"].is_object(), "{file}");
    let connectors = &schema["properties"]["destinations"]["additionalProperties"]["properties"]["connector"]["enum"];
    assert_eq!(*connectors, serde_json::json!(["dynamics", "file", "hubspot", "salesforce", "webhook"]));
}

#[test]
fn every_shell_completes() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Home::empty().run(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("leadrelay"), "{shell}");
    }
}

/// The pages of a command and of those below it, as its help lists them.
fn pages(home: &Home, above: &[&str]) -> Vec<String> {
    let help = home.run(&[above, &["--help"]].concat());
    assert_eq!(help.code, 0, "{above:?}: {}", help.told());
    let own = format!("{}.1", [&["leadrelay"], above].concat().join("-"));
    let list = help.out.split_once("\nCommands:\n").map(|(_, list)| list).unwrap_or_default();
    let names = list.lines().take_while(|l| !l.is_empty());
    let names = names.filter_map(|l| l.strip_prefix("  ").filter(|l| !l.starts_with(' '))?.split(' ').next());
    std::iter::once(own).chain(names.flat_map(|name| pages(home, &[above, &[name]].concat()))).collect()
}

#[test]
fn every_command_has_a_manual_page() {
    let home = Home::empty();
    let mut wanted = pages(&home, &[]);
    assert!(wanted.len() > 40, "{wanted:?}");
    let told = home.run(&["man", "--output", "man/pages"]);
    assert_eq!((told.code, told.out), (0, format!("{} pages in man/pages\n", wanted.len())), "{}", told.err);
    let written = std::fs::read_dir(home.path("man/pages")).expect("a directory");
    let mut written: Vec<String> =
        written.map(|page| page.expect("a page").file_name().into_string().expect("a name")).collect();
    wanted.sort();
    written.sort();
    assert_eq!(written, wanted);
    let page = home.read("man/pages/leadrelay-leads-list.1");
    assert!(page.contains(".TH leadrelay-leads-list 1") && page.contains("newest first"), "{page}");
    let first = home.run(&["man"]);
    assert!(first.code == 0 && first.out.contains(".TH leadrelay 1"), "{}", first.told());
}

#[test]
fn without_a_relay_the_remedy_is_told() {
    let home = Home::with("");
    insta::assert_snapshot!(home.run(&["leads", "list"]).told(), @r##"
error: the admin token data/admin.token cannot be read: No such file or directory (os error 2); `leadrelay up` makes it, --config names another relay's configuration, and the variable LEADRELAY_TOKEN may hold the token itself
exit code 1
"##);
    // Port 9 is "discard": nothing that speaks HTTP is there.
    home.write("data/admin.token", "0123456789abcdef");
    let ran = home.run(&["leads", "list", "--address", "127.0.0.1:9"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is `leadrelay up` running?") && !ran.err.contains("0123456789abcdef"), "{}", ran.err);
}

#[test]
fn a_replay_of_everything_must_be_asked_for() {
    let ran = Home::with("").run(&["replay"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--all"), "{}", ran.err);
}
