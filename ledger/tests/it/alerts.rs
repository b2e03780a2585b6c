//! Alerts: an outage is one message and its end another, nothing is lost, and nothing of a lead is in any.

use std::time::Duration;

use leadrelay_ledger::api::types::{AlertKind, AlertNews, AlertState, AlertTested, Alerts};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::delivery::Parked;
use leadrelay_shared::event::{Event, Fact, PauseCause};
use leadrelay_shared::lead::Lead;
use leadrelay_shared::queue::{Queue, Topic, embedded};
use leadrelay_testkit::{Fault, How, Plan, Receiver, Server};
use serde_json::{Value, json};

use super::Ledger;
use crate::fixtures::*;
use crate::smtp::{Mail, PASSWORD, Smtp};

const SECRET: &str = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";
const ROUTE: &str = "\n[[routes]]\nname = 'customers'\nto = 'crm'\n";

/// Lets minutes pass, ten seconds by ten; each time the ledger has some time to look.
async fn minutes(ledger: &Ledger, count: u32) {
    for _ in 0..count * 6 {
        ledger.ctx.clock.advance(Duration::from_secs(10));
        alerts(ledger).await;
    }
}

/// Lets time pass until it is so.
async fn passing(ledger: &Ledger, what: &str, asked: impl AsyncFn() -> bool) {
    let step = async || {
        minutes(ledger, 1).await;
        asked().await
    };
    ledger.until(what, step).await;
}

async fn alerts(ledger: &Ledger) -> Alerts {
    ledger.get("/api/v1/alerts").await.ok()
}

/// What the list shows, as kind, subject and state.
async fn listed(ledger: &Ledger) -> Vec<(AlertKind, String, AlertState)> {
    let Alerts { current, recent, .. } = alerts(ledger).await;
    current.into_iter().chain(recent).map(|one| (one.kind, one.subject, one.state)).collect()
}

fn webhook(server: &Server) -> String {
    format!("\n[alerts.webhook]\nurl = '{}'\nsecret = '{SECRET}'\nallow_private_addresses = true\n", server.url())
}

fn paused(seconds: i64) -> Event {
    let cause = PauseCause::Failing { error: down() };
    event(seconds, Fact::Paused { destination: "crm".to_owned(), cause, until: None })
}

fn resumed(seconds: i64) -> Event {
    event(seconds, Fact::Resumed { destination: "crm".to_owned() })
}

/// Every message of a receiver, in the order of their times.
fn posted(receiver: &Receiver) -> Vec<Value> {
    let bodies = receiver.records().into_values().map(|record| serde_json::from_slice(&record.body).expect("JSON"));
    let mut all: Vec<Value> = bodies.collect();
    all.sort_by_key(|message| message["timestamp"].as_str().map(str::to_owned));
    all
}

fn holds_nothing_of_a_lead(text: &str) {
    for canary in ["Lee", "Ann ", "ann1", "Fabrikam", "Contoso", "555 0100", "lastnam", "being repaired"] {
        assert!(!text.contains(canary), "{canary} is in {text}");
    }
}

