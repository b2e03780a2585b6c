//! The simulated receiver as a program: verifies Standard Webhooks, keeps one record for each id, tells its figures at `GET /`.
//!
//! `RECEIVER_LISTEN` is where it listens; the secret is in the file `RECEIVER_SECRET_FILE` or in `RECEIVER_SECRET`.
//! `--healthcheck` asks the one that runs already, for containers without a shell.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use leadrelay_shared::service::reachable;
use leadrelay_testkit::{Receiver, Server, Tally};
use tokio::signal::unix::{SignalKind, signal};

/// How long the one that runs may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("--healthcheck") => address().and_then(|address| healthcheck(address).map_err(|e| e.to_string())),
        Some(other) => Err(format!("{other} is unknown; there is --healthcheck alone")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            say(&format!("error: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let (address, receiver) = (address()?, Receiver::keyed(&secret()?)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| format!("this machine cannot run it: {e}"))?.block_on(async {
        let signals = |kind| signal(kind).map_err(|e| format!("signals cannot be received: {e}"));
        let (mut interrupt, mut terminate) = (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
        let server = Server::start_at(address, Tally::new(receiver)).await;
        let server = server.map_err(|e| format!("{address} cannot be listened on: {e}"))?;
        say(&format!("listening on {}", server.address()));
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        say(&format!("stopped after {} requests", server.requests()));
        Ok(())
    })
}

fn address() -> Result<SocketAddr, String> {
    let text = std::env::var("RECEIVER_LISTEN").unwrap_or_else(|_| "127.0.0.1:8090".to_owned());
    text.parse().map_err(|_| format!("RECEIVER_LISTEN is {text}, and must be an address and a port"))
}

fn secret() -> Result<String, String> {
    if let Ok(file) = std::env::var("RECEIVER_SECRET_FILE") {
        let text = std::fs::read_to_string(&file).map_err(|e| format!("the secret file {file} cannot be read: {e}"))?;
        return Ok(text.trim().to_owned());
    }
    std::env::var("RECEIVER_SECRET").map_err(|_| "set RECEIVER_SECRET_FILE or RECEIVER_SECRET to the secret".to_owned())
}

fn healthcheck(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&reachable(address), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    if &status == b"HTTP/1.1 200" { Ok(()) } else { Err(io::Error::other("it does not answer 200")) }
}

#[expect(clippy::print_stderr, reason = "a program for demonstrations, without logging of its own")]
fn say(text: &str) {
    eprintln!("{text}");
}
