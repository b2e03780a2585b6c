//! The console in a real browser: each page on a desk, on a phone, in the dark, and without scripts.

mod driver;

use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::event::{Event, Fact, PauseCause};
use leadrelay_shared::queue::Topic;

use crate::fixtures::*;
use crate::harness;
use crate::stand::OnFile;
use driver::{Browser, Screen};

type Ledger = harness::Ledger<OnFile>;

const DESK: Screen = Screen { name: "desk", width: 1280, height: 800, scripts: true, dark: false };
const DARK: Screen = Screen { name: "dark", dark: true, ..DESK };
const PHONE: Screen = Screen { name: "phone", width: 390, height: 844, ..DESK };
const PLAIN: Screen = Screen { name: "plain", scripts: false, ..DESK };

/// A ledger with a bit of everything: delivered, waiting, refused, not a lead, a resend, a pause.
async fn busy() -> Ledger {
    let ledger = Ledger::with("", Clock::manual(at(3600))).await;
    let (mut events, mut waiting): (Vec<Event>, Vec<_>) = (Vec::new(), Vec::new());
    for n in 0..40 {
        events.push(accepted(i64::from(n), &lead(n)));
        events.push(routed(i64::from(n), n, &["crm", "partner"], 0));
        events.push(delivered(i64::from(n) + 2, n, "crm", 0));
        match n % 8 {
            0 => {
                let (event, message) = parked(600 + i64::from(n), n, "partner", 0);
                events.push(event);
                waiting.push(message);
            }
            1 => events.push(deferred(700, n, "partner", 0, 1)),
            _ => events.push(delivered(i64::from(n) + 3, n, "partner", 0)),
        }
    }
    let bad = faulty(90);
    let (event, message) = quarantined(800, &bad);
    events.extend([accepted(799, &bad), event]);
    waiting.push(message);
    events.push(event_of(900, Fact::Duplicate { lead: lead_id(8), source: "addon".to_owned() }));
    let cause = PauseCause::Failing { error: down() };
    events.push(event_of(1000, Fact::Paused { destination: "partner".to_owned(), cause, until: Some(at(4000)) }));
    ledger.tell(&events, &waiting).await;
    ledger
}

fn event_of(seconds: i64, fact: Fact) -> Event {
    crate::fixtures::event(seconds, fact)
}

async fn signed_in(ledger: &Ledger, screen: Screen) -> Browser {
    let browser = Browser::start(screen).await;
    browser.go(&url(ledger, "/")).await;
    assert!(browser.path().await.starts_with("/login"));
    browser.write("#name", "Ann").await;
    browser.write("#token", &format!("{}\u{e007}", ledger.token)).await;
    arrives(ledger, &browser, "/").await;
    browser
}

fn url(ledger: &Ledger, path: &str) -> String {
    format!("http://{}{path}", ledger.address)
}

async fn arrives(ledger: &Ledger, browser: &Browser, path: &str) {
    ledger.until(path, async || browser.path().await.split(['#', '?']).next() == path.split('?').next()).await;
}

async fn sent(ledger: &Ledger, browser: &Browser, told: &str) {
    ledger
        .until(told, async || {
            browser.again().await;
            browser.text("main").await.contains(told)
        })
        .await;
}

fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("overview", "/".to_owned()),
        ("leads", "/leads".to_owned()),
        ("search", "/leads?q=lee8&state=parked".to_owned()),
        ("lead", format!("/leads/{}", lead_id(8))),
        ("parked", "/parked".to_owned()),
        ("refused", format!("/parked/{}", delivery(8, "partner", 0).id)),
        ("repair", format!("/parked/{}", lead_id(90))),
        ("replay", "/replay?reason=rejected".to_owned()),
        ("try", format!("/try?lead={}", lead_id(8))),
        ("sources", "/sources".to_owned()),
        ("destinations", "/destinations".to_owned()),
        ("erase", format!("/leads/{}/erase", lead_id(8))),
        ("person", "/person".to_owned()),
        ("alerts", "/alerts".to_owned()),
        ("audit", "/audit".to_owned()),
    ]
}

/// Every page: nothing is wider than the screen, nothing is forbidden by the page's own policy, no barrier is serious.
async fn every_page(screen: Screen) {
    let ledger = busy().await;
    let browser = Browser::start(screen).await;
    browser.go(&url(&ledger, "/login")).await;
    assert_eq!(browser.barriers().await, [""; 0], "login");
    browser.picture("login").await;
    browser.close().await;
    let browser = signed_in(&ledger, screen).await;
    for (name, path) in pages() {
        browser.go(&url(&ledger, &path)).await;
        assert_eq!(browser.path().await, path, "{name}");
        let wider =
            browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        browser.picture(name).await;
        assert_eq!(wider, 0, "{name} is wider than the screen");
        assert_eq!(browser.barriers().await, [""; 0], "{name}");
        assert_eq!(browser.complaints().await, [""; 0], "{name}");
    }
    browser.close().await;
}

