//! The console over HTTP: who sees it, who changes something, and what hostile input becomes.

use leadrelay_ledger::api::types::{AuditEntry, DestinationStatus, LeadDetail, LeadState, Page, ParkedItem};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::delivery::Parked;
use leadrelay_shared::event::{Event, Fact};
use leadrelay_shared::lead::{Body, Lead};
use leadrelay_shared::queue::Topic;

use super::Ledger;
use crate::fixtures::*;
use crate::harness::Answer;

/// Somebody with a browser.
pub(crate) struct Visitor<'a> {
    ledger: &'a Ledger,
    cookie: String,
}

impl<'a> Visitor<'a> {
    pub(crate) async fn new(ledger: &'a Ledger) -> Self {
        let body = form(&[("token", &ledger.token), ("name", "Ann"), ("next", "/leads")]);
        let answer = ledger.request("POST", "/login", FORM, &body).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert_eq!(header(&answer, "location"), "/leads");
        Self { ledger, cookie: cookie(&answer) }
    }

    fn headers(&self, more: &str) -> String {
        format!("Cookie: theme=dark; {}\r\n{more}", self.cookie)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ledger.request("GET", path, &self.headers(""), "").await
    }

    /// The page, which must be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        plain(&answer.body)
    }

    /// A form as its own page sends it.
    pub(crate) async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let token = self.token().await;
        let mut all = vec![("form", token.as_str())];
        all.extend(pairs);
        self.ledger.request("POST", path, &self.headers(FORM), &form(&all)).await
    }

    async fn token(&self) -> String {
        between(&self.page("/").await, "name=\"form\" value=\"", "\"").to_owned()
    }
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://ledger\r\n";

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let line = answer.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name}: {answer:?}"))
}

/// The cookie of an answer, in the case in which it came: the harness folds heads.
fn cookie(answer: &Answer) -> String {
    let line = answer.whole.lines().find(|line| line.to_lowercase().starts_with("set-cookie: ")).expect("a cookie");
    line["set-cookie: ".len()..].split(';').next().expect("a pair").to_owned()
}

/// A page with the one sign in addresses that templates write in another way.
fn plain(page: &str) -> String {
    page.replace("&#x2f;", "/")
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).expect("an end").0
}

/// A lead that waits at the door, because it is none.
fn at_the_door(n: u32, body: &str) -> (Vec<Event>, Parked) {
    let lead = Lead { body: Body::from(body.to_owned()), ..faulty(n) };
    let (event, waits) = quarantined(2, &lead);
    (vec![accepted(1, &lead), event], waits)
}

#[tokio::test]
async fn a_page_is_shown_to_those_who_signed_in() {
    let ledger = Ledger::start().await;
    for path in ["/", "/leads?state=parked", "/parked", "/sources", "/destinations", "/audit", "/person", "/nowhere"] {
        let answer = ledger.request("GET", path, "", "").await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert!(header(&answer, "location").starts_with("/login?next=%2f"), "{answer:?}");
    }
    let visitor = Visitor::new(&ledger).await;
    for path in [
        "/",
        "/leads?state=parked",
        "/parked",
        "/sources",
        "/destinations",
        "/audit",
        "/person",
        "/replay",
        "/try",
        "/alerts",
    ] {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(header(&answer, "content-security-policy").starts_with("default-src 'none';"), "{path}");
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert_eq!(header(&answer, "x-frame-options"), "deny");
    }
    assert_eq!(visitor.get("/nowhere").await.status, 404);
    assert!(visitor.page("/audit").await.contains("sign in"));
    let style = between(&visitor.page("/").await, "stylesheet\" href=\"", "\"").to_owned();
    let answer = ledger.request("GET", &style, "", "").await;
    assert_eq!((answer.status, header(&answer, "content-type")), (200, "text/css; charset=utf-8"));
    assert!(header(&answer, "cache-control").contains("immutable"));
}

#[tokio::test]
async fn other_machines_are_served_only_if_that_is_said() {
    let clock = Clock::manual(start());
    let open = |more: &str| format!("\n[admin]\nlisten = \"0.0.0.0:0\"\n{more}");
    let refused = Ledger::refused(&open(""), clock.clone()).await;
    assert!(refused.contains("admin.listen: other machines") && refused.contains("plain_http = true"), "{refused}");
    let ledger = Ledger::with(&open("plain_http = true\n"), clock).await;
    assert_eq!(ledger.request("GET", "/healthz", "", "").await.status, 200);
}

