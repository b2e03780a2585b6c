//! TLS, and files that change under the running door.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use tempfile::TempDir;

use crate::harness::{Answer, Door, LEAD, SOURCES, TOKEN, client, manual};

const TLS: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";

/// A new certificate and its key, in PEM.
fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["leads.example.com".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn write(dir: &Path, (cert, key): &(String, String)) {
    std::fs::write(dir.join("cert.pem"), cert).expect("a file");
    std::fs::write(dir.join("key.pem"), key).expect("a file");
}

/// Posts a lead over TLS, on a connection of its own, trusting this certificate alone.
async fn post(door: &Door, cert: &str) -> Result<Answer, reqwest::Error> {
    let url = format!("https://leads.example.com:{}/v1/leads/addon/{TOKEN}", door.address.port());
    let sent = client(Some((cert, door.address))).post(url).body(LEAD).send().await?;
    Ok(Answer::of(sent).await)
}

#[tokio::test]
async fn a_lead_over_tls_and_a_certificate_that_changes() {
    let dir = Arc::new(TempDir::new().expect("a directory"));
    let (first, second) = (pair(), pair());
    write(dir.path(), &first);
    let door = Door::on(dir.clone(), manual(), &format!("{TLS}{SOURCES}")).await;
    let id = post(&door, &first.0).await.expect("a connection").id("accepted");
    assert!(post(&door, &second.0).await.is_err(), "the second is not in use yet");

    // A key that does not go with the certificate changes nothing.
    std::fs::write(dir.path().join("key.pem"), &second.1).expect("a file");
    for _ in 0..5 {
        door.clock.advance(Duration::from_secs(1));
        assert_eq!(post(&door, &first.0).await.expect("a connection").id("duplicate"), id);
    }

    write(dir.path(), &second);
    let answer = loop {
        door.clock.advance(Duration::from_secs(1));
        match post(&door, &second.0).await {
            Ok(answer) => break answer,
            Err(error) => assert!(error.is_connect(), "{error}"),
        }
    };
    assert_eq!(answer.id("duplicate"), id);
    assert!(post(&door, &first.0).await.is_err(), "the first is no longer in use");
    assert_eq!(door.finish().await.0.len(), 1);
}

#[tokio::test]
async fn every_verdict_over_tls() {
    let dir = Arc::new(TempDir::new().expect("a directory"));
    let pair = pair();
    write(dir.path(), &pair);
    // A body beyond this cap is still sent whole before its answer is read.
    let door = Door::on(dir, manual(), &format!("max_body = \"1KiB\"\nrate_limit = 5\n{TLS}{SOURCES}")).await;
    let client = client(Some((&pair.0, door.address)));
    let send = async |method: Method, source: &str, token: &str, body: &str| {
        let url = format!("https://leads.example.com:{}/v1/leads/{source}/{token}", door.address.port());
        Answer::of(client.request(method, url).body(body.to_owned()).send().await.expect("an answer")).await
    };
    let first = send(Method::POST, "addon", TOKEN, LEAD).await.id("accepted");
    assert_eq!(send(Method::POST, "addon", TOKEN, LEAD).await.id("duplicate"), first);
    send(Method::POST, "addon", TOKEN, "no lead").await.id("quarantined");
    assert!(send(Method::POST, "strict", TOKEN, "no lead").await.problem(400)["faults"].is_array());
    let stranger = send(Method::POST, "nobody", TOKEN, LEAD).await;
    stranger.problem(404);
    assert_eq!(send(Method::POST, "addon", "wrong", LEAD).await.text, stranger.text);
    let answer = send(Method::PUT, "addon", TOKEN, LEAD).await;
    answer.problem(405);
    assert_eq!(answer.headers["allow"], "POST");
    send(Method::POST, "addon", TOKEN, &"x".repeat(1025)).await.problem(413);
    send(Method::POST, "addon", TOKEN, "another").await.id("quarantined");
    let answer = send(Method::POST, "addon", TOKEN, LEAD).await;
    answer.problem(429);
    assert_eq!(answer.headers["retry-after"], "1");
    door.queue.close().await;
    let answer = send(Method::POST, "strict", TOKEN, LEAD).await;
    answer.problem(503);
    assert_eq!(answer.headers["retry-after"], "5");
}

#[tokio::test]
async fn a_token_file_that_changes_rotates_the_token() {
    let (old, new) = ("CANARY-old-0123456789", "CANARY-new-0123456789");
    let dir = Arc::new(TempDir::new().expect("a directory"));
    let file = dir.path().join("addon.token");
    std::fs::write(&file, old).expect("a file");
    let door =
        Door::on(dir, manual(), "rate_limit = 100000\n[sources.addon]\ntokens = [{ file = \"addon.token\" }]\n").await;
    let status = async |token: &str| {
        door.client.post(door.url("addon", token)).body(LEAD).send().await.expect("an answer").status().as_u16()
    };
    let until = async |token: &str, wanted: u16| {
        while status(token).await != wanted {
            door.clock.advance(Duration::from_secs(1));
        }
    };
    assert_eq!((status(old).await, status(new).await), (202, 404));
    std::fs::write(&file, format!("{new}\n{old}\n")).expect("a file");
    until(new, 202).await;
    assert_eq!(status(old).await, 202, "both live while rotating");
    std::fs::write(&file, format!("{new}\n")).expect("a file");
    until(old, 404).await;
    assert_eq!(status(new).await, 202);
    // A file that is empty or wrong takes nothing away.
    for wrong in ["", "short", "CANARY-a-0123456789\nCANARY-b-0123456789\nCANARY-c-0123456789"] {
        std::fs::write(&file, wrong).expect("a file");
        for _ in 0..3 {
            door.clock.advance(Duration::from_secs(1));
            assert_eq!(status(new).await, 202, "{wrong}");
        }
    }
}
