//! `leadrelay source`.

use std::os::unix::fs::PermissionsExt as _;

use super::support::{Home, TOKEN};

const CONFIG: &str = "\
# Kept: a comment at the top.
data_dir = 'state'   # and one beside a key

[sources.first] # kept as well
tokens = [ { file = 'state/sources/first.token' } ]   # odd  spacing   stays

# before the destinations
[destinations.inbox]
connector = 'file'
path = 'out'

[[routes]]
name = 'all'
from = ['first']
to = 'inbox'
";

fn home() -> Home {
    let home = Home::with(CONFIG);
    home.write("state/sources/first.token", TOKEN);
    home
}

fn url(home: &Home, name: &str) -> String {
    home.run(&["source", "url", name]).out.trim().to_owned()
}

#[test]
fn a_source_is_added_and_everything_else_stays() {
    let home = home();
    std::fs::set_permissions(home.path("leadrelay.toml"), std::fs::Permissions::from_mode(0o640)).expect("chmod");
    let ran = home.run(&["source", "add", "second", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.told());
    assert!(ran.out.contains("No route takes its leads yet"), "{}", ran.out);
    let added = "\n[sources.second]\nformat = \"json\"\ntokens = [{ file = \"state/sources/second.token\" }]\n";
    let config = home.read("leadrelay.toml");
    assert_eq!(config.replace(added, ""), CONFIG, "{config}");
    assert_ne!(config, CONFIG);
    let mode = |name: &str| home.path(name).metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode("leadrelay.toml"), mode("state/sources/second.token")), (0o640, 0o600));
    let token = home.read("state/sources/second.token");
    assert_eq!(url(&home, "second"), format!("http://127.0.0.1:8080/v1/leads/second/{}", token.trim()));
    assert_eq!(home.run(&["check"]).code, 0);
    assert_eq!(home.run(&["source", "add", "second"]).code, 2, "a second time there is one already");
}

#[test]
fn the_first_source_of_a_file_is_added_at_its_end() {
    let home = Home::with("# nothing yet\n");
    assert_eq!(home.run(&["source", "add", "addon"]).code, 0);
    let config = home.read("leadrelay.toml");
    assert!(config.starts_with("# nothing yet\n") && config.contains("\n[sources.addon]\n"), "{config}");
    assert_eq!(home.run(&["check"]).code, 0);
}

#[test]
fn a_name_that_cannot_be_part_of_a_url_is_refused() {
    let home = home();
    for name in ["Upper", "with space", "a/b", "..", ""] {
        assert_eq!(home.run(&["source", "add", name]).code, 2, "{name}");
    }
    assert_eq!(home.read("leadrelay.toml"), CONFIG);
}

#[test]
fn rotating_keeps_the_old_secret_until_it_is_finished() {
    let home = home();
    let old = url(&home, "first");
    assert_eq!(home.run(&["source", "rotate", "first"]).code, 0);
    let new = url(&home, "first");
    assert_ne!(old, new);
    let text = home.read("state/sources/first.token");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[1]), (2, TOKEN));
    assert_eq!(home.run(&["check"]).code, 0);
    assert_eq!(home.run(&["source", "rotate", "first"]).code, 2, "one rotation at a time");
    assert_eq!(home.run(&["source", "rotate", "first", "--finish"]).code, 0);
    assert_eq!(home.read("state/sources/first.token").lines().count(), 1);
    assert_eq!(url(&home, "first"), new);
    assert_eq!(home.run(&["source", "rotate", "first", "--finish"]).code, 2, "there is nothing to finish");
    assert_eq!(home.read("leadrelay.toml"), CONFIG);
}

#[test]
fn a_missing_secret_is_made_by_rotating() {
    let home = Home::with(CONFIG);
    assert_eq!(home.run(&["check"]).code, 2);
    let ran = home.run(&["source", "rotate", "first"]);
    assert_eq!(ran.code, 0, "{}", ran.told());
    assert_eq!(home.run(&["check"]).code, 0);
}

#[test]
fn secrets_that_are_not_in_a_file_are_left_to_their_owner() {
    let home =
        Home::with(&format!("[sources.a]\ntokens = [{{ env = 'A_TOKEN' }}]\n[sources.b]\ntokens = ['{TOKEN}']\n"));
    insta::assert_snapshot!(home.run(&["source", "rotate", "a"]).told(), @r##"
error: the secret of `a` comes from the variable A_TOKEN, which is not ours to change; put a second one beside it in `tokens`, or write tokens = [{ file = "data/sources/a.token" }] and run this again
exit code 2
"##);
    insta::assert_snapshot!(home.run(&["source", "rotate", "b"]).told(), @r##"
error: the secret of `b` stands in the configuration itself; put a second one beside it in `tokens`, or write tokens = [{ file = "data/sources/b.token" }] and run this again
exit code 2
"##);
    insta::assert_snapshot!(home.run(&["source", "rotate", "c"]).told(), @r##"
error: there is no source `c`; `leadrelay source list` shows those there are
exit code 2
"##);
}

#[test]
fn a_list_shows_where_secrets_are_and_not_what_they_are() {
    let home = home();
    let ran = home.run(&["source", "list"]);
    assert!(!ran.told().contains(TOKEN));
    insta::assert_snapshot!(ran.told(), @r##"
NAME   FORMAT       SECRET                     ROUTES
first  marketplace  state/sources/first.token  all
exit code 0
"##);
}

#[test]
fn the_public_url_is_what_the_world_is_told() {
    let home = home();
    home.write("leadrelay.toml", &format!("{CONFIG}\n[ingest]\npublic_url = 'https://leads.example.com/'\n"));
    assert_eq!(url(&home, "first"), format!("https://leads.example.com/v1/leads/first/{TOKEN}"));
}
