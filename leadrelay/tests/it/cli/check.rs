//! `leadrelay check`.

use super::support::{Home, TOKEN};

#[test]
fn a_sound_configuration_is_counted() {
    let home = Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'out'\n\
         [[routes]]\nname = 'all'\nto = 'inbox'\n"
    ));
    insta::assert_snapshot!(home.run(&["check"]).told(), @r##"
ok: 1 source, 1 route, 1 destination
exit code 0
"##);
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
    insta::assert_snapshot!(ran.told(), @r##"
leadrelay.toml:1: data_dri: unknown key; did you mean `data_dir`?
leadrelay.toml:3: ingest.listen: must be an IP address and a port, such as "127.0.0.1:8080"
leadrelay.toml:6: sources.addon.schema: the schema missing.schema.json cannot be read: No such file or directory (os error 2)
leadrelay.toml:8: sources.other.tokens[0]: the secret file missing.token cannot be read: No such file or directory (os error 2); `leadrelay source rotate other` makes one
leadrelay.toml:9: destinations.inbox: `path` is missing
leadrelay.toml:11: destinations.inbox.pth: unknown key; did you mean `path`?
leadrelay.toml:13: destinations.partner.connector: there is no connector `webhok`; did you mean `webhook`?
leadrelay.toml:14: destinations.hook: `secret` does not start with whsec_; make one with: echo whsec_$(openssl rand -base64 32)
leadrelay.toml:20: routes[0].from[0]: there is no source `adon`; did you mean `addon`?
leadrelay.toml:21: routes[0].when: unexpected end of input, expected expression
leadrelay.toml:22: routes[0].to: there is no destination `inbx`; did you mean `inbox`?
leadrelay.toml:24: routes[0].fields.name: a lead has no `last_nme`; did you mean `lead.last_name`?
exit code 2
"##);
}

#[test]
fn mistakes_are_told_to_programs_as_json() {
    let home = Home::with("[log]\nformat = 'yaml'\n");
    let ran = home.run(&["check", "--json"]);
    insta::assert_snapshot!(ran.told(), @r##"
{
  "ok": false,
  "mistakes": [
    {
      "key": "log.format",
      "line": 2,
      "reason": "must be \"human\" or \"json\""
    }
  ],
  "queue": [],
  "destinations": []
}
exit code 2
"##);
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_remedy() {
    insta::assert_snapshot!(Home::empty().run(&["check", "--config", "other.toml"]).told(), @r##"
other.toml: cannot be read: No such file or directory (os error 2); `leadrelay up` writes one to begin with, and --config names another
exit code 2
"##);
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

#[test]
fn a_destination_that_does_not_answer_fails_the_check() {
    let home = Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'taken/out'\n"
    ));
    home.write("taken", "a file where a directory would have to be");
    let ran = home.run(&["check", "--live"]);
    assert_eq!(ran.code, 1, "{}", ran.told());
    assert!(
        ran.out.starts_with("inbox: ") && !ran.out.contains("answers") && !ran.out.contains("ok:"),
        "{}",
        ran.told()
    );
    let ran = home.run(&["check", "--live", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.code, &told["ok"], &told["mistakes"]), (1, &false.into(), &serde_json::json!([])), "{told:#}");
    assert!(told["destinations"][0]["error"].is_object(), "{told:#}");
}
