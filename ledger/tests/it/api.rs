//! The API over HTTP: who may ask, what lists and stories say, what is refused.

use std::collections::{BTreeMap, BTreeSet};

use leadrelay_ledger::api::types::{
    DestinationStatus, LeadDetail, LeadState, LeadSummary, Page, ParkedDetail, ParkedItem, SourceStatus, Stats,
};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::event::{Fact, PauseCause};
use leadrelay_shared::id::LeadId;
use leadrelay_shared::lead::Lead;
use serde_json::{Value, json};

use super::Ledger;
use crate::fixtures::*;

#[tokio::test]
async fn only_those_with_the_token_are_answered() {
    let ledger = Ledger::start().await;
    for headers in ["", "Authorization: Bearer \r\n", "Authorization: Bearer wrong\r\n", "Authorization: Basic x\r\n"] {
        for path in ["/api/v1/leads", "/api/v1/openapi.json", "/api/v1/nowhere", "/api"] {
            let answer = ledger.request("GET", path, headers, "").await;
            assert!(answer.problem(401).contains("admin.token"));
            assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
        }
    }
    let answer = ledger.get("/api/v1/leads").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("cache-control: no-store"), "{answer:?}");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ledger.request("GET", path, "", "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_token_is_made_once_for_its_owner_alone() {
    let ledger = Ledger::start().await;
    let token = ledger.token.clone();
    assert_eq!(token.len(), 43);
    #[cfg(unix)]
    assert_eq!(crate::harness::mode(&ledger.ctx.loaded.admin_token_file()), 0o600);
    let ledger = ledger.restart("").await;
    assert_eq!(ledger.token, token);
    assert_eq!(ledger.get("/api/v1/leads").await.status, 200);
}

#[tokio::test]
async fn a_configured_token_is_used() {
    let clock = Clock::manual(start());
    let mut ledger =
        Ledger::with("\n[admin]\nlisten = \"127.0.0.1:0\"\ntoken = \"correct horse battery staple\"\n", clock).await;
    ledger.token = "correct horse battery staple".to_owned();
    assert_eq!(ledger.get("/api/v1/leads").await.status, 200);
}

#[tokio::test]
async fn a_lead_tells_its_story() {
    let ledger = Ledger::start().await;
    let (event, message) = parked(130, 1, "partner", 0);
    let events = [
        accepted(1, &lead(1)),
        routed(2, 1, &["crm", "partner"], 0),
        deferred(3, 1, "crm", 0, 1),
        delivered(90, 1, "crm", 0),
        event,
        crate::fixtures::event(140, Fact::Duplicate { lead: lead_id(1), source: "addon".to_owned() }),
    ];
    ledger.tell(&events, &[message]).await;

    let id = lead_id(1).to_string();
    let detail: LeadDetail = ledger.get(&format!("/api/v1/leads/{id}")).await.ok();
    assert_eq!((detail.lead.state, detail.lead.duplicates, detail.lead.round), (LeadState::Parked, 1, 0));
    assert_eq!((detail.lead.name.as_str(), detail.lead.action.as_str()), ("Ann Lee1", "INS"));
    assert_eq!(detail.lead.destinations, ["crm", "partner"]);
    assert_eq!(detail.body.as_deref(), lead(1).body.text());
    let texts: Vec<&str> = detail.timeline.iter().map(|e| e.text.as_str()).collect();
    let bytes = lead(1).body.len();
    assert_eq!(
        texts,
        [
            &format!("accepted from addon, {bytes} bytes"),
            "routed by customers to crm and by customers to partner (rules 1a2b3c4d)",
            "attempt 1 at crm failed: unavailable: it says that it is being repaired (HTTP 503); next try at 2026-11-23T12:01:03Z",
            "delivered to crm as 00Q1 in 132 ms",
            "parked: refused: the field is not known (field lastnam) (HTTP 400)",
            "sent again by addon, recognised as a duplicate; nothing was sent on",
        ]
    );
    assert!(texts.iter().all(|text| !text.contains("Lee1") && !text.contains("example.com")));
    let crm = detail.deliveries.iter().find(|d| d.destination == "crm").expect("crm");
    assert_eq!((crm.state, crm.attempts, crm.delivered_at), (LeadState::Delivered, 1, Some(at(90))));
    assert_eq!(crm.last_error, Some(down()));
    let partner = detail.deliveries.iter().find(|d| d.destination == "partner").expect("partner");
    assert_eq!((partner.state, partner.attempts, &partner.parked), (LeadState::Parked, 3, &Some(refused())));
    assert_eq!(partner.record.as_ref().expect("the record")["lastname"], "Lee1");

    let short: LeadDetail = ledger.get(&format!("/api/v1/leads/{}", &id[..8])).await.ok();
    assert_eq!(short.lead.id, lead_id(1));
    let by_delivery: LeadDetail = ledger.get(&format!("/api/v1/leads/{}", crm.id)).await.ok();
    assert_eq!(by_delivery.lead.id, lead_id(1));
}

