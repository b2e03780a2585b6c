//! Who is turned away, and that nothing tells a stranger why.

use reqwest::Method;

use crate::harness::{Answer, Door, LEAD, TOKEN};

/// An answer without its date.
fn bare(answer: &str) -> String {
    answer.lines().filter(|line| !line.to_lowercase().starts_with("date:")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn unknown_source_wrong_token_and_no_token_are_one_answer() {
    let door = Door::open().await;
    let to = |path: &str, more: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{more}\r\n{LEAD}", LEAD.len())
    };
    let wrong = "CANARY-token-9876543210";
    let answers = [
        door.raw(to(&format!("/v1/leads/nobody/{TOKEN}"), "")).await,
        door.raw(to(&format!("/v1/leads/addon/{wrong}"), "")).await,
        door.raw(to(&format!("/v1/leads/addon/{TOKEN}x"), "")).await,
        door.raw(to("/v1/leads/addon", "")).await,
        door.raw(to("/v1/leads/addon", &format!("Authorization: Bearer {wrong}\r\n"))).await,
        door.raw(to("/v1/leads/addon", &format!("Authorization: Basic {TOKEN}\r\n"))).await,
        door.raw(to("/v1/leads/addon", "X-Api-Key: \r\n")).await,
        door.raw(to(&format!("/v1/leads/addon/{wrong}"), &format!("X-Api-Key: {TOKEN}\r\n"))).await,
        door.raw(to(&format!("/v1/leads/addon/{TOKEN}/more"), "")).await,
        door.raw(to("/", "")).await,
        door.raw(to("/anything/else", "")).await,
    ];
    assert!(answers[0].starts_with("HTTP/1.1 404 Not Found\r\n"), "{}", answers[0]);
    assert!(answers[0].contains("application/problem+json"), "{}", answers[0]);
    for answer in &answers {
        assert_eq!(bare(answer), bare(&answers[0]));
    }
    assert_eq!(door.finish().await, (vec![], vec![]));
}

#[tokio::test]
async fn other_methods_are_405_with_allow_whoever_asks() {
    let door = Door::open().await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let mut answers = Vec::new();
        for url in [
            door.url("addon", TOKEN),
            door.url("addon", "wrong"),
            door.url("nobody", "x"),
            format!("http://{}/v1/leads/addon", door.address),
        ] {
            let answer = Answer::of(door.client.request(method.clone(), url).send().await.expect("an answer")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.headers["allow"].to_str().expect("text")),
                (405, "POST"),
                "{method}"
            );
            answers.push(answer.text);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].is_empty(), method == Method::HEAD);
    }
    assert_eq!(door.finish().await, (vec![], vec![]));
}

#[tokio::test]
async fn an_encoded_body_is_refused_and_identity_is_none() {
    let door = Door::open().await;
    let send = async |encoding: &str| {
        let request = door.client.post(door.url("addon", TOKEN)).header("Content-Encoding", encoding).body(LEAD);
        Answer::of(request.send().await.expect("an answer")).await
    };
    send("gzip").await.problem(415);
    send("br").await.problem(415);
    send("Identity").await.id("accepted");
    assert_eq!(door.finish().await.0.len(), 1);
}