#[tokio::test]
async fn every_page_is_fit_for_a_desk() {
    every_page(DESK).await;
}

#[tokio::test]
async fn every_page_is_fit_for_a_phone() {
    every_page(PHONE).await;
}

#[tokio::test]
async fn every_page_is_fit_for_the_dark() {
    every_page(DARK).await;
}

/// What an operator does on a bad morning: with the keyboard where one can, with scripts and without.
async fn a_morning(screen: Screen) {
    let ledger = busy().await;
    let browser = signed_in(&ledger, screen).await;
    assert!(browser.text("main").await.contains("6\nparked") || browser.text("main").await.contains("6 parked"));

    browser.go(&url(&ledger, "/leads")).await;
    browser.write("#q", "ann8@example.com\u{e007}").await;
    ledger.until("found", async || browser.path().await.contains("q=ann8")).await;
    assert!(browser.text("tbody").await.contains("Ann Lee8"));
    browser.click("tbody a").await;
    arrives(&ledger, &browser, &format!("/leads/{}", lead_id(8))).await;
    assert!(browser.text("main").await.contains("recognised as a duplicate"));

    browser.go(&url(&ledger, &format!("/parked/{}", lead_id(90)))).await;
    browser.clear("#body").await;
    browser.write("#body", lead(90).body.text().expect("text")).await;
    browser.click("button[value=judge]").await;
    ledger.until("judged", async || browser.text("main").await.contains("This is a lead. It is not sent yet.")).await;
    browser.click("button[value=repair]").await;
    arrives(&ledger, &browser, &format!("/leads/{}", lead_id(90))).await;
    assert_eq!(ledger.depth("leads").await, 1);

    browser.go(&url(&ledger, "/parked")).await;
    browser.click("tbody input[type=checkbox]").await;
    browser.click("form[action='/replay'] button").await;
    sent(&ledger, &browser, "Done: 1 on its way again.").await;
    browser.go(&url(&ledger, "/replay?reason=rejected")).await;
    browser.click("main button").await;
    sent(&ledger, &browser, "Done: 4 on their way again.").await;
    assert_eq!(ledger.depth("deliver.partner").await, 5);

    browser.go(&url(&ledger, &format!("/try?lead={}", lead_id(8)))).await;
    browser
        .write(
            "#routes",
            "[[routes]]\nname = \"all\"\nto = \"crm\"\n[routes.fields]\nlastname = \"{{ lead.last_name }}\"\n",
        )
        .await;
    browser.click("button[value=try]").await;
    ledger.until("tried", async || browser.text("main").await.contains("\"lastname\": \"Lee8\"")).await;
    browser.click("button[value=compare]").await;
    ledger.until("compared", async || browser.text("#answer").await == "40 of the latest 41 leads would change").await;

    browser.go(&url(&ledger, "/destinations")).await;
    browser.write("#reason-crm", "the CRM is being moved\u{e007}").await;
    ledger.until("paused", async || browser.text("#crm").await.contains("by hand: the CRM is being moved")).await;
    browser.click("#crm button[value=resume]").await;
    ledger.until("resumed", async || browser.text("#crm h2").await == "crm running").await;

    browser.go(&url(&ledger, "/audit")).await;
    let told = browser.text("tbody").await;
    for act in ["resume", "pause", "replay", "repair", "sign in"] {
        assert!(told.contains(act), "{act}: {told}");
    }
    browser.click("header button").await;
    arrives(&ledger, &browser, "/login").await;
    let sent = ledger.take(&Topic::leads()).await;
    assert_eq!(sent.len(), 1);
    browser.close().await;
}

#[tokio::test]
async fn a_morning_with_scripts() {
    a_morning(DESK).await;
}

#[tokio::test]
async fn a_morning_without_scripts() {
    a_morning(PLAIN).await;
}

#[tokio::test]
async fn a_url_is_copied() {
    let ledger = busy().await;
    let browser = signed_in(&ledger, DESK).await;
    browser.go(&url(&ledger, "/sources")).await;
    browser.click("button[data-copy]").await;
    tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let text = browser.text("button[data-copy]").await;
            if text == "Copied" || text == "Press Ctrl+C" {
                return;
            }
        }
    })
    .await
    .expect("it says that it is copied");
    browser.close().await;
}