#[tokio::test]
async fn an_ids_beginning_must_mean_one_lead() {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let (first, second) = (0..)
        .find_map(|n| seen.insert(lead_id(n).to_string()[..6].to_owned(), n).map(|earlier| (earlier, n)))
        .expect("two ids that begin alike");
    let ledger = Ledger::start().await;
    ledger.tell(&[accepted(1, &lead(first)), accepted(1, &lead(second))], &[]).await;
    let prefix = &lead_id(first).to_string()[..6];
    assert!(ledger.get(&format!("/api/v1/leads/{prefix}")).await.problem(409).contains("more of the id"));
    for text in ["abcde", "nothing", "00000000-0000-0000-0000-000000000000", "%20"] {
        assert!(ledger.get(&format!("/api/v1/leads/{text}")).await.problem(404).contains("no lead of this id"));
    }
}

async fn ids(ledger: &Ledger, query: &str) -> Vec<LeadId> {
    let page: Page<LeadSummary> = ledger.get(&format!("/api/v1/leads?{query}")).await.ok();
    page.items.into_iter().map(|lead| lead.id).collect()
}

#[tokio::test]
async fn lists_are_filtered_and_paged_without_gaps() {
    let ledger = Ledger::start().await;
    let mut events = Vec::new();
    for n in 0..25 {
        // Some at one time, so that a page may end between them.
        let lead = Lead { received_at: at(i64::from(n / 4)), ..lead(n) };
        events.push(accepted(i64::from(n), &lead));
        let to: &[&str] = if n % 5 == 0 { &["crm", "partner"] } else { &["crm"] };
        events.push(routed(i64::from(n), n, to, 0));
        if n % 2 == 0 {
            events.push(delivered(90, n, "crm", 0));
        }
    }
    ledger.tell(&events, &[]).await;

    for (query, wanted) in
        [("", 25), ("destination=partner&", 5), ("state=delivered&", 10), ("source=addon&", 25), ("q=ann&", 25)]
    {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: Page<LeadSummary> = ledger.get(&format!("/api/v1/leads?{query}limit=3{cursor}")).await.ok();
            assert!(page.items.len() <= 3);
            seen.extend(page.items.into_iter().map(|lead| (lead.received_at, lead.id)));
            match page.next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), wanted, "{query}");
        assert_eq!(seen.len(), wanted, "{query}");
        assert!(seen.is_sorted_by(|a, b| a.0 >= b.0), "newest first");
    }
    assert_eq!(ids(&ledger, "state=routed&destination=partner").await.len(), 5);
    assert_eq!(ids(&ledger, "state=delivered&destination=partner").await, []);
    assert_eq!(ids(&ledger, "q=lee17").await, [lead_id(17)]);
    assert_eq!(ids(&ledger, "q=LEE17%20fabrikam_100%25").await, [lead_id(17)]);
    assert_eq!(ids(&ledger, "q=%25").await.len(), 25);
    assert_eq!(ids(&ledger, "q=lee_").await, []);
    assert_eq!(ids(&ledger, &format!("q={}", &lead_id(3).to_string()[..9])).await, [lead_id(3)]);
    assert_eq!(ids(&ledger, "since=2026-11-23T12:00:06Z").await, [lead_id(24)]);
    assert_eq!(ids(&ledger, "until=2026-11-23T12:00:00Z&destination=crm").await.len(), 4);
    assert_eq!(ids(&ledger, "source=other").await, []);
}

