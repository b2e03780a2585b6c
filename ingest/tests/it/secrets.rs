//! Nothing of a lead and no token comes out anywhere but on the queue.

use crate::harness::{Answer, CANARY, Door, LEAD, TOKEN, log};

#[tokio::test]
async fn no_log_line_and_no_answer_holds_the_canary() {
    let door = Door::open().await;
    let before = log().lines();
    let bodies =
        [LEAD, LEAD, "CANARY", "{\"CANARY", r#"{"LeadSource":{"a":"CANARY"}}"#, r#"{"UserDetails":["CANARY"]}"#];
    let mut answers = Vec::new();
    for source in ["addon", "strict", "nobody"] {
        for body in bodies {
            answers.push(door.post_to(source, body).await);
        }
    }
    for method in ["GET", "PUT", "HEAD"] {
        let method = method.parse().expect("a method");
        answers.push(
            Answer::of(door.client.request(method, door.url("addon", TOKEN)).send().await.expect("an answer")).await,
        );
    }
    let query = format!("{}?x=CANARY", door.url("addon", "CANARY-wrong"));
    let request = door.client.post(query).header("X-Api-Key", TOKEN).header("Idempotency-Key", CANARY);
    answers.push(Answer::of(request.body(LEAD).send().await.expect("an answer")).await);
    for answer in &answers {
        assert!(!answer.text.contains(CANARY) && !format!("{:?}", answer.headers).contains(CANARY), "{answer:?}");
    }
    door.raw(format!("POST /v1/leads/addon/{TOKEN} HTTP/9\r\nCANARY CANARY\r\n\r\n")).await;
    // The library tells the number itself at level debug, so there is none in it.
    door.raw(format!("{}{LEAD}", door.head("Content-Length: 1x\r\n"))).await;
    door.finish().await;
    assert!(log().lines() > before, "the log is on");
    let leaks: Vec<String> =
        log().leaks().into_iter().filter(|line| line.contains("leadrelay_ingest") || !client_side(line)).collect();
    assert_eq!(leaks, Vec::<String>::new());
}

/// What the sender's own libraries log of what they send.
fn client_side(line: &str) -> bool {
    ["hyper", "reqwest"].iter().any(|target| line.contains(target))
}
