//! What is answered 202, and what of it is on the queue.

use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::event::Fact;
use leadrelay_shared::lead::Lead;

use crate::harness::{Answer, Door, LEAD, SOURCES, TOKEN, manual, waiting};

fn ids(leads: &[Lead]) -> Vec<String> {
    let mut ids: Vec<String> = leads.iter().map(|lead| lead.id.to_string()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_lead_in_any_case_with_any_content_type_or_none() {
    let door = Door::open().await;
    let bodies = [
        LEAD.to_owned(),
        LEAD.replace("UserDetails", "userDetails").replace("LeadSource", "LEADSOURCE"),
        LEAD.replace("ActionCode", "actioncode").replace("Contoso Test", "Überprüfung"),
        format!("\u{feff}{LEAD}"),
        r#"{"LeadSource":"SPZA-DNC|contoso.addin","Campaign":{"a":[1]}}"#.to_owned(),
    ];
    let types = ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"];
    let mut told = Vec::new();
    for (n, body) in bodies.iter().enumerate() {
        let mut request = door.client.post(door.url("addon", TOKEN)).body(body.clone());
        if let Some(kind) = types.get(n) {
            request = request.header("content-type", *kind);
        }
        told.push(Answer::of(request.send().await.expect("an answer")).await.id("accepted"));
    }
    let now = door.clock.now();
    let (leads, events) = door.finish().await;
    told.sort();
    assert_eq!(ids(&leads), told);
    assert_eq!(events, []);
    for lead in leads {
        assert!(bodies.iter().any(|body| body.as_bytes() == &*lead.body), "the bytes are untouched");
        assert_eq!((lead.source.as_str(), lead.received_at, lead.round, lead.is_sound()), ("addon", now, 0, true));
    }
}

#[tokio::test]
async fn the_token_may_come_in_a_header() {
    let door = Door::open().await;
    let url = format!("http://{}/v1/leads/addon", door.address);
    for (n, (name, value)) in [
        ("authorization", format!("Bearer {TOKEN}")),
        ("Authorization", format!("bearer  {TOKEN}")),
        ("x-api-key", TOKEN.to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let body = LEAD.replace("Contoso Test", &n.to_string());
        let sent = door.client.post(&url).header(name, value).body(body).send().await.expect("an answer");
        Answer::of(sent).await.id("accepted");
    }
    assert_eq!(door.finish().await.0.len(), 3);
}

#[tokio::test]
async fn the_same_again_is_a_duplicate_with_the_first_id() {
    let door = Door::open().await;
    let first = door.post(LEAD).await.id("accepted");
    assert_eq!(door.post(LEAD).await.id("duplicate"), first);
    door.clock.advance(Duration::from_secs(60));
    assert_eq!(door.post(LEAD).await.id("duplicate"), first);
    let other = door.post_to("strict", LEAD).await.id("accepted");
    assert_ne!(other, first, "another source's lead is another lead");
    let (leads, events) = door.finish().await;
    assert_eq!(leads.len(), 2);
    assert_eq!(events.len(), 2);
    for event in events {
        let Fact::Duplicate { lead, source } = event.fact else { panic!("another fact: {event:?}") };
        assert_eq!((lead.to_string(), source.as_str()), (first.clone(), "addon"));
    }
}

#[tokio::test]
async fn the_edge_of_a_numbered_window_is_bridged_and_the_window_ends() {
    let door = Door::open().await;
    door.clock.advance(Duration::from_secs(12 * 3600 - 1));
    let first = door.post(LEAD).await.id("accepted");
    door.clock.advance(Duration::from_secs(2));
    assert_eq!(door.post(LEAD).await.id("duplicate"), first);
    door.clock.advance(Duration::from_secs(24 * 3600));
    assert_ne!(door.post(LEAD).await.id("accepted"), first);
    assert_eq!(door.finish().await.0.len(), 2);
}

#[tokio::test]
async fn a_restarted_door_gives_a_resend_the_same_id() {
    let door = Door::open().await;
    let first = door.post(LEAD).await.id("accepted");
    let (dir, clock) = (door.dir.clone(), door.clock.clone());
    assert_eq!(ids(&door.finish().await.0), std::slice::from_ref(&first));
    let door = Door::on(dir, clock, SOURCES).await;
    assert_eq!(door.post(LEAD).await.id("accepted"), first);
    assert_eq!(ids(&door.finish().await.0), [first]);
}

/// Posts with a key of the sender's own.
async fn keyed(door: &Door, key: &str, body: &'static str) -> Answer {
    let request = door.client.post(door.url("addon", TOKEN)).header("Idempotency-Key", key).body(body);
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn the_senders_key_decides_where_there_is_one() {
    let door = Door::open().await;
    let send = async |key: &str, body: &'static str| keyed(&door, key, body).await;
    let first = send("a", LEAD).await.id("accepted");
    assert_eq!(send("a", LEAD).await.id("duplicate"), first);
    assert_ne!(send("b", LEAD).await.id("accepted"), first);
    assert_eq!(send("a", r#"{"LeadSource":"x"}"#).await.problem(422)["type"], "urn:leadrelay:problem:key_reused");
    send("", LEAD).await.problem(400);
    send(&"k".repeat(256), LEAD).await.problem(400);
    send(&"k".repeat(255), LEAD).await.id("accepted");
    assert_eq!(door.finish().await.0.len(), 3);
}

#[tokio::test]
async fn a_key_that_is_forgotten_loses_no_other_body() {
    let other = r#"{"LeadSource":"x"}"#;
    let door = Door::open().await;
    let first = keyed(&door, "a", LEAD).await.id("accepted");
    let (dir, clock) = (door.dir.clone(), door.clock.clone());
    door.closed().await;
    let door = Door::on(dir, clock, SOURCES).await;
    let second = keyed(&door, "a", other).await.id("accepted");
    assert_ne!(second, first, "or one of the two would vanish as a copy of the other");
    keyed(&door, "a", LEAD).await.problem(422);
    door.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(keyed(&door, "a", LEAD).await.id("accepted"), first, "what one sender sent twice is one lead");
    let (leads, _) = door.finish().await;
    let bodies: Vec<&[u8]> = leads.iter().map(|lead| &*lead.body).collect();
    assert!(bodies.contains(&LEAD.as_bytes()) && bodies.contains(&other.as_bytes()), "both are on the queue");
    let mut told = vec![first, second];
    told.sort();
    let mut stored = ids(&leads);
    stored.dedup();
    assert_eq!(stored, told);
}

#[tokio::test]
async fn many_at_once_make_one_lead() {
    let door = Arc::new(Door::with(&format!("rate_limit = 10000\n{SOURCES}")).await);
    let all = (0..40).map(|_| {
        let door = door.clone();
        tokio::spawn(async move { door.post(LEAD).await.json() })
    });
    let all = futures_util::future::join_all(all).await;
    let answers: Vec<_> = all.into_iter().map(|answer| answer.expect("no panic")).collect();
    assert_eq!(answers.iter().filter(|a| a["status"] == "accepted").count(), 1);
    assert_eq!(answers.iter().filter(|a| a["status"] == "duplicate").count(), 39);
    assert!(answers.iter().all(|a| a["id"] == answers[0]["id"]));
    assert_eq!(waiting(&door.queue, "leads").await, 1);
}

#[tokio::test]
async fn what_is_not_a_lead_is_kept_with_its_faults_or_refused() {
    let no_comma = "{\"userDetails\":{},\n\"OfferTitle\": \"CANARY\"\n\"Description\": \"CANARY\"}";
    let webhook =
        r#"{"activityId":"a","subscriptionId":"b","publisherId":"c","offerId":"d","planId":"e","action":"Renew"}"#;
    let cases: [(&[u8], &str, &str); 9] = [
        (b"hello CANARY", "", "is not JSON"),
        (no_comma.as_bytes(), "/OfferTitle", "line 3, column 1; a comma is missing"),
        (b"\"CANARY\"", "", "is a string"),
        (b"[{\"LeadSource\":\"CANARY\"}]", "", "is an array"),
        (webhook.as_bytes(), "", "SaaS fulfilment webhook"),
        (b"{\"LeadSource\":\"\xff\"}", "", "is not UTF-8"),
        (b"{\"userdetails\":{\"EMAIL\":7}}", "/userdetails/EMAIL", "must be a string, is a number"),
        (b"", "", "is empty"),
        (b"{\"LeadSource\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", "/LeadSource", "nested deeper than 64"),
    ];
    let door = Door::open().await;
    let mut told = Vec::new();
    for (body, pointer, reason) in cases {
        told.push(door.post(body).await.id("quarantined"));
        let problem = door.post_to("strict", body).await.problem(400);
        assert_eq!(problem["faults"][0]["pointer"], pointer, "{problem}");
        assert!(problem["faults"][0]["reason"].as_str().expect("a reason").contains(reason), "{problem}");
    }
    assert_eq!(door.post(cases[0].0).await.id("duplicate"), told[0], "a resend of what is kept is a resend");
    let (leads, events) = door.finish().await;
    assert_eq!(events.len(), 1);
    assert_eq!(leads.len(), cases.len(), "what was refused is not stored");
    for (body, pointer, _) in cases {
        let lead = leads.iter().find(|lead| &*lead.body == body).expect("the bytes are untouched");
        assert_eq!((lead.source.as_str(), lead.faults[0].pointer.as_str()), ("addon", pointer));
    }
}

#[tokio::test]
async fn a_json_source_has_a_schema_of_its_own() {
    let dir = Arc::new(tempfile::TempDir::new().expect("a directory"));
    let schema = r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","required":["email"],"properties":{"email":{"$ref":"#/$defs/email"}},"$defs":{"email":{"type":"string"}}}"##;
    std::fs::write(dir.path().join("form.json"), schema).expect("a file");
    let source = format!("[sources.form]\nformat = \"json\"\nschema = \"form.json\"\ntokens = [\"{TOKEN}\"]\n");
    let door = Door::on(dir, manual(), &source).await;
    door.post_to("form", r#"{"email":"ann@example.com"}"#).await.id("accepted");
    door.post_to("form", r#"{"email":17}"#).await.id("quarantined");
    door.post_to("form", r#"{"name":"Ann"}"#).await.id("quarantined");
    let (leads, _) = door.finish().await;
    assert_eq!(leads.iter().filter(|lead| lead.is_sound()).count(), 1);
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_to_go_on() {
    let door = Door::open().await;
    let head = door.head(&format!("Expect: 100-continue\r\nContent-Length: {}\r\nConnection: close\r\n", LEAD.len()));
    let mut stream = tokio::net::TcpStream::connect(door.address).await.expect("a connection");
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.expect("written");
    let mut go_on = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut go_on).await.expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, LEAD.as_bytes()).await.expect("written");
    let answer = crate::harness::rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n") && answer.contains("\"status\":\"accepted\""), "{answer}");
    assert_eq!(door.finish().await.0.len(), 1);
}
