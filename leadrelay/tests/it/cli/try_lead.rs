//! `leadrelay try`.

use super::support::{Home, TOKEN};

fn home() -> Home {
    Home::with(&format!(
        r#"
[sources.addon]
tokens = ["{TOKEN}"]

[destinations.inbox]
connector = "file"
path = "out"

[[routes]]
name = "trials"
when = "lead.action == 'StartTestDrive'"
to = "inbox"

[[routes]]
name = "customers"
when = "not lead.test and not lead.do_not_contact"
to = "inbox"

[routes.fields]
topic = "{{{{ lead.offer_title }}}} ({{{{ lead.company or 'company unknown' }}}})"
last_name = "{{{{ lead.last_name or '(unknown)' }}}}"
phone = "{{{{ lead.phone }}}}"
rating = 3
"#
    ))
}

const LEAD: &str = r#"{"userdetails": {"LastName": "Lee", "Email": "lee@example.com", "Phone": ""},
    "LeadSource": "AzureMarketplace-INS|contoso.addin", "OfferTitle": "Add-in"}"#;

#[test]
fn the_record_of_each_destination_is_shown_and_nothing_is_sent() {
    let home = home();
    let ran = home.run_with_input(&["try"], LEAD.as_bytes());
    insta::assert_snapshot!(ran.told(), @r##"
from addon: it is a lead and would be delivered
route trials to inbox: does not match (when: its condition is not met)
route customers to inbox: delivers

inbox would get
{
  "topic": "Add-in (company unknown)",
  "last_name": "Lee",
  "rating": 3
}
  phone: empty, left out
exit code 0
"##);
    assert!(!home.path("out").exists() && !home.path("data").exists());
}

#[test]
fn what_is_not_a_lead_is_told_by_pointer() {
    let ran = home()
        .run_with_input(&["try", "-", "--source", "addon"], br#"{"UserDetails": {"Email": 7}, "OfferTitle": []}"#);
    insta::assert_snapshot!(ran.told(), @r##"
from addon: it is not a lead and would be parked for repair
  /UserDetails/Email: must be a string, is a number
  /OfferTitle: must be a string, is an array
exit code 0
"##);
}

#[test]
fn a_lead_that_no_route_matches_is_told_so() {
    let ran = home().run_with_input(&["try"], br#"{"LeadSource": "SPZA-DNC|contoso.addin"}"#);
    insta::assert_snapshot!(ran.told(), @r##"
from addon: it is a lead, but no route matches it and it would be parked
route trials to inbox: does not match (when: its condition is not met)
route customers to inbox: does not match (when: its condition is not met)
exit code 0
"##);
}

#[test]
fn programs_get_the_same_as_json() {
    let home = home();
    home.write("lead.json", LEAD);
    let ran = home.run(&["try", "lead.json", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(told["outcome"], "routed");
    assert_eq!(told["deliveries"][0]["destination"], "inbox");
    assert_eq!(told["deliveries"][0]["record"]["rating"], 3);
}

#[test]
fn a_source_that_does_not_exist_is_a_mistake_in_the_call() {
    insta::assert_snapshot!(home().run(&["try", "--source", "adon"]).told(), @r##"
error: there is no source `adon`; did you mean `addon`?
exit code 2
"##);
}
