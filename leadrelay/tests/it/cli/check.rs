//! `leadrelay check`.

use super::support::{Home, TOKEN};

#[test]
fn a_sound_configuration_is_counted() {
    let home = Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'out'\n\
         [[routes]]\nname = 'all'\nto = 'inbox'\n"
    ));
    insta::assert_snapshot!(home.run(&["check"]).told(), @"");
}

#[test]
fn every_mistake_of_every_kind_is_told_at_once() {
    let home = Home::with(&format!(
        r#"data_dri = "data"
[ingest]
listen = "localhost:8080"
[sources.addon]
tokens = ["{TOKEN}"]
schema = "missing.schema.json"
[sources.other]
tokens = [{{ file = "missing.token" }}]
[destinations.inbox]
connector = "file"
pth = "out"
[destinations.partner]
connector = "webhok"
[destinations.hook]
connector = "webhook"
url = "https://partner.example.com/leads"
secret = "not-a-signing-secret"
[[routes]]
name = "all"
from = ["adon"]
when = "lead.test and"
to = "inbx"
[routes.fields]
name = "{{{{ lead.last_nme }}}}"
"#
    ));
    let ran = home.run(&["check"]);
    assert!(!ran.told().contains(TOKEN) && !ran.told().contains("not-a-signing-secret"), "{}", ran.told());
    insta::assert_snapshot!(ran.told(), @"");
}

#[test]
fn mistakes_are_told_to_programs_as_json() {
    let home = Home::with("[log]\nformat = 'yaml'\n");
    let ran = home.run(&["check", "--json"]);
    insta::assert_snapshot!(ran.told(), @"");
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_remedy() {
    insta::assert_snapshot!(Home::empty().run(&["check", "--config", "other.toml"]).told(), @"");
}

#[test]
fn destinations_are_asked_on_demand() {
    let home = Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'out'\n"
    ));
    let ran = home.run(&["check", "--live"]);
    assert_eq!(ran.code, 0, "{}", ran.told());
    assert!(ran.out.contains("inbox: answers"), "{}", ran.out);
}
