//! `leadrelay init`: from nothing to a lead in a CRM, by what it prints.

use std::path::Path;
use std::process::{Command, Output};

use leadrelay_shared::clock::Clock;
use leadrelay_testkit::conformance::World as _;
use leadrelay_testkit::{Dataverse, HubSpot, Salesforce, samples};
use serde_json::{Value, json};

use crate::support::poster::Door;
use crate::support::process::Process;
use crate::support::world;

fn leadrelay(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadrelay"));
    command.args(args).current_dir(dir).envs(variables.iter().copied()).output().expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Fills in what `init` wrote: in place of each value of the text, one that leads to a simulated CRM.
fn fill_in(dir: &Path, settings: &Value) {
    let file = dir.join("leadrelay.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let line = |line: &str| {
        let key = line.split_once(" = ").map(|(key, _)| key).filter(|key| settings.get(*key).is_some());
        key.map_or_else(|| line.to_owned(), |key| format!("{key} = {}", settings[key]))
    };
    let filled: Vec<String> = text.lines().map(line).collect();
    let more = "allow_private_addresses = true\nlogin_url = ";
    let login = settings["login_url"].to_string();
    let mut filled = filled.join("\n");
    if settings.get("login_url").is_none() {
        let more = format!("\nallow_private_addresses = true\nurl = {}\ntoken = ", settings["url"]);
        filled = filled.replacen("\ntoken = ", &more, 1);
    } else if !filled.contains("\nlogin_url = ") {
        filled = filled.replacen("\ntenant_id = ", &format!("\n{more}{login}\ntenant_id = "), 1);
    } else {
        filled = filled.replacen("\nlogin_url = ", &format!("\n{more}"), 1);
    }
    std::fs::write(file, filled).expect("written");
}

/// Does what a new user does, up to three leads that were posted: one of a customer, a test lead, and one with nothing but an
/// address that is not to be contacted.
async fn deliver_three(preset: &str, settings: &Value, records: impl Fn() -> usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let made = leadrelay(dir, &["init", "--preset", preset], &[]);
    assert!(made.status.success() && said(&made).contains("fill in: "), "{}", said(&made));
    fill_in(dir, settings);
    let checked = leadrelay(dir, &["check", "--live"], &[]);
    assert!(checked.status.success(), "{}", said(&checked));
    let variables = [("LEADRELAY_INGEST__LISTEN", "127.0.0.1:0"), ("LEADRELAY_ADMIN__LISTEN", "127.0.0.1:0")];
    let mut relay = Process::start(dir, &variables);
    let address = relay.door().await.address;
    let token = std::fs::read_to_string(dir.join("data/sources/marketplace.token")).expect("a token");
    let door = Door { address, path: format!("/v1/leads/marketplace/{}", token.trim()) };
    let mark = "MSFT_TEST_639000000000000000";
    let bodies = [
        samples::lead_json(1),
        json!({"UserDetails": {"FirstName": mark, "LastName": mark, "Email": "test@example.com"}, "LeadSource": "x"}).to_string(),
        json!({"UserDetails": {"Email": "shy@example.com"}, "LeadSource": "AzureMarketplace-DNC|contoso.offer", "ActionCode": "DNC"}).to_string(),
    ];
    let http = world::client();
    for body in bodies {
        let request = http.post(format!("http://{address}{}", door.path)).body(body);
        assert_eq!(world::send(request).await.0, 202);
    }
    let folder = dir.join("data/test-leads");
    world::eventually("two are records and the test lead is a file", async || {
        records() == 2 && std::fs::read_dir(&folder).is_ok_and(|entries| entries.flatten().count() == 1)
    })
    .await;
    relay.signal(libc::SIGTERM);
    assert!(relay.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preset_for_dynamics_delivers_marketplace_leads() {
    let crm = Dataverse::on(Clock::real()).await;
    deliver_three("dynamics", &crm.settings(), || crm.total()).await;
    let rows = crm.environment.rows();
    assert_eq!(rows.len(), 2, "the test lead is none of them");
    let of = |email: &str| {
        rows.iter().find(|row| row.values["emailaddress1"] == email).map(|row| row.values.clone()).expect("its row")
    };
    let customer = of("lead-1@example.com");
    assert_eq!(customer["subject"], "Contoso Sample Offer: Contoso 1");
    assert_eq!((&customer["leadsourcecode"], &customer["leadqualitycode"]), (&json!(8), &json!(1)));
    assert_eq!((&customer["donotbulkemail"], &customer["address1_country"]), (&json!(false), &json!("United States")));
    let shy = of("shy@example.com");
    assert_eq!(
        (&shy["lastname"], &shy["donotemail"], &shy["donotphone"]),
        (&json!("shy@example.com"), &json!(true), &json!(true))
    );
    assert!(shy["subject"].as_str().is_some_and(|subject| !subject.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preset_for_salesforce_delivers_marketplace_leads() {
    let crm = Salesforce::on(Clock::real()).await;
    deliver_three("salesforce", &crm.settings(), || crm.total()).await;
    let records = crm.org.records();
    assert_eq!(records.len(), 2, "the test lead is none of them");
    let of = |email: &str| {
        records.iter().find(|record| record.values["Email"] == email).map(|r| r.values.clone()).expect("its record")
    };
    let customer = of("lead-1@example.com");
    assert_eq!((&customer["Company"], &customer["Rating"]), (&json!("Contoso 1"), &json!("Hot")));
    assert_eq!((&customer["HasOptedOutOfEmail"], &customer["Country"]), (&json!(false), &json!("United States")));
    let shy = of("shy@example.com");
    assert_eq!(
        (&shy["LastName"], &shy["Company"], &shy["DoNotCall"]),
        (&json!("shy@example.com"), &json!("(unknown)"), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preset_for_hubspot_delivers_marketplace_leads() {
    let crm = HubSpot::new().await;
    deliver_three("hubspot", &crm.settings(), || crm.total()).await;
    let (contacts, leads) = (crm.portal.contacts(), crm.portal.leads());
    assert_eq!((contacts.len(), leads.len()), (2, 2), "the test lead is none of them");
    let of = |email: &str| {
        let contact = contacts.iter().find(|contact| contact.properties["email"] == email).expect("its contact");
        let lead = leads.iter().find(|lead| lead.contact.as_ref() == Some(&contact.id)).expect("its lead");
        (contact.properties.clone(), lead.properties.clone())
    };
    let (contact, lead) = of("lead-1@example.com");
    assert_eq!((&contact["company"], &contact["country"]), (&json!("Contoso 1"), &json!("United States")));
    assert_eq!(lead["hs_lead_name"], "Contoso Sample Offer: Contoso 1");
    assert_eq!(lead["hs_lead_label"], "HOT");
    let (_, shy) = of("shy@example.com");
    assert!(shy["hs_lead_name"].as_str().is_some_and(|name| name.ends_with("(do not contact)")), "{shy:?}");
}

#[test]
fn it_writes_over_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("leadrelay.toml"), "mine").expect("written");
    let refused = leadrelay(dir.path(), &["init", "--preset", "webhook"], &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("--config"), "{}", said(&refused));
    assert_eq!(std::fs::read_to_string(dir.path().join("leadrelay.toml")).expect("read"), "mine");
}

#[test]
fn the_demonstration_shows_each_lead_in_both_crms_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let shown = leadrelay(dir.path(), &["demo", "--once", "--leads", "6", "--faults", "40"], &[]);
    assert!(shown.status.success(), "{}", said(&shown));
    let sum = "of 6 leads: 6 rows in Dynamics 365 and 6 records in Salesforce";
    assert!(said(&shown).contains(sum), "{}", said(&shown));
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 0, "it leaves nothing behind");
}
