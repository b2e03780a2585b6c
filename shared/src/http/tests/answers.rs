//! What comes back: whole, long, broken, late, never.

use std::time::Duration;

use tokio::sync::mpsc;

use super::*;

#[tokio::test]
async fn a_request_says_who_it_is_from_and_no_more() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream, request| {
        let seen = seen.clone();
        async move {
            seen.send(request).expect("the test listens");
            stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok").await
        }
    })
    .await;
    let answer = post(&local(), server.url()).await.expect("an answer");
    assert_eq!((answer.status, &answer.body[..], answer.truncated), (201, &b"ok"[..], false));
    let request = requests.recv().await.expect("a request").to_lowercase();
    assert!(request.contains(concat!("user-agent: leadrelay/", env!("CARGO_PKG_VERSION"))), "{request}");
    assert!(!request.contains("referer") && !request.contains("cookie"), "{request}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let target = elsewhere.url();
    let server = Server::start(move |mut stream, _| {
        let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        async move { stream.write_all(answer.as_bytes()).await }
    })
    .await;
    assert_eq!(post(&local(), server.url()).await.expect("an answer").status, 307);
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn of_a_long_answer_the_beginning_is_kept_and_the_rest_not_read() {
    let (done, mut cut_off) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream, _| {
        let done = done.clone();
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
            // Without end: only a client that goes away ends it.
            while stream.write_all(&chunk).await.is_ok() {}
            done.send(()).expect("the test listens");
            Ok(())
        }
    })
    .await;
    let answer = post(&local(), server.url()).await.expect("an answer");
    assert_eq!((answer.body.len(), answer.truncated), (ANSWER_CAP, true));
    assert_eq!(answer.whole().expect_err("not whole").kind, ErrorKind::Uncertain);
    cut_off.recv().await.expect("the connection was dropped");
    let more = local().request(Method::POST, server.url()).body("{}").keeping(100_000).send().await.expect("an answer");
    assert_eq!(more.body.len(), 100_000);
}

#[tokio::test]
async fn a_status_stands_although_its_body_breaks_off_or_never_ends() {
    let cut = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    let answer = post(&local(), cut.url()).await.expect("an answer");
    assert_eq!((answer.status, answer.truncated), (200, true));

    let drip = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nh").await?;
        std::future::pending().await
    })
    .await;
    let client = Client::new(Settings { timeout: Duration::from_secs(2), ..hasty() }).expect("a client");
    let answer = post(&client, drip.url()).await.expect("an answer");
    assert_eq!((answer.status, &answer.body[..], answer.truncated), (200, &b"h"[..], true));
}

#[tokio::test]
async fn what_fails_before_the_request_left_is_unavailable() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    // Bound and not listening: the port is ours and refuses.
    let nobody = url("http", socket.local_addr().expect("an address"));
    assert_eq!(kind_of(&local(), nobody).await, ErrorKind::Unavailable);

    let never: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    assert_eq!(kind_of(&with_lookup(hasty(), never), url("http", "crm.example.com")).await, ErrorKind::Unavailable);

    let unknown: Lookup = Arc::new(|_| Box::pin(async { Err(io::Error::other("no such name")) }));
    assert_eq!(
        kind_of(&with_lookup(settings(true), unknown), url("http", "crm.example.com")).await,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn what_fails_after_the_request_may_have_left_is_uncertain() {
    let silent = Server::start(|stream, _| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await;
    assert_eq!(kind_of(&Client::new(hasty()).expect("a client"), silent.url()).await, ErrorKind::Uncertain);

    let closing = Server::saying("").await;
    assert_eq!(kind_of(&local(), closing.url()).await, ErrorKind::Uncertain);

    let reset = Server::start(|stream, _| async move { stream.set_zero_linger() }).await;
    assert_eq!(kind_of(&local(), reset.url()).await, ErrorKind::Uncertain);

    let garbage = Server::saying("\u{0}\u{1}no http at all\r\n\r\n").await;
    assert_eq!(kind_of(&local(), garbage.url()).await, ErrorKind::Uncertain);

    let half = Server::saying("HTTP/1.1 200 OK\r\ncontent-le").await;
    assert_eq!(kind_of(&local(), half.url()).await, ErrorKind::Uncertain);

    let endless = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        while stream.write_all(&[b"x: ".as_slice(), &[b'y'; 4096], b"\r\n"].concat()).await.is_ok() {}
        Ok(())
    })
    .await;
    assert_eq!(kind_of(&local(), endless.url()).await, ErrorKind::Uncertain);
}

#[test]
fn no_debug_shows_a_path_a_header_or_a_body() {
    let token = http::HeaderValue::from_static(TOKEN);
    let request = local().request(Method::POST, url("https", "crm.example.com:444"));
    let request = request.header(header::AUTHORIZATION, token.clone()).body(TOKEN);
    assert_eq!(format!("{request:?}"), "Request(POST crm.example.com:444)");
    let headers = [(header::SET_COOKIE, token)].into_iter().collect();
    let answer = Answer { status: 400, headers, body: TOKEN.into(), truncated: false };
    assert_eq!(format!("{answer:?}"), "Answer { status: 400, bytes: 12, truncated: false }");
}

#[test]
fn no_time_at_all_is_refused() {
    assert!(Client::new(Settings { timeout: Duration::ZERO, allow_private_addresses: false }).is_err());
}
