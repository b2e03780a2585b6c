//! The two stages of stopping.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Door, LEAD, rest, waiting};

#[tokio::test]
async fn what_is_in_flight_is_finished_and_answered() {
    let door = Door::open().await;
    // An idle connection does not hold it up.
    door.post(r#"{"LeadSource":"x"}"#).await.id("accepted");
    let mut stream = TcpStream::connect(door.address).await.expect("a connection");
    let head = door.head(&format!("Content-Length: {}\r\nExpect: 100-continue\r\n", LEAD.len()));
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut go_on = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut go_on).await.expect("the request has begun");
    door.stop.drain();
    stream.write_all(LEAD.as_bytes()).await.expect("written");
    let answer = rest(&mut stream).await;
    assert!(answer.contains("HTTP/1.1 202 "), "{answer}");
    let address = door.address;
    let (leads, _) = door.finish().await;
    assert_eq!(leads.len(), 2);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn the_second_stage_ends_at_once_and_stores_nothing_half() {
    let door = Door::open().await;
    let mut stream = TcpStream::connect(door.address).await.expect("a connection");
    let head = door.head(&format!("Content-Length: {}\r\nExpect: 100-continue\r\n", LEAD.len()));
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut go_on = [0; 25];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut go_on).await.expect("the request has begun");
    // The body never comes, and the clock stands: only the second stage can end this.
    door.stop.drain();
    door.stop.now();
    let queue = door.ended().await;
    assert_eq!(rest(&mut stream).await, "");
    assert_eq!(waiting(&queue, "leads").await, 0);
    queue.close().await;
}
