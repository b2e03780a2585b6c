//! The wire for tests, before a server that says what it is told.

use std::time::Duration;

use leadrelay_testkit::broker::Wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers every byte with the next one, and tells the test what it read.
async fn counting() -> (Wire, tokio::sync::mpsc::UnboundedReceiver<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let wire = Wire::to(listener.local_addr().expect("an address")).await;
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    let _ = tell.send(byte);
                    stream.write_u8(byte + 1).await.expect("the client listens");
                }
            });
        }
    });
    (wire, told)
}

/// Whether nothing comes for a moment. There is no signal of something that does not happen.
async fn is_silent(what: impl Future) -> bool {
    tokio::time::timeout(Duration::from_millis(200), what).await.is_err()
}

#[tokio::test]
async fn cut_it_resets_old_and_new_connections_until_it_is_mended() {
    let (wire, _told) = counting().await;
    let mut client = TcpStream::connect(wire.address()).await.expect("connected");
    client.write_u8(1).await.expect("said");
    assert_eq!(client.read_u8().await.expect("answered"), 2);
    wire.cut();
    assert_eq!(client.read_u8().await.expect_err("it is gone").kind(), std::io::ErrorKind::ConnectionReset);
    let mut another = TcpStream::connect(wire.address()).await.expect("the port is kept");
    assert!(another.read_u8().await.is_err(), "and of no use");
    wire.mend();
    let mut client = TcpStream::connect(wire.address()).await.expect("connected");
    client.write_u8(3).await.expect("said");
    assert_eq!(client.read_u8().await.expect("answered"), 4);
}

#[tokio::test]
async fn frozen_nothing_moves_and_nothing_is_lost() {
    let (wire, mut told) = counting().await;
    let mut client = TcpStream::connect(wire.address()).await.expect("connected");
    wire.freeze();
    client.write_u8(1).await.expect("the connection is there");
    assert!(is_silent(told.recv()).await, "the server hears nothing");
    wire.mend();
    assert_eq!((told.recv().await, client.read_u8().await.expect("answered")), (Some(1), 2));
}

#[tokio::test]
async fn answers_are_held_back_while_what_is_asked_arrives() {
    let (wire, mut told) = counting().await;
    let mut client = TcpStream::connect(wire.address()).await.expect("connected");
    wire.hold_answers();
    client.write_u8(1).await.expect("said");
    assert_eq!(told.recv().await, Some(1), "the server hears it");
    assert!(is_silent(client.read_u8()).await, "and its answer stays away");
    wire.mend();
    assert_eq!(client.read_u8().await.expect("answered"), 2);
}