#[tokio::test]
async fn an_outage_of_a_thousand_leads_is_one_message_and_its_end_another() {
    let (smtp, receiver) = (Smtp::start(), Receiver::new(SECRET));
    let server = Server::start(receiver.clone()).await;
    let more = format!("{}{}{ROUTE}", smtp.config(), webhook(&server));
    let ledger = Ledger::with(&more, Clock::manual(at(1000))).await;
    let (mut events, mut parks): (Vec<Event>, Vec<Parked>) = (vec![paused(1000)], Vec::new());
    for n in 0..1000 {
        events.extend([accepted(n.into(), &lead(n)), routed(n.into(), n, &["crm"], 0)]);
        if n % 2 == 0 {
            let (event, message) = parked(1000, n, "crm", 0);
            events.push(event);
            parks.push(message);
        } else {
            events.push(deferred(1000, n, "crm", 0, 1));
        }
    }
    ledger.tell(&events, &parks).await;
    passing(&ledger, "it is told", async || smtp.mails().len() + receiver.ids() >= 2).await;
    minutes(&ledger, 30).await;
    assert_eq!((smtp.mails().len(), receiver.ids(), receiver.copies()), (1, 1, 1));
    let mail = smtp.mails().remove(0);
    assert_eq!((mail.to.as_slice(), mail.subject()), (&["ops@example.com".to_owned()][..], "leadrelay: alerts: 2 new"));
    assert!(mail.text().contains("crm is paused: it cannot be reached"), "{}", mail.text());
    assert!(mail.text().contains("500 leads for crm are parked: crm refuses them"), "{}", mail.text());
    assert!(mail.text().contains("/parked?destination=crm&reason=rejected"), "{}", mail.text());

    let gone = (0..1000).map(|n| delivered(4000, n, "crm", 0)).chain([resumed(4000)]);
    ledger.tell(&gone.collect::<Vec<_>>(), &[]).await;
    passing(&ledger, "its end is told", async || smtp.mails().len() + receiver.ids() >= 4).await;
    minutes(&ledger, 30).await;
    assert_eq!((smtp.mails().len(), receiver.ids(), receiver.unverified()), (2, 2, 0));
    assert_eq!(smtp.mails()[1].subject(), "leadrelay: alerts: 2 over");
    let said = posted(&receiver);
    let news: Vec<Vec<AlertNews>> = said.iter().map(|m| of_json(&m["data"]["alerts"], "news")).collect();
    assert_eq!(news, [[AlertNews::Began; 2], [AlertNews::Ended; 2]]);
    for text in smtp.mails().iter().map(Mail::text).chain(said.iter().map(ToString::to_string)) {
        holds_nothing_of_a_lead(&text);
    }
    holds_nothing_of_a_lead(&ledger.get("/api/v1/alerts").await.body);
}

fn of_json<T: serde::de::DeserializeOwned>(items: &Value, key: &str) -> Vec<T> {
    let items = items.as_array().expect("an array").iter();
    items.map(|item| serde_json::from_value(item[key].clone()).expect("as the API says it")).collect()
}