#[tokio::test]
async fn the_parked_list_says_why() {
    let ledger = Ledger::start().await;
    let (event, message) = parked(10, 1, "crm", 0);
    let (event_2, message_2) = quarantined(20, &faulty(2));
    ledger.tell(&[accepted(1, &lead(1)), accepted(2, &faulty(2)), event, event_2], &[message, message_2]).await;

    let page: Page<ParkedItem> = ledger.get("/api/v1/parked").await.ok();
    let texts: Vec<&str> = page.items.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(
        texts,
        ["not a lead: /UserDetails: is missing", "refused: the field is not known (field lastnam) (HTTP 400)"]
    );
    assert_eq!(page.items[0].id, lead_id(2).to_string());
    for (query, wanted) in [
        ("reason=quarantined", 1),
        ("reason=rejected", 1),
        ("reason=unmatched", 0),
        ("destination=crm", 1),
        ("source=addon", 2),
        ("state=quarantined", 1),
        ("q=lee1", 1),
        ("since=2026-11-23T12:00:15Z", 1),
        ("until=2026-11-23T12:00:15Z", 1),
        ("limit=1", 1),
    ] {
        let page: Page<ParkedItem> = ledger.get(&format!("/api/v1/parked?{query}")).await.ok();
        assert_eq!(page.items.len(), wanted, "{query}");
    }
    let shown: ParkedDetail = ledger.get(&format!("/api/v1/parked/{}", page.items[1].id)).await.ok();
    assert_eq!((shown.record.expect("the record")["lastname"].as_str(), shown.body), (Some("Lee1"), None));
    let shown: ParkedDetail = ledger.get(&format!("/api/v1/parked/{}", lead_id(2))).await.ok();
    assert_eq!(shown.body.as_deref(), faulty(2).body.text());
    // The lead of which one thing waits stands for it, and an id's beginning finds it.
    let shown: ParkedDetail = ledger.get(&format!("/api/v1/parked/{}", lead_id(1))).await.ok();
    assert_eq!(shown.id, page.items[1].id);
    for id in [&page.items[1].id, &lead_id(1).to_string()] {
        let found: Page<ParkedItem> = ledger.get(&format!("/api/v1/parked?q={}", &id[..10])).await.ok();
        assert_eq!(found.items.iter().map(|item| &item.id).collect::<Vec<_>>(), [&page.items[1].id]);
    }
    ledger.get(&format!("/api/v1/parked/{}", lead_id(9))).await.problem(404);
    let (event, message) = parked(30, 1, "partner", 0);
    ledger.tell(&[event], &[message]).await;
    let several = ledger.get(&format!("/api/v1/parked/{}", lead_id(1))).await.problem(409);
    assert!(several.contains(&delivery(1, "partner", 0).id.to_string()), "{several}");
    let detail: LeadDetail = ledger.get(&format!("/api/v1/leads/{}", lead_id(2))).await.ok();
    assert_eq!((detail.lead.state, detail.faults), (LeadState::Quarantined, faulty(2).faults));
}

