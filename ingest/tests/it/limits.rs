//! Too large, too fast, too slow, lying, and a queue that is full.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Answer, Door, LEAD, SOURCES, TOKEN, manual, rest, waiting};

const CAP: usize = 256 << 10;

/// A lead of exactly so many bytes.
fn lead(bytes: usize) -> String {
    let frame = r#"{"Description":""}"#.len();
    format!(r#"{{"Description":"{}"}}"#, "x".repeat(bytes - frame))
}

#[tokio::test]
async fn a_body_at_the_cap_is_taken_and_one_byte_more_is_not() {
    let door = Door::open().await;
    door.post(lead(CAP)).await.id("accepted");
    let announced = door.head(&format!("Content-Length: {}\r\n", CAP + 1));
    let answer = door.raw(announced).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.to_lowercase().contains("connection: close"), "{answer}");
    assert!(answer.contains("urn:leadrelay:problem:too_large"), "{answer}");
    assert_eq!(door.finish().await.0.len(), 1);
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let door = Door::open().await;
    let (mut read, mut write) = TcpStream::connect(door.address).await.expect("a connection").into_split();
    let head = door.head("Transfer-Encoding: chunked\r\n");
    // Writes until the door has closed: it ends only if the door stops reading.
    let sending = tokio::spawn(async move {
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        let mut sent = 0;
        if write.write_all(head.as_bytes()).await.is_ok() {
            while write.write_all(chunk.as_bytes()).await.is_ok() {
                sent += chunk.len();
            }
        }
        sent
    });
    let mut answer = Vec::new();
    // A reset after the answer is a close too.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer).await;
    assert!(sending.await.expect("no panic") >= CAP);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(door.finish().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_stranger_cannot_keep_the_door_reading() {
    let door = Door::open().await;
    let (mut read, mut write) = TcpStream::connect(door.address).await.expect("a connection").into_split();
    write
        .write_all(b"POST /v1/leads/nobody/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .expect("written");
    let sending = tokio::spawn(async move { while write.write_all(b"1\r\nx\r\n").await.is_ok() {} });
    let mut answer = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 404 "));
    sending.await.expect("the door has closed");
}

#[tokio::test]
async fn a_length_that_lies_stores_nothing() {
    let door = Door::open().await;
    // Longer than what comes, and the sender leaves.
    let mut stream = TcpStream::connect(door.address).await.expect("a connection");
    let long = format!("{}{LEAD}", door.head(&format!("Content-Length: {}\r\n", LEAD.len() + 10)));
    stream.write_all(long.as_bytes()).await.expect("written");
    stream.shutdown().await.expect("shut");
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // Two lengths, no length that is one, and a length beside chunks.
    for lie in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let answer = door.raw(format!("{}{LEAD}", door.head(lie))).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 413 "), "{lie}: {answer}");
    }
    assert_eq!(door.finish().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_length_that_is_too_short_cuts_the_body_and_the_rest_is_no_request() {
    let door = Door::open().await;
    let answer = door.raw(format!("{}{LEAD}", door.head("Content-Length: 20\r\n"))).await;
    assert!(answer.starts_with("HTTP/1.1 202 ") && answer.contains("quarantined"), "{answer}");
    assert!(answer.contains("HTTP/1.1 400 "), "{answer}");
    let (leads, _) = door.finish().await;
    assert_eq!(leads.iter().map(|lead| lead.body.len()).collect::<Vec<_>>(), [20]);
}

#[tokio::test]
async fn a_slow_head_is_given_up() {
    let door = Door::with(&format!("read_timeout = \"50ms\"\n{SOURCES}")).await;
    let answer = door.raw("POST /v1/le").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(door.finish().await, (vec![], vec![]));
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let door = Door::open().await;
    let mut stream = TcpStream::connect(door.address).await.expect("a connection");
    stream.write_all(format!("{}{{", door.head("Content-Length: 10\r\n")).as_bytes()).await.expect("written");
    let clock = door.clock.clone();
    let mut answer = Box::pin(rest(&mut stream));
    // The clock stands, and is moved until the door has given up.
    let answer = loop {
        tokio::select! {
            answer = &mut answer => break answer,
            () = tokio::task::yield_now() => clock.advance(Duration::from_secs(10)),
        }
    };
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("urn:leadrelay:problem:slow"), "{answer}");
    assert_eq!(door.finish().await, (vec![], vec![]));
}

/// A whole request whose head is padded with so many bytes.
fn padded(door: &Door, bytes: usize) -> String {
    let more = format!("X-Pad: {}\r\nContent-Length: {}\r\nConnection: close\r\n", "p".repeat(bytes), LEAD.len());
    format!("{}{LEAD}", door.head(&more))
}

#[tokio::test]
async fn a_heads_limit_is_configured() {
    for (limit, taken, refused) in [("1KiB", 512, 1 << 10), ("64KiB", 63 << 10, 64 << 10)] {
        let door = Door::with(&format!("max_head = {limit:?}\n{SOURCES}")).await;
        let answer = door.raw(padded(&door, taken)).await;
        assert!(answer.starts_with("HTTP/1.1 202 "), "{limit}: {answer}");
        let answer = door.raw(padded(&door, refused)).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{limit}: {answer}");
        assert!(answer.contains(if limit == "1KiB" { "1024 bytes" } else { "65536 bytes" }), "{limit}: {answer}");
        assert_eq!(door.finish().await.0.len(), 1);
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let door = Door::open().await;
    let padded = |bytes: usize| padded(&door, bytes);
    assert!(door.raw(padded(8 << 10)).await.starts_with("HTTP/1.1 202 "));
    for bytes in [17 << 10, 100 << 10, 200 << 10] {
        let answer = door.raw(padded(bytes)).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{bytes}: {answer}");
    }
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let answer = door.raw(format!("{}{LEAD}", door.head(&many))).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(door.finish().await.0.len(), 1);
}

/// Sends a lead and reads its answer's head and body, leaving the connection open.
async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    while !answer.ends_with('}') {
        let mut some = [0; 1024];
        let read = tokio::io::AsyncReadExt::read(stream, &mut some).await.expect("an answer");
        assert!(read > 0, "closed after: {answer}");
        answer.push_str(std::str::from_utf8(&some[..read]).expect("text"));
    }
    answer
}

#[tokio::test]
async fn one_connection_too_many_waits_until_another_closes() {
    // The limit is for all workers together, also where there are more workers than connections.
    for workers in [2, 3] {
        let text = format!("workers = {workers}\nmax_connections = 2\nrate_limit = 100000\n{SOURCES}");
        let door = Door::with(&text).await;
        let request = format!("{}{LEAD}", door.head(&format!("Content-Length: {}\r\n", LEAD.len())));
        let connect = async || TcpStream::connect(door.address).await.expect("a connection");
        let (mut first, mut second, mut third) = (connect().await, connect().await, connect().await);
        assert!(exchange(&mut first, &request).await.starts_with("HTTP/1.1 202 "));
        assert!(exchange(&mut second, &request).await.starts_with("HTTP/1.1 202 "));
        third.write_all(request.as_bytes()).await.expect("written");
        // Long enough for the third, had anybody taken it: the other two are answered over and over.
        for _ in 0..50 {
            exchange(&mut first, &request).await;
            exchange(&mut second, &request).await;
        }
        let nothing = third.try_read(&mut [0; 1]).expect_err("no answer yet");
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock, "{workers} workers");
        drop(first);
        assert!(exchange(&mut third, "").await.starts_with("HTTP/1.1 202 "), "{workers} workers");
        drop((second, third));
        assert_eq!(door.finish().await.0.len(), 1);
    }
}

#[tokio::test]
async fn too_fast_is_told_when_to_come_back() {
    let text = format!("rate_limit = 2\n{SOURCES}[sources.patient]\ntokens = [\"{TOKEN}\"]\nrate_limit = 1\n");
    let door = Door::with(&text).await;
    let post = async |source: &str, n: u32| door.post_to(source, format!(r#"{{"Description":"{n}"}}"#)).await;
    post("addon", 1).await.id("accepted");
    post("addon", 2).await.id("accepted");
    let answer = post("addon", 3).await;
    answer.problem(429);
    assert_eq!(answer.headers["retry-after"], "1");
    post("strict", 1).await.id("accepted");
    post("patient", 1).await.id("accepted");
    post("patient", 2).await.problem(429);
    door.clock.advance(Duration::from_secs(1));
    post("addon", 3).await.id("accepted");
    post("patient", 2).await.id("accepted");
    assert_eq!(door.finish().await.0.len(), 6);
}

#[tokio::test]
async fn a_full_queue_is_503_and_never_202_and_it_recovers() {
    let dir = Arc::new(tempfile::TempDir::new().expect("a directory"));
    let text = format!("rate_limit = 100000\n{SOURCES}");
    let door = Door::sized(dir, manual(), &text, 1 << 20).await;
    let post = async |n: usize| door.post(format!(r#"{{"Description":"{n}{}"}}"#, "x".repeat(50_000))).await;
    let mut accepted = 0;
    let refused = loop {
        let answer = post(accepted).await;
        if answer.status != reqwest::StatusCode::ACCEPTED {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 1000, "1 MiB does not hold 50 MB");
    };
    refused.problem(503);
    assert!(refused.headers["retry-after"].to_str().expect("text").parse::<u64>().expect("seconds") >= 1);
    assert_eq!(waiting(&door.queue, "leads").await, accepted as u64);
    // Room is made, and the same lead is taken.
    let mut claims = door.queue.claims(&leadrelay_shared::queue::Topic::leads());
    let mut taken = 0;
    while taken < accepted {
        for claim in claims.next(10).await.expect("claims") {
            claim.settle(vec![]).await.expect("settled");
            taken += 1;
        }
    }
    loop {
        let answer = post(accepted).await;
        if answer.status == reqwest::StatusCode::ACCEPTED {
            break;
        }
        answer.problem(503);
        door.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    drop(claims);
    assert_eq!(door.finish().await.0.len(), 1);
}

#[tokio::test]
async fn a_closed_queue_is_503() {
    let door = Door::open().await;
    door.queue.close().await;
    let answer =
        Answer::of(door.client.post(door.url("addon", TOKEN)).body(LEAD).send().await.expect("an answer")).await;
    answer.problem(503);
}