#[tokio::test]
async fn a_session_ends() {
    let clock = Clock::manual(start());
    let ledger = Ledger::with("", clock.clone()).await;
    let visitor = Visitor::new(&ledger).await;
    clock.advance(std::time::Duration::from_secs(59 * 60));
    let answer = visitor.get("/").await;
    assert_eq!(answer.status, 200);
    let renewed = Visitor { ledger: &ledger, cookie: cookie(&answer) };
    clock.advance(std::time::Duration::from_secs(2 * 60));
    assert_eq!(visitor.get("/").await.status, 303, "an hour without use");
    assert_eq!(renewed.get("/").await.status, 200);
    let answer = renewed.post("/logout", &[]).await;
    assert_eq!((answer.status, header(&answer, "location")), (303, "/login"));
    assert_eq!(renewed.get("/").await.status, 303, "signed out");
    let forged = Visitor { ledger: &ledger, cookie: format!("{}A", renewed.cookie) };
    assert_eq!(forged.get("/").await.status, 303);
}

#[tokio::test]
async fn wrong_tokens_are_limited() {
    let clock = Clock::manual(start());
    let ledger = Ledger::with("", clock.clone()).await;
    for _ in 0..5 {
        let answer = ledger.request("POST", "/login", FORM, &form(&[("token", "guess")])).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains("This is not the admin token."));
    }
    let right = form(&[("token", &ledger.token)]);
    let answer = ledger.request("POST", "/login", FORM, &right).await;
    assert_eq!((answer.status, header(&answer, "retry-after")), (429, "300"));
    clock.advance(std::time::Duration::from_secs(300));
    assert_eq!(ledger.request("POST", "/login", FORM, &right).await.status, 303);
}

#[tokio::test]
async fn only_our_own_forms_change_something() {
    let ledger = Ledger::start().await;
    let visitor = Visitor::new(&ledger).await;
    let token = visitor.token().await;
    let pause = |token: &str| form(&[("form", token), ("act", "pause"), ("reason", "no")]);
    let other = Visitor::new(&ledger).await;
    let cross = FORM.replace("http://ledger", "https://evil.example.com");
    let cases = [
        ("without a token", visitor.headers(FORM), form(&[("act", "pause")]), "load the page again"),
        ("with another's token", other.headers(FORM), pause(&token), "load the page again"),
        ("from another site", visitor.headers(&cross), pause(&token), "another site"),
        (
            "from a frame without origin",
            visitor.headers(&FORM.replace("http://ledger", "null")),
            pause(&token),
            "another site",
        ),
        (
            "as the browser says",
            visitor.headers(&format!("{FORM}Sec-Fetch-Site: cross-site\r\n")),
            pause(&token),
            "another site",
        ),
        ("without a session", FORM.to_owned(), pause(&token), "not signed in"),
    ];
    for (case, headers, body, told) in cases {
        let answer = ledger.request("POST", "/destinations/crm", &headers, &body).await;
        assert_eq!(answer.status, 403, "{case}: {answer:?}");
        assert!(answer.body.contains(told), "{case}: {}", answer.body);
        assert!(answer.head.contains("content-security-policy"), "{case}");
    }
    let destinations: Vec<DestinationStatus> = ledger.get("/api/v1/destinations").await.ok();
    assert!(destinations.iter().all(|d| !d.paused));
    assert_eq!(visitor.post("/destinations/crm", &[("act", "pause"), ("reason", "<b>repair</b>")]).await.status, 303);
    let page = visitor.page("/destinations").await;
    assert!(page.contains("by hand: &lt;b&gt;repair"), "{page}");
    assert_eq!(visitor.post("/destinations/crm", &[("act", "resume")]).await.status, 303);
    assert_eq!(visitor.post("/destinations/crn", &[("act", "pause")]).await.status, 404);
    let told: Page<AuditEntry> = ledger.get("/api/v1/audit").await.ok();
    let told: Vec<_> = told
        .items
        .iter()
        .map(|a| (a.operator.as_str(), a.act.as_str(), a.object.as_str(), a.outcome.as_deref()))
        .collect();
    let done = Some("done");
    assert_eq!(told[..2], [("Ann", "resume", "crm", done), ("Ann", "pause", "crm", done)]);
}