#[tokio::test]
async fn a_mail_server_that_is_away_loses_nothing_and_a_restart_tells_nothing_twice() {
    let smtp = Smtp::start();
    let more = format!("{}{ROUTE}", smtp.config());
    let ledger = Ledger::with(&more, Clock::manual(start())).await;
    smtp.away(true);
    ledger.tell(&[paused(1)], &[]).await;
    let tried = async || alerts(&ledger).await.channels[0].last_error.is_some();
    passing(&ledger, "it is tried in vain", tried).await;
    let channel = alerts(&ledger).await.channels.remove(0);
    assert_eq!((channel.name.as_str(), channel.waiting, channel.last_sent_at), ("mail", 1, None));
    assert!(channel.last_error.expect("a reason").contains(&smtp.address.to_string()));

    let ledger = ledger.restart(&more).await;
    smtp.away(false);
    passing(&ledger, "it is sent", async || alerts(&ledger).await.channels[0].waiting == 0).await;
    let ledger = ledger.restart(&more).await;
    minutes(&ledger, 30).await;
    assert_eq!(smtp.mails().len(), 1);
    ledger.tell(&[resumed(60)], &[]).await;
    passing(&ledger, "its end is told", async || smtp.mails().len() == 2).await;
    assert!(smtp.mails()[1].subject().starts_with("leadrelay: over: crm is paused"), "{:?}", smtp.mails());
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_comes_again_as_the_same() {
    let receiver = Receiver::new(SECRET);
    let server = Server::start(receiver.clone()).await;
    server.plan(Plan::List(vec![Some(Fault::after(How::Cut)), Some(Fault::before(How::Status(500)))]));
    let ledger = Ledger::with(&webhook(&server), Clock::manual(start())).await;
    ledger.tell(&[paused(1)], &[]).await;
    let sent = async || server.requests() == 3 && alerts(&ledger).await.channels[0].waiting == 0;
    passing(&ledger, "it is sent", sent).await;
    let (_, record) = receiver.records().into_iter().next().expect("a message");
    assert_eq!((receiver.ids(), record.copies, record.changed), (1, 2, false));
    let channel = alerts(&ledger).await.channels.remove(0);
    assert!(channel.last_error.is_none() && channel.last_sent_at.is_some(), "{channel:?}");
}

#[tokio::test]
async fn a_test_goes_to_every_channel_over_tls_and_says_what_each_said() {
    let (smtp, receiver) = (Smtp::start(), Receiver::new(SECRET));
    let server = Server::start(receiver.clone()).await;
    let dir = tempfile::tempdir().expect("a directory");
    let more = |password: &str| format!("{}{}", smtp.secure(dir.path(), password), webhook(&server));
    let ledger = Ledger::with(&more(PASSWORD), Clock::manual(start())).await;
    let tested: Vec<AlertTested> = ledger.post("/api/v1/alerts/test", &json!({})).await.ok();
    let said: Vec<_> = tested.iter().map(|one| (one.channel.as_str(), one.sent)).collect();
    assert_eq!(said, [("mail", true), ("webhook", true)], "{tested:?}");
    let mail = smtp.mails().remove(0);
    assert!(mail.over_tls && mail.logged_in && mail.subject().contains("this is a test"), "{mail:?}");
    assert_eq!(of_json::<AlertKind>(&posted(&receiver)[0]["data"]["alerts"], "kind"), [AlertKind::Test]);

    server.refuse().await;
    let ledger = ledger.restart(&more("0ther-passw0rd")).await;
    let answer = ledger.post("/api/v1/alerts/test", &json!({})).await;
    let tested: Vec<AlertTested> = answer.ok();
    assert!(tested.iter().all(|one| !one.sent), "{tested:?}");
    assert!(tested[0].error.as_ref().is_some_and(|e| e.contains("refuses user and password (SMTP 535)")), "{tested:?}");
    assert!(tested[1].error.as_ref().is_some_and(|e| e.contains("no connection")), "{tested:?}");
    for secret in [PASSWORD, "0ther-passw0rd", SECRET] {
        assert!(!answer.body.contains(secret), "{answer:?}");
    }

    let stranger = Smtp::start();
    let untrusted = smtp
        .secure(dir.path(), PASSWORD)
        .replace(&smtp.address.port().to_string(), &stranger.address.port().to_string());
    let ledger = ledger.restart(&untrusted).await;
    let tested: Vec<AlertTested> = ledger.post("/api/v1/alerts/test", &json!({})).await.ok();
    assert!(tested[0].error.as_ref().is_some_and(|e| e.contains("TLS failed")), "{tested:?}");
    assert_eq!(stranger.mails().len(), 0);
}

#[tokio::test]
async fn a_broken_promise_is_told_and_escalated_with_a_link() {
    let smtp = Smtp::start();
    let route = format!("{ROUTE}promise = '10m'\nescalate_to = ['boss@example.com']\n");
    let more = format!(
        "{}{route}\n[admin]\nlisten = '127.0.0.1:0'\npublic_url = 'https://relay.example.com'\n",
        smtp.config()
    );
    let ledger = Ledger::with(&more, Clock::manual(start())).await;
    ledger.tell(&[accepted(0, &lead(0)), routed(1, 0, &["crm"], 0)], &[]).await;
    minutes(&ledger, 9).await;
    assert_eq!(smtp.mails().len(), 0);
    passing(&ledger, "both are told", async || smtp.mails().len() == 2).await;
    minutes(&ledger, 10).await;
    let mut mails = smtp.mails();
    mails.sort_by(|a, b| a.to.cmp(&b.to));
    let to: Vec<&str> = mails.iter().map(|mail| mail.to[0].as_str()).collect();
    assert_eq!(to, ["boss@example.com", "ops@example.com"]);
    for mail in &mails {
        assert!(mail.subject().starts_with("leadrelay: 1 lead of the route customers to crm waits longer"), "{mail:?}");
        assert!(mail.text().contains("https://relay.example.com/leads?destination=crm\n"), "{}", mail.text());
        holds_nothing_of_a_lead(&mail.text());
    }
    ledger.tell(&[delivered(1200, 0, "crm", 0)], &[]).await;
    passing(&ledger, "both ends are told", async || smtp.mails().len() == 4).await;
}

#[tokio::test]
async fn late_leads_of_a_paused_destination_are_told_by_its_pause_and_still_escalated() {
    let smtp = Smtp::start();
    let more = format!("{}{ROUTE}escalate_to = ['boss@example.com']\n", smtp.config());
    let ledger = Ledger::with(&more, Clock::manual(start())).await;
    ledger.tell(&[paused(1), accepted(0, &lead(0)), routed(1, 0, &["crm"], 0)], &[]).await;
    passing(&ledger, "both are told", async || smtp.mails().len() == 2).await;
    // Delivered to again, and the lead that waited is still under way: the outage is not over.
    ledger.tell(&[resumed(600)], &[]).await;
    minutes(&ledger, 10).await;
    assert_eq!(smtp.mails().len(), 2);
    ledger.tell(&[delivered(1800, 0, "crm", 0)], &[]).await;
    passing(&ledger, "both ends are told", async || smtp.mails().len() == 4).await;
    let ops: Vec<_> = smtp.mails().into_iter().filter(|mail| mail.to[0] == "ops@example.com").collect();
    assert!(
        ops[0].subject().contains("crm is paused")
            && ops[1].subject().contains("over: crm is paused: it cannot be reached"),
        "{ops:?}"
    );
}

#[tokio::test]
async fn a_replayed_lead_is_not_late_because_it_is_old() {
    let ledger = Ledger::with(ROUTE, Clock::manual(at(90_000))).await;
    let (event, message) = parked(5, 0, "crm", 0);
    ledger.tell(&[accepted(0, &lead(0)), routed(1, 0, &["crm"], 0), event], &[message]).await;
    ledger.tell(&[replayed(90_000, 0, Some("crm"), 1)], &[]).await;
    minutes(&ledger, 4).await;
    assert!(!listed(&ledger).await.iter().any(|(kind, ..)| *kind == AlertKind::Late));
    let late = async || listed(&ledger).await.contains(&(AlertKind::Late, "customers".to_owned(), AlertState::Active));
    passing(&ledger, "it is late", late).await;
}

#[tokio::test]
async fn a_source_that_is_silent_for_longer_than_its_habit_is_told() {
    let ledger = Ledger::with("", Clock::manual(start())).await;
    // A lead each twelve hours: 48 hours are four times the longest gap.
    let (last, half_a_day) = (11 * 43_200, 43_200);
    let leads: Vec<Event> = (0..12)
        .map(|n| {
            let mut lead = lead(n);
            lead.received_at = at(i64::from(n) * half_a_day);
            accepted(i64::from(n) * half_a_day, &lead)
        })
        .collect();
    ledger.ctx.clock.advance(Duration::from_secs(last + 47 * 3600));
    ledger.tell(&leads, &[]).await;
    minutes(&ledger, 30).await;
    assert_eq!(listed(&ledger).await, []);
    let is = |state| (AlertKind::Silent, "addon".to_owned(), state);
    passing(&ledger, "it is told", async || listed(&ledger).await == [is(AlertState::Active)]).await;
    // A year of silence makes no new habit.
    ledger.ctx.clock.advance(Duration::from_hours(24 * 365));
    minutes(&ledger, 3).await;
    assert_eq!(listed(&ledger).await, [is(AlertState::Active)]);
    let mut again = lead(50);
    again.received_at = ledger.ctx.clock.now();
    ledger.tell(&[Event { at: again.received_at, fact: Fact::Accepted { lead: again } }], &[]).await;
    passing(&ledger, "it is over", async || listed(&ledger).await == [is(AlertState::Ended)]).await;
}

#[tokio::test]
async fn a_source_of_few_leads_has_no_habit() {
    let ledger = Ledger::with("", Clock::manual(at(100 * 86_400))).await;
    ledger.tell(&(0..9).map(|n| accepted(n.into(), &lead(n))).collect::<Vec<_>>(), &[]).await;
    minutes(&ledger, 5).await;
    assert_eq!(listed(&ledger).await, []);
}

#[tokio::test]
async fn a_secret_that_expires_is_told_thirty_seven_and_one_day_before() {
    let smtp = Smtp::start();
    let more = format!("{}[destinations.old]\nconnector = 'file'\nsecret_expires = 2026-12-31\n", smtp.config());
    let ledger = Ledger::with(&more, Clock::manual(start())).await;
    minutes(&ledger, 5).await;
    assert_eq!(smtp.mails().len(), 0, "38 days are left");
    for (n, (days, told)) in [
        (9, "expires in 29 days, on 2026-12-31"),
        (22, "expires in 7 days, on 2026-12-31"),
        (6, "expires tomorrow, on 2026-12-31"),
        (2, "has expired on 2026-12-31"),
    ]
    .into_iter()
    .enumerate()
    {
        ledger.ctx.clock.advance(Duration::from_hours(24 * days));
        passing(&ledger, told, async || smtp.mails().len() > n).await;
        let mail = smtp.mails().remove(n);
        assert!(mail.subject().contains("the secret of old") && mail.text().contains(told), "{told}: {mail:?}");
    }
    ledger.ctx.clock.advance(Duration::from_hours(48));
    minutes(&ledger, 5).await;
    assert_eq!(smtp.mails().len(), 4);
}

#[tokio::test]
async fn the_list_says_what_is_too_young_what_is_told_and_what_was() {
    let ledger = Ledger::with(ROUTE, Clock::manual(start())).await;
    let answer = ledger.post("/api/v1/alerts/test", &json!({})).await;
    assert_eq!(answer.ok::<Vec<Value>>(), Vec::<Value>::new(), "there is no channel");
    let faulty = faulty(1);
    let (event, message) = quarantined(2, &faulty);
    ledger.tell(&[accepted(1, &faulty), event], &[message]).await;
    let is = |state| (AlertKind::Parked, "quarantined".to_owned(), state);
    let look = async || {
        ledger.ctx.clock.advance(Duration::from_secs(10));
        listed(&ledger).await == [is(AlertState::Pending)]
    };
    ledger.until("it is seen", look).await;
    passing(&ledger, "it is told", async || listed(&ledger).await == [is(AlertState::Active)]).await;
    let shown = alerts(&ledger).await.current.remove(0);
    assert_eq!(shown.text, "1 lead is parked: what came was no lead");
    assert_eq!(shown.link, format!("http://{}/parked?reason=quarantined", ledger.address));
    assert_eq!((shown.since, shown.path.as_str()), (at(2), "/parked?reason=quarantined"));
    ledger.post(&format!("/api/v1/parked/{}/release", lead_id(1)), &json!({})).await.ok::<Value>();
    passing(&ledger, "it is over", async || listed(&ledger).await == [is(AlertState::Ended)]).await;
}

#[tokio::test]
async fn a_queue_and_a_disk_near_their_limits_and_leads_that_nobody_routes_are_told() {
    let free = embedded::free_bytes(&std::env::temp_dir()).expect("the file system says it");
    let more = format!("{ROUTE}[queue]\nmax_size = '32MiB'\nmin_free = '{}B'\n", free / 3);
    let ledger = Ledger::with(&more, Clock::manual(start())).await;
    let is = |kind, subject: &str| (kind, subject.to_owned(), AlertState::Active);
    passing(&ledger, "the disk", async || listed(&ledger).await == [is(AlertKind::Disk, "data_dir")]).await;
    let body = "x".repeat(16 << 10);
    for hundred in 0..17 {
        let lead = |n: u32| Lead { body: body.clone().into(), ..lead(hundred * 100 + n) };
        let messages = (0..100).map(lead).map(|lead| Topic::leads().message(lead.id.uuid(), &lead));
        ledger.ctx.queue.publish(messages.collect()).await.expect("there is room");
    }
    let all = [is(AlertKind::Disk, "data_dir"), is(AlertKind::Late, "not routed"), is(AlertKind::Queue, "queue")];
    passing(&ledger, "all", async || listed(&ledger).await == all).await;
    let texts = alerts(&ledger).await.current.into_iter().map(|one| one.text).collect::<Vec<_>>().join("\n");
    for told in
        ["MiB are left on the disk", "1700 leads wait for the router, the oldest for", "percent of queue.max_size"]
    {
        assert!(texts.contains(told), "{told} in {texts}");
    }
}

#[tokio::test]
async fn leads_in_the_spool_are_told_until_they_are_forwarded() {
    let ledger = Ledger::start().await;
    let dir = tempfile::tempdir().expect("a directory");
    let settings = embedded::Settings { dir: dir.path().to_owned(), max_size: 1 << 30, min_free: 0 };
    let spool = Queue::embedded(settings, ledger.ctx.clock.clone()).expect("a spool");
    ledger.ctx.status.set_spool(Ok(spool.clone()));
    spool.publish(vec![Topic::leads().message(lead_id(1).uuid(), &lead(1))]).await.expect("kept");
    let is = |state| (AlertKind::Spool, "spool".to_owned(), state);
    passing(&ledger, "it is told", async || listed(&ledger).await == [is(AlertState::Active)]).await;
    assert_eq!(alerts(&ledger).await.current[0].text, "1 lead in the spool of ingest: the broker takes none");
    let claimed = spool.claims(&Topic::leads()).next(1).await.expect("a lead").remove(0);
    claimed.settle(Vec::new()).await.expect("forwarded");
    passing(&ledger, "it is over", async || listed(&ledger).await == [is(AlertState::Ended)]).await;
    ledger.ctx.status.set_spool(Err("another process has it".to_owned()));
    passing(&ledger, "it is blocked", async || alerts(&ledger).await.current.len() == 1).await;
    assert!(alerts(&ledger).await.current[0].text.contains("takes nothing: another process has it"));
    spool.close().await;
}
