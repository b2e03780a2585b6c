//! Leads, tokens and secrets are seeded with marks, everything is logged, and everything that the process says is searched:
//! none of the marks is found.

use leadrelay_testkit::{Fault, How, Plan};

use crate::support::partner::Partner;
use crate::support::process::Process;
use crate::support::world;

/// In every contact field, token and secret. Upper case, digits and no separators: it survives every encoding but base64.
const MARK: &str = "C4N4RY";
/// Base64 of the mark at each of the three offsets, without the characters that its neighbours change.
const ENCODED: [&str; 3] = ["QzRONFJZ", "M0TjRSW", "DNE40Ul"];

const TOKEN: &str = "C4N4RY-source-token-0123456789";
const ADMIN: &str = "C4N4RY-admin-token-0123456789";
/// `C4N4RY` and 26 more bytes.
const SECRET: &str = "whsec_QzRONFJZLXdlYmhvb2stc2VjcmV0LTAxMjM0NTY3ODk=";
const API_KEY: &str = "C4N4RY-api-key-0123456789";

fn lead(n: u64) -> String {
    format!(
        r#"{{"UserDetails":{{"FirstName":"{MARK}{n}","LastName":"{MARK}","Email":"{MARK}{n}@example.com","Phone":"555{MARK}","Country":"{MARK}","Company":"{MARK}","Title":"{MARK}"}},"LeadSource":"{MARK}-{MARK}|{MARK}.{MARK}","ActionCode":"{MARK}","OfferTitle":"{MARK}","Description":"{MARK}","{MARK}":"{MARK}"}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_says_what_is_in_a_lead_or_a_secret() {
    let receiver = Partner::start(SECRET).await;
    // What pauses the destination for long comes last.
    let broken = [422, 500, 418, 400].map(How::Echo).into_iter();
    let broken = broken.chain([How::Garbage, How::Cut, How::CutAnswer, How::Oversize(1 << 20)]);
    let broken = broken.chain([429, 302, 401].map(How::Echo));
    receiver.plan(Plan::List(broken.map(|how| Some(Fault::before(how))).collect()));
    let there = format!("{}/{MARK}?sig={MARK}", receiver.url());
    let dir = world::directory_with(&there, TOKEN, ADMIN, SECRET, &more());
    let mut relay = Process::start(dir.path(), &[("LEADRELAY_LOG", "trace"), ("RUST_BACKTRACE", "1")]);
    let door = relay.door().await;
    let admin = relay.admin().await;
    let http = world::client();
    let mut said = String::new();

    let url = format!("http://{}{}", door.address, format_args!("/v1/leads/addon/{TOKEN}"));
    let mut ids = Vec::new();
    for n in 0..14 {
        let key = format!("{MARK}-{n}");
        let (_, answer) = world::send(http.post(&url).header("idempotency-key", key).body(lead(n))).await;
        ids.push(answer["id"].as_str().unwrap_or_default().to_owned());
        said.push_str(&answer.to_string());
    }
    // A key that came with another body, and one that is none.
    for (key, status) in [(format!("{MARK}-0"), 422), (MARK.repeat(100), 400)] {
        let (answered, answer) = world::send(http.post(&url).header("idempotency-key", key).body(lead(98))).await;
        assert_eq!(answered, status, "{answer}");
        said.push_str(&answer.to_string());
    }
    let broken = world::send(http.post(&url).body(format!("{{\"{MARK}\": \"{MARK}\""))).await.1;
    said.push_str(&broken.to_string());
    for body in ["", MARK, "{\"a\":", "[\"C4N4RY\"]", r#"{"UserDetails":{"Email":{"C4N4RY":1}}}"#] {
        said.push_str(&world::send(http.post(&url).body(body)).await.1.to_string());
    }
    for path in ["/v1/leads/C4N4RY/C4N4RY", "/v1/leads/addon/C4N4RY", "/C4N4RY?C4N4RY=C4N4RY"] {
        let url = format!("http://{}{path}", door.address);
        said.push_str(&world::send(http.post(&url).header("x-c4n4ry", MARK).body(lead(99))).await.1.to_string());
    }
    // The console's sign-in page alone tells whoever asks for a page which one that was.
    for path in ["/healthz", "/readyz", "/metrics", "/api/v1/leads", "/api/C4N4RY", "/login"] {
        let url = format!("http://{admin}{path}");
        said.push_str(
            &http
                .get(&url)
                .header("authorization", format!("Bearer {MARK}"))
                .send()
                .await
                .expect("an answer")
                .text()
                .await
                .expect("text"),
        );
    }
    // The API shows leads to whoever has the token, and that is what it is for; it must not log them.
    for path in ["/api/v1/leads?q=C4N4RY".to_owned(), "/api/v1/parked".to_owned(), format!("/api/v1/leads/{}", ids[0])]
    {
        let (status, _) = world::send(http.get(format!("http://{admin}{path}")).bearer_auth(ADMIN)).await;
        assert_eq!(status, 200, "{path}");
    }
    // Whoever is told of alerts is not reached, and why is said by the answer and by the log.
    let test = http.post(format!("http://{admin}/api/v1/alerts/test")).bearer_auth(ADMIN);
    let (status, tested) = world::send(test.body("")).await;
    assert_eq!((status, &tested[0]["sent"], &tested[1]["sent"]), (200, &false.into(), &false.into()), "{tested}");
    said.push_str(&tested.to_string());
    let id = broken["id"].as_str().expect("it is kept for repair");
    let repair = format!("http://{admin}/api/v1/parked/{id}/repair");
    for (body, status) in [(format!("{{{MARK}"), 422), (lead(50), 200)] {
        let body = serde_json::json!({"body": body}).to_string();
        // It is in the parked list a moment after the answer.
        world::eventually("it can be repaired", async || {
            let request = http.post(&repair).bearer_auth(ADMIN).header("content-type", "application/json");
            world::send(request.body(body.clone())).await.0 == status
        })
        .await;
    }
    receiver.server.has_seen(9).await;
    relay.signal(libc::SIGTERM);
    assert!(relay.ended().await.success());
    said.push_str(&relay.output.lock().expect("its output"));
    let lines: Vec<&str> =
        said.lines().filter(|l| std::iter::once(&MARK).chain(&ENCODED).any(|mark| l.contains(*mark))).collect();
    assert!(lines.is_empty(), "{} lines tell what they must not: {:#?}", lines.len(), &lines[..lines.len().min(5)]);
    assert!(said.contains("attempt failed"), "the search was of something: {}", said.len());
}

/// A header that is a secret. Alerts with secrets, to where nobody is and to a URL with a token. One route that works, one whose
/// template fails on every lead, one that is full of what the lead holds.
fn more() -> String {
    format!(
        "[destinations.partner.headers]\nx-api-key = \"{API_KEY}\"\n{}[destinations.inbox]\nconnector = \"file\"\npath = \"inbox\"\n\
         [alerts.mail]\nserver = \"127.0.0.1\"\nport = 9\ntls = \"none\"\nuser = \"{MARK}\"\npassword = \"{MARK}\"\n\
         from = \"relay@example.com\"\nto = [\"{MARK}@example.com\"]\n[alerts.webhook]\n\
         url = \"http://127.0.0.1:9/{MARK}?sig={MARK}\"\nsecret = \"{SECRET}\"\nallow_private_addresses = true\n\
         [[routes]]\nname = \"fails\"\nto = \"inbox\"\n[routes.fields]\nx = \"{{{{ lead.email + 1 }}}}\"\n",
        world::ALL_TO_PARTNER
    )
}