#[tokio::test]
async fn what_a_lead_says_is_text_wherever_it_stands() {
    const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 1234*5678 }}";
    let ledger = Ledger::start().await;
    let body = serde_json::json!({
        "UserDetails": {"FirstName": EVIL, "LastName": EVIL, "Email": EVIL, "Phone": EVIL, "Company": EVIL, "Title": EVIL, "Country": EVIL},
        "LeadSource": EVIL, "ActionCode": EVIL, "OfferTitle": EVIL, "Description": EVIL, EVIL: EVIL,
    });
    let (events, waits) = at_the_door(1, &body.to_string());
    ledger.tell(&events, &[waits]).await;
    let visitor = Visitor::new(&ledger).await;
    let id = lead_id(1).to_string();
    let search = format!("/leads?{}", form(&[("q", "<script>alert(1)</script>")]));
    for path in [
        "/",
        "/leads",
        &search,
        "/parked",
        &format!("/leads/{id}"),
        &format!("/parked/{id}"),
        &format!("/leads/{id}/erase"),
    ] {
        let page = visitor.page(path).await;
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{path}: {page}");
        assert!(!page.contains("7006652"), "{path}: evaluated");
    }
    let found = visitor.post("/person", &[("act", "find"), ("email", "\"><script>@example.com")]).await;
    assert!(found.body.contains("value=\"&quot;&gt;&lt;script&gt;@example.com\""), "{}", found.body);
}

#[tokio::test]
async fn made_up_requests_are_told_what_is_wrong() {
    let ledger = Ledger::start().await;
    let visitor = Visitor::new(&ledger).await;
    for (path, status, told) in [
        ("/leads?cursor=zzz", 400, "is not a cursor"),
        ("/leads?state=bad", 400, "not one that a lead can be in"),
        ("/leads/0000000", 404, "no lead of this id"),
        ("/parked/%2e%2e%2f", 404, "nothing of this id"),
        ("/jobs/1", 404, "nothing is known of this"),
        ("/audit?cursor=x", 400, "not a place"),
        ("/assets/x/..%2fmod.rs", 404, "nothing at this path"),
    ] {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.body.contains(told), "{path}: {}", answer.body);
    }
    let long = format!("/leads?q={}", "a".repeat(3000));
    assert_eq!(visitor.get(&long).await.status, 400);
    // A search of a megabyte does not even get as far as that.
    let answer = visitor.get(&format!("/leads?q={}", "a".repeat(1 << 20))).await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    let answer = visitor.post("/parked/1", &[("act", "judge"), ("body", &"a".repeat(1 << 20))]).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    assert_eq!(visitor.post("/replay", &[("what", "chosen")]).await.status, 400);
}

#[tokio::test]
async fn a_body_is_put_right_in_place() {
    let ledger = Ledger::start().await;
    let (events, waits) = at_the_door(1, "{\"a\": 1}");
    ledger.tell(&events, &[waits]).await;
    let visitor = Visitor::new(&ledger).await;
    let place = format!("/parked/{}", lead_id(1));
    let page = visitor.page(&place).await;
    assert!(page.contains("{&quot;a&quot;: 1}"), "{page}");
    let answer = visitor.post(&place, &[("act", "judge"), ("body", "{}")]).await;
    assert!(answer.body.contains("It is still not a lead"), "{}", answer.body);
    let good = lead(1).body.text().expect("text").to_owned();
    let answer = visitor.post(&place, &[("act", "judge"), ("body", &good)]).await;
    assert!(answer.body.contains("This is a lead."), "{}", answer.body);
    assert_eq!(ledger.depth("leads").await, 0);
    let answer = visitor.post(&place, &[("act", "repair"), ("body", "{}")]).await;
    assert!(answer.body.contains("It is still not a lead"), "{}", answer.body);
    // Two operators press at once: one of them sends it, the other is told.
    let pairs = [("act", "repair"), ("body", good.as_str())];
    let (one, other) = tokio::join!(visitor.post(&place, &pairs), visitor.post(&place, &pairs));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409], "{one:?} {other:?}");
    let sent: Vec<Lead> = ledger.take(&Topic::leads()).await;
    assert_eq!(sent.iter().map(|l| (l.round, l.body.text())).collect::<Vec<_>>(), [(1, Some(good.as_str()))]);
}

