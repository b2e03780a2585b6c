//! `leadrelay setup salesforce`.

use leadrelay_testkit::conformance::World as _;
use leadrelay_testkit::{Org, Salesforce};

use super::support::Home;

const FIELD: &str = "LeadRelay_Id__c";

/// A home whose one destination is `world`.
fn home(world: &Salesforce) -> Home {
    Home::with(&format!(
        "[destinations.sales]\nconnector = 'salesforce'\nlogin_url = '{}'\nclient_id = '{}'\nclient_secret = '{}'\n\
         allow_private_addresses = true\n",
        world.login.url(),
        Org::CLIENT_ID,
        Org::CLIENT_SECRET
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_it_will_do_and_does_nothing_unasked() {
    let world = Salesforce::start().await;
    world.org.remove_field(FIELD);
    let home = home(&world);
    let ran = home.run(&["setup", "salesforce"]);
    insta::assert_snapshot!(ran.told(), @r##"
In the org of sales this will:
  - make the field Lead.LeadRelay_Id__c: text of 36 characters, unique, external id
  - make the permission set LeadRelay, which may read and edit Lead.LeadRelay_Id__c, and give it to leadrelay's user
error: nothing was done; say --yes to have it done.
Without the field: `external_id_field = "none"` makes leadrelay look for a record like the lead before every write. That costs a
second call, and a lead arrives twice when an answer is lost and the record is edited before the next attempt.
exit code 2
"##);
    assert_eq!(world.org.field(FIELD), None);
    let ran = home.run(&["setup", "salesforce", "sales", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.told());
    assert!(world.org.field(FIELD).is_some_and(|field| field.unique && field.visible));
    assert!(!ran.told().contains(Org::CLIENT_SECRET), "{}", ran.told());
    let again = home.run(&["setup", "salesforce"]);
    assert!(again.code == 0 && again.out.contains("nothing to do"), "{}", again.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_is_told_with_what_else_can_be_done() {
    let world = Salesforce::start().await;
    world.org.revoke();
    let ran = home(&world).run(&["setup", "salesforce", "--yes"]);
    assert_eq!(ran.code, 1, "{}", ran.told());
    assert!(ran.err.contains("`client_id`") && ran.err.contains("external_id_field = \"none\""), "{}", ran.told());
}

#[test]
fn a_destination_that_is_not_there_is_a_mistake_in_the_call() {
    let home = Home::with("[destinations.inbox]\nconnector = 'file'\npath = 'out'\n");
    for args in [&["setup", "salesforce"][..], &["setup", "salesforce", "inbox"]] {
        let ran = home.run(args);
        assert!(ran.code == 2 && ran.err.contains("alesforce"), "{}", ran.told());
    }
}