#[tokio::test]
async fn bad_input_is_told_with_the_remedy() {
    let ledger = Ledger::start().await;
    for (path, told) in [
        ("/api/v1/leads?stat=parked", "did you mean `state`?"),
        ("/api/v1/leads?reason=rejected", "there is no parameter `reason`"),
        ("/api/v1/parked?limit=1000", "from 1 to 200"),
        ("/api/v1/leads?cursor=abc", "is not a cursor"),
        ("/api/v1/stats?x=1", "this path takes none"),
    ] {
        assert!(ledger.get(path).await.problem(400).contains(told), "{path}");
    }
    assert!(ledger.get("/api/v1/lead").await.problem(404).contains("nothing at this path"));
    let answer =
        ledger.request("DELETE", "/api/v1/leads", &format!("Authorization: Bearer {}\r\n", ledger.token), "").await;
    assert_eq!(answer.problem(405), "this path takes GET");
    assert!(answer.head.contains("allow: get"), "{answer:?}");
    for (path, body, told) in [
        ("/api/v1/replay", json!({"id": []}), "unknown variant"),
        ("/api/v1/replay", json!({"filter": {"stat": "parked"}}), "unknown field"),
        ("/api/v1/destinations/crm/pause", json!({"why": "x"}), "unknown field"),
        ("/api/v1/destinations/crm/pause", json!({"reason": "x".repeat(501)}), "at most 500"),
    ] {
        assert!(ledger.post(path, &body).await.problem(400).contains(told), "{path} {body}");
    }
    let large = json!({"body": "x".repeat(200 << 10)});
    let repair = format!("/api/v1/parked/{}/repair", lead_id(1));
    assert_eq!(ledger.post(&repair, &large).await.problem(413), "the body is too large");
    let many: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    assert!(ledger.post("/api/v1/replay", &json!({"ids": many})).await.problem(413).contains("at most 1000"));
}

#[tokio::test]
async fn a_destination_paused_by_hand_stays_paused_over_a_restart() {
    let ledger = Ledger::start().await;
    let control = ledger.ctx.queue.control();
    let paused = |control: &tokio::sync::watch::Receiver<Option<_>>| {
        let control: Option<std::sync::Arc<leadrelay_shared::control::Control>> = control.borrow().clone();
        control.map(|c| c.paused.clone()).unwrap_or_default()
    };
    let status: DestinationStatus =
        ledger.post("/api/v1/destinations/crm/pause", &json!({"reason": "holiday"})).await.ok();
    assert!(status.paused);
    assert_eq!(status.cause, Some(PauseCause::Operator { reason: "holiday".to_owned() }));
    assert_eq!(paused(&control).get("crm").map(String::as_str), Some("holiday"));
    assert!(
        ledger.post("/api/v1/destinations/cmr/pause", &json!({})).await.problem(404).contains("did you mean `crm`?")
    );

    let ledger = ledger.restart("").await;
    let mut control = ledger.ctx.queue.control();
    control.wait_for(Option::is_some).await.expect("told at the start");
    assert_eq!(paused(&control).len(), 1);
    let status: DestinationStatus = ledger.post("/api/v1/destinations/crm/resume", &json!({})).await.ok();
    assert!(!status.paused);
    assert_eq!(paused(&control).len(), 0);
}

#[tokio::test]
async fn decisions_are_told_again_every_few_seconds() {
    let ledger = Ledger::start().await;
    let mut control = ledger.ctx.queue.control();
    control.wait_for(Option::is_some).await.expect("told at the start");
    // A process that starts later knows nothing until it is told.
    ledger.ctx.queue.publish_control(leadrelay_shared::control::Control::default());
    ledger.post("/api/v1/destinations/crm/pause", &json!({})).await.ok::<Value>();
    ledger.ctx.queue.publish_control(leadrelay_shared::control::Control::default());
    ledger
        .until("told again", async || {
            ledger.ctx.clock.advance(std::time::Duration::from_secs(5));
            ledger.ctx.queue.control().borrow().as_ref().is_some_and(|c| c.is_paused("crm"))
        })
        .await;
}