#[tokio::test]
async fn all_that_match_are_sent_after_their_number_was_shown() {
    let ledger = Ledger::with("", Clock::manual(at(1000))).await;
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    for n in 0..70 {
        let (event, message) = parked(10 + i64::from(n), n, if n < 65 { "crm" } else { "partner" }, 0);
        events.extend([accepted(1, &lead(n)), routed(2, n, &["crm", "partner"], 0), event]);
        waiting.push(message);
    }
    ledger.tell(&events, &waiting).await;
    let visitor = Visitor::new(&ledger).await;
    let page = visitor.page("/parked").await;
    assert!(page.contains("70 items") && page.contains("reason=rejected&amp;destination=crm"), "{page}");
    let page = visitor.page("/replay?reason=rejected&destination=crm").await;
    assert!(page.contains("Send 65 again"), "{page}");
    let answer = visitor.post("/replay", &[("what", "filter"), ("reason", "rejected"), ("destination", "crm")]).await;
    let job = header(&answer, "location").to_owned();
    ledger.until("the job is done", async || visitor.page(&job).await.contains("Done: 65 on their way again")).await;
    assert_eq!(ledger.depth("deliver.crm").await, 65);
    let left: Page<ParkedItem> = ledger.get("/api/v1/parked").await.ok();
    assert_eq!(left.items.len(), 5);
    let chosen: Vec<(&str, &str)> = left.items.iter().take(2).map(|item| ("id", item.id.as_str())).collect();
    let answer = visitor.post("/replay", &[&[("what", "chosen")], chosen.as_slice()].concat()).await;
    let job = header(&answer, "location").to_owned();
    ledger.until("the job is done", async || visitor.page(&job).await.contains("Done: 2 on their way again")).await;
    assert_eq!(ledger.depth("deliver.partner").await, 2);
}

#[tokio::test]
async fn what_is_erased_while_much_is_sent_again_is_not_sent_after_it() {
    let ledger = Ledger::with("", Clock::manual(at(1000))).await;
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    for n in 0..300 {
        let (event, message) = parked(10 + i64::from(n), n, "crm", 0);
        events.extend([accepted(1, &lead(n)), routed(2, n, &["crm"], 0), event]);
        waiting.push(message);
    }
    ledger.tell(&events, &waiting).await;
    let visitor = Visitor::new(&ledger).await;
    visitor.post("/replay", &[("what", "filter")]).await;
    for n in 0..20 {
        let answer = visitor.post(&format!("/leads/{}/erase", lead_id(n)), &[]).await;
        assert!(answer.body.contains("Erased"), "{answer:?}");
    }
    ledger
        .until("nothing is parked", async || {
            let left: Page<ParkedItem> = ledger.get("/api/v1/parked").await.ok();
            left.items.is_empty()
        })
        .await;
    ledger.recorded().await;
    for n in 0..20 {
        let detail: LeadDetail = ledger.get(&format!("/api/v1/leads/{}", lead_id(n))).await.ok();
        assert_eq!((detail.lead.state, detail.body, detail.lead.email.as_str()), (LeadState::Erased, None, ""));
    }
    let told = ledger.ctx.queue.control();
    let told = told.borrow().clone().expect("control");
    assert!((0..20).all(|n| told.is_erased(lead_id(n))) && !told.is_erased(lead_id(20)));
}

#[tokio::test]
async fn what_is_erased_stays_erased_whatever_is_told_later() {
    let ledger = Ledger::start().await;
    ledger
        .tell(&[accepted(1, &lead(1)), routed(2, 1, &["crm", "partner"], 0), delivered(3, 1, "partner", 0)], &[])
        .await;
    let visitor = Visitor::new(&ledger).await;
    let place = format!("/leads/{}/erase", lead_id(1));
    let page = visitor.page(&place).await;
    assert!(page.contains("This cannot be undone"), "{page}");
    let receipt = visitor.post(&place, &[]).await.body;
    assert!(receipt.contains("the body, the contact fields") && receipt.contains("on its way to crm"), "{receipt}");
    assert!(receipt.contains("partner: ") && receipt.contains("00Q1"), "{receipt}");
    let (event, message) = parked(9, 1, "crm", 0);
    ledger.tell(&[accepted(1, &lead(1)), event, delivered(10, 1, "crm", 0)], &[message]).await;
    let again = visitor.post(&place, &[]).await.body;
    assert!(again.contains("had been erased before") && again.contains("crm: "), "{again}");
    let found = visitor.post("/person", &[("act", "find"), ("email", &lead(1).facts().email)]).await;
    assert!(found.body.contains("Nothing is held."), "{}", found.body);
    let story = ledger.get(&format!("/api/v1/leads/{}", lead_id(1))).await.body;
    assert!(!story.contains("Lee1") && !story.contains("example.com"), "{story}");
    assert_eq!(visitor.post(&format!("/leads/{}/replay", lead_id(1)), &[]).await.status, 409);
}

