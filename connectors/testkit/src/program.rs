//! Simulators as programs, for demonstrations and the smoke test: an address from the environment, and an end by a signal.

use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use leadrelay_shared::service::reachable;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Server, Simulated};

/// How long the one that runs may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A program.
#[derive(Debug)]
pub struct Program {
    /// The variable that says where it listens.
    pub listen: &'static str,
    /// Where it listens when nobody says it.
    pub usually: &'static str,
    /// What `--healthcheck` asks for, and gets 200.
    pub path: &'static str,
}

/// Runs what `start` starts until a signal comes; or, with `--healthcheck`, asks the one that runs already: containers have no
/// shell to do that.
pub fn main<F>(program: &Program, start: impl FnOnce(SocketAddr) -> F) -> ExitCode
where
    F: Future<Output = Result<Vec<Server>, String>>,
{
    let done = match std::env::args().nth(1).as_deref() {
        None => program.address().and_then(|address| run(start(address))),
        Some("--healthcheck") => {
            program.address().and_then(|address| healthcheck(address, program.path).map_err(|e| e.to_string()))
        }
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

/// A face for `world` at `address`.
///
/// # Errors
/// When the machine does not give it.
pub async fn listen(address: SocketAddr, world: impl Simulated) -> Result<Server, String> {
    Server::start_at(address, world).await.map_err(|e| format!("{address} cannot be listened on: {e}"))
}

/// Tells whoever started the program.
#[expect(clippy::print_stderr, reason = "programs for demonstrations, without logging of their own")]
pub fn say(text: &str) {
    eprintln!("{text}");
}

impl Program {
    fn address(&self) -> Result<SocketAddr, String> {
        let text = std::env::var(self.listen).unwrap_or_else(|_| self.usually.to_owned());
        text.parse().map_err(|_| format!("{} is {text}, and must be an address and a port", self.listen))
    }
}

fn run(start: impl Future<Output = Result<Vec<Server>, String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| format!("this machine cannot run it: {e}"))?.block_on(async {
        let signals = |kind| signal(kind).map_err(|e| format!("signals cannot be received: {e}"));
        let (mut interrupt, mut terminate) = (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
        let servers = start.await?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        say(&format!("stopped after {} requests", servers.iter().map(Server::requests).sum::<u64>()));
        Ok(())
    })
}

fn healthcheck(address: SocketAddr, path: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&reachable(address), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    if &status == b"HTTP/1.1 200" { Ok(()) } else { Err(io::Error::other("it does not answer 200")) }
}