#[tokio::test]
async fn destinations_say_how_they_are() {
    let ledger = Ledger::start().await;
    let cause = PauseCause::Failing { error: down() };
    let paused = Fact::Paused { destination: "partner".to_owned(), cause: cause.clone(), until: Some(at(500)) };
    let (event_1, message) = parked(20, 2, "crm", 0);
    let events = [
        accepted(1, &lead(1)),
        routed(2, 1, &["crm"], 0),
        delivered(3, 1, "crm", 0),
        accepted(4, &lead(2)),
        routed(5, 2, &["crm", "old"], 0),
        event_1,
        event(30, paused),
    ];
    ledger.tell(&events, &[message]).await;
    let waiting = delivery(2, "old", 0);
    let topic = leadrelay_shared::queue::Topic::deliver("old");
    ledger.ctx.queue.publish(vec![topic.message(waiting.id.uuid(), &waiting)]).await.expect("published");

    let all: Vec<DestinationStatus> = ledger.get("/api/v1/destinations").await.ok();
    let names: Vec<(&str, &str)> = all.iter().map(|d| (d.name.as_str(), d.connector.as_str())).collect();
    // `old` is no longer configured, and a lead waits for it.
    assert_eq!(names, [("crm", "file"), ("old", ""), ("partner", "file")]);
    assert_eq!((all[0].delivered, all[0].parked, all[0].last_success_at), (1, 1, Some(at(3))));
    assert_eq!((all[0].paused, all[0].last_error_at), (false, Some(at(20))));
    assert_eq!((all[1].ready, all[1].delivered), (1, 0));
    assert_eq!((&all[2].cause, all[2].paused_until), (&Some(cause.clone()), Some(at(500))));
    let by_hand: DestinationStatus = ledger.post("/api/v1/destinations/partner/pause", &json!({})).await.ok();
    assert!(matches!(by_hand.cause, Some(PauseCause::Operator { .. })));
    ledger.tell(&[event(60, Fact::Resumed { destination: "partner".to_owned() })], &[]).await;
    let resumed: DestinationStatus = ledger.post("/api/v1/destinations/partner/resume", &json!({})).await.ok();
    assert!(!resumed.paused);

    // A process that dies while a destination is paused does not say that it is tried again; its success does.
    let paused =
        |seconds| event(seconds, Fact::Paused { destination: "crm".to_owned(), cause: cause.clone(), until: None });
    let crm = async || {
        let all: Vec<DestinationStatus> = ledger.get("/api/v1/destinations").await.ok();
        all.into_iter().find(|d| d.name == "crm").expect("crm").paused
    };
    ledger.tell(&[paused(70)], &[]).await;
    assert!(crm().await);
    ledger.tell(&[delivered(80, 2, "crm", 0)], &[]).await;
    assert!(!crm().await);
}

#[tokio::test]
async fn sources_and_numbers() {
    let ledger = Ledger::start().await;
    let test = Lead {
        body: r#"{"UserDetails":{"Email":"MSFT_TEST_636573304831318844@test.com"}}"#.to_owned().into(),
        ..lead(7)
    };
    ledger.tell(&[accepted(1, &lead(1)), accepted(2, &test), accepted(3, &lead(9))], &[]).await;
    let sources: Vec<SourceStatus> = ledger.get("/api/v1/sources").await.ok();
    assert_eq!((sources.len(), sources[0].leads), (1, 3));
    assert_eq!((sources[0].last_lead_at, sources[0].last_test_lead_at), (Some(at(9)), Some(at(7))));
    let stats: Stats = ledger.get("/api/v1/stats").await.ok();
    assert_eq!(stats.leads, BTreeMap::from([("accepted".to_owned(), 3)]));
}

#[tokio::test]
async fn the_api_describes_itself() {
    let ledger = Ledger::start().await;
    let document: Value = ledger.get("/api/v1/openapi.json").await.ok();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    for path in [
        "leads",
        "leads/{id}",
        "parked",
        "parked/{id}/repair",
        "replay",
        "destinations/{name}/pause",
        "stats",
        "alerts",
        "alerts/test",
    ] {
        assert!(paths.contains_key(&format!("/api/v1/{path}")), "{path}");
    }
    assert!(document["paths"]["/api/v1/leads/{id}"].get("delete").is_some());
    let mut references = 0;
    every_reference(&document, &mut |reference| {
        references += 1;
        let pointer = reference.strip_prefix('#').expect("in this document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    });
    assert!(references > 20, "{references}");
}

fn every_reference(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            for (key, below) in object {
                match below {
                    Value::String(text) if key == "$ref" => found(text),
                    below => every_reference(below, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|below| every_reference(below, found)),
        _ => {}
    }
}