#[tokio::test]
async fn everything_about_a_person_is_found_told_and_erased() {
    let ledger = Ledger::start().await;
    let (events, waits) = at_the_door(3, &format!("not json: {}", lead(1).facts().email));
    let mut all = vec![accepted(1, &lead(1)), accepted(2, &lead(2)), routed(3, 1, &["crm"], 0)];
    all.extend(events);
    let event = crate::fixtures::event(5, Fact::Duplicate { lead: lead_id(1), source: "addon".to_owned() });
    all.push(event);
    ledger.tell(&all, &[waits]).await;
    let visitor = Visitor::new(&ledger).await;
    let email = lead(1).facts().email;
    let found = visitor.post("/person", &[("act", "find"), ("email", &email.to_uppercase())]).await.body;
    assert!(found.contains("2 leads"), "{found}");
    let answer = visitor.post("/person", &[("act", "export"), ("email", &email)]).await;
    assert!(header(&answer, "content-disposition").starts_with("attachment"));
    let held: leadrelay_ledger::api::types::Held = answer.ok();
    assert_eq!((held.leads.len(), held.more), (2, false));
    let erased = visitor.post("/person", &[("act", "erase"), ("email", &email)]).await.body;
    assert!(erased.contains(&lead_id(1).to_string()) && erased.contains(&lead_id(3).to_string()), "{erased}");
    let other: LeadDetail = ledger.get(&format!("/api/v1/leads/{}", lead_id(2))).await.ok();
    assert!(other.body.is_some());
    let told = ledger.get("/api/v1/audit").await.body;
    assert!(told.contains("\"export\"") && told.contains("\"erase\"") && !told.contains(&email), "{told}");
}

#[tokio::test]
async fn a_secret_is_rotated_with_both_alive_until_the_old_is_dropped() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("website.token");
    std::fs::write(&file, "old-secret-0123456789\n").expect("written");
    let more = format!("\n[sources.website]\ntokens = [{{ file = {file:?} }}]\n");
    let ledger = Ledger::with(&more, Clock::manual(start())).await;
    let visitor = Visitor::new(&ledger).await;
    let urls = async || visitor.page("/sources").await.matches("/v1/leads/website/").count();
    assert_eq!(urls().await, 1);
    assert_eq!(visitor.post("/sources/website", &[("act", "finish")]).await.status, 409, "there is nothing to drop");
    assert_eq!(visitor.post("/sources/website", &[("act", "rotate")]).await.status, 303);
    assert_eq!(urls().await, 2);
    assert_eq!(visitor.post("/sources/website", &[("act", "rotate")]).await.status, 409, "one at a time");
    assert_eq!(visitor.post("/sources/website", &[("act", "finish")]).await.status, 303);
    assert!(!visitor.page("/sources").await.contains("old-secret"));
    assert_eq!(
        visitor.post("/sources/addon", &[("act", "rotate")]).await.status,
        409,
        "it stands in the configuration"
    );
    assert_eq!(visitor.post("/sources/nobody", &[("act", "rotate")]).await.status, 404);
    let told = ledger.get("/api/v1/audit").await.body;
    assert!(told.contains("\"rotate\"") && told.contains("\"finish rotation\"") && !told.contains("old-secret"));
}

#[tokio::test]
async fn a_source_shows_its_url() {
    let ledger = Ledger::start().await;
    let page = Visitor::new(&ledger).await.page("/sources").await;
    assert!(page.contains("http://127.0.0.1:8080/v1/leads/addon/0123456789abcdef"), "{page}");
    assert!(page.contains("Partner Center"));
}
