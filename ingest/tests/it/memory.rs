//! That senders who never stop do not make the process grow.
//!
//! Measured in a process of its own, this test binary again, because the other tests allocate too.

use std::io::Write;
use std::process::Command;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::harness::{Door, SOURCES, TOKEN, rest};

const ROLE: &str = "LEADRELAY_TEST_ROLE";
const SENDERS: usize = 64;
/// What each sends unless it is cut off: 512 MiB from all of them, twice.
const ENOUGH: usize = 8 << 20;
const GROWN_MAX_KIB: u64 = 32 << 10;

#[test]
fn senders_that_never_stop_do_not_make_it_grow() {
    let ran = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "memory::plays_its_role", "--nocapture"])
        .env(ROLE, "memory")
        .output()
        .expect("the child runs");
    let (told, log) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}\n{log}");
    let grown = told.lines().find_map(|line| line.split_once("grown by ")?.1.strip_suffix(" KiB")?.parse::<u64>().ok());
    assert!(grown.expect("it has measured") < GROWN_MAX_KIB, "{told}");
}

/// Not a test of its own: the entry of the child process, which does nothing when nobody gave it a role.
#[test]
fn plays_its_role() {
    if std::env::var(ROLE).is_ok_and(|role| role == "memory") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(measure());
    }
}

async fn measure() {
    let door = Door::with(&format!("max_body = \"64KiB\"\nrate_limit = 100000\n{SOURCES}")).await;
    // What is set up once is no growth.
    door.post(r#"{"LeadSource":"x"}"#).await.id("accepted");
    let before = kib("VmRSS:");
    let stranger = |more: &str| format!("POST /v1/leads/nobody/{TOKEN} HTTP/1.1\r\nHost: h\r\n{more}\r\n");
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let plain = "x".repeat(0x4000);
    let tiny = "1\r\nx\r\n".repeat(1000);
    // Bodies without an end, more than the announced length, an announced length that is at the cap or far beyond, heads
    // without an end, and the same from strangers.
    let attacks: [(String, &str); 8] = [
        (door.head("Transfer-Encoding: chunked\r\n"), &chunk),
        (door.head("Content-Length: 1\r\n"), &plain),
        (door.head("Content-Length: 65536\r\n"), &plain),
        (door.head("Content-Length: 9000000000\r\n"), &plain),
        (door.head("").trim_end().to_owned() + "\r\nX-Pad: ", &plain),
        (stranger("Transfer-Encoding: chunked\r\n"), &chunk),
        (stranger("Content-Length: 9000000000\r\n"), &plain),
        (door.head("Transfer-Encoding: chunked\r\n"), &tiny),
    ];
    for _ in 0..2 {
        // All are connected before one begins.
        let together = Arc::new(Barrier::new(SENDERS));
        let senders = (0..SENDERS).map(|n| {
            let (head, piece) = &attacks[n % attacks.len()];
            send(TcpStream::connect(door.address), head, piece, together.clone())
        });
        futures_util::future::join_all(senders).await;
    }
    // The peak, and not only what is left of it.
    let grown = kib("VmHWM:").saturating_sub(before);
    writeln!(std::io::stdout(), "\ngrown by {grown} KiB").expect("the parent listens");
    door.closed().await;
}

/// Sends until it is cut off or has sent enough, and then reads until the door closes.
async fn send(
    connecting: impl Future<Output = std::io::Result<TcpStream>>,
    head: &str,
    piece: &str,
    together: Arc<Barrier>,
) {
    let mut stream = connecting.await.expect("a connection");
    together.wait().await;
    let mut sent = 0;
    if stream.write_all(head.as_bytes()).await.is_ok() {
        while sent < ENOUGH && stream.write_all(piece.as_bytes()).await.is_ok() {
            sent += piece.len();
        }
    }
    // A door that has not closed yet learns here that there is no more.
    let _ = stream.shutdown().await;
    rest(&mut stream).await;
}

/// A line of what the system says of this process's memory.
fn kib(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let value = status.lines().find_map(|l| l.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse().ok());
    value.unwrap_or_else(|| panic!("no {line} in {status}"))
}
