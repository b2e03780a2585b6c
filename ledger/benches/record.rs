//! Facts recorded per second, in batches as the recorder makes them: three for each lead. A file waits for the disk; PostgreSQL is a
//! cluster of the tests' own, which does not, so its figure is that of the statements and the way to the server.

use std::time::Duration;

use jiff::Timestamp;
use leadrelay_ledger::store::Store;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Database, Secret};
use leadrelay_shared::delivery::Receipt;
use leadrelay_shared::event::{About, Event, Fact};
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::lead::{Format, Lead};
use leadrelay_testkit::postgres;

const BATCH: usize = 500;
const FOR: Duration = Duration::from_secs(10);

fn facts(n: u64) -> [Event; 3] {
    let at = Timestamp::UNIX_EPOCH;
    let id = LeadId::derive(&[b"bench", &n.to_be_bytes()]);
    let body = format!(
        r#"{{"LeadSource":"AzureMarketplace-INS|contoso.addin","ActionCode":"INS","OfferTitle":"Contoso Add-in",
        "UserDetails":{{"FirstName":"Ann","LastName":"Lee{n}","Email":"ann{n}@example.com","Phone":"+1 425 555 0100",
        "Company":"Fabrikam","Country":"US","Title":"CTO"}},"Description":"{}"}}"#,
        "x".repeat(300)
    );
    let lead = Lead {
        id,
        source: "addon".to_owned(),
        format: Format::Marketplace,
        received_at: at,
        body: body.into(),
        faults: Vec::new(),
        round: 0,
    };
    let delivery = DeliveryId::of(id, "crm");
    let about = About { lead: id, delivery, destination: "crm".to_owned(), route: "customers".to_owned(), round: 0 };
    let routed = Fact::Routed {
        lead: id,
        round: 0,
        rules: "1a2b3c4d".to_owned(),
        deliveries: vec![about.clone()],
        notes: Vec::new(),
    };
    let receipt = Receipt { record: Some(delivery.to_string()), ..Receipt::default() };
    let delivered = Fact::Delivered { about, attempt: 1, receipt, took_ms: 12, notes: Vec::new() };
    [Fact::Accepted { lead }, routed, delivered].map(|fact| Event { at, fact })
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let leads = recorded("SQLite", &store).await;
    let size = std::fs::metadata(dir.path().join("ledger.db")).expect("the file").len();
    println!("SQLite: {} bytes for each of {leads} leads, payload included", size / leads);

    let test = postgres::shared().database();
    let database = Database::parse(&test.url).expect("a database");
    let database = Database { password: Some(Secret::plain(test.password)), ..database };
    let store = Store::connect(database).await.expect("a store");
    let leads = recorded("PostgreSQL", &store).await;
    let size: u64 =
        postgres::shared().sql(&test.name, "SELECT pg_database_size(current_database())").parse().expect("a size");
    println!("PostgreSQL: {} bytes for each of {leads} leads, payload included", size / leads);
}

/// Records for a while, says how fast, and answers how many leads.
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn recorded(name: &str, store: &Store) -> u64 {
    let clock = Clock::real();
    let (mut leads, mut recorded) = (0u64, 0usize);
    // As they come when everything keeps up (a lead's facts together), and when deliveries lag behind.
    for lag in [0u64, 2000] {
        let (began, first) = (clock.monotonic(), recorded);
        while clock.monotonic() - began < FOR / 2 {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() + 3 <= BATCH {
                let [accepted, routed, delivered] = facts(leads);
                batch.extend([accepted, routed]);
                batch.push(if lag == 0 || leads < lag { delivered } else { facts(leads - lag)[2].clone() });
                leads += 1;
            }
            recorded += batch.len();
            store.record(batch, Vec::new()).await.expect("recorded");
        }
        let seconds = (clock.monotonic() - began).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = (recorded - first) as f64 / seconds;
        println!("{name}: recorded {rate:.0} facts/s, deliveries {lag} leads behind");
    }
    leads
}
