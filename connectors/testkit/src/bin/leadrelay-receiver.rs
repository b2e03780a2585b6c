//! The simulated receiver as a program: verifies Standard Webhooks, keeps one record for each id, tells its figures at `GET /`.
//!
//! `RECEIVER_LISTEN` is where it listens; the secret is in the file `RECEIVER_SECRET_FILE` or in `RECEIVER_SECRET`.
//! `--healthcheck` asks the one that runs already.

use std::net::SocketAddr;
use std::process::ExitCode;

use leadrelay_testkit::program::{self, Program, say};
use leadrelay_testkit::{Receiver, Server, Tally};

fn main() -> ExitCode {
    program::main(&Program { listen: "RECEIVER_LISTEN", usually: "127.0.0.1:8090", path: "/" }, run)
}

async fn run(address: SocketAddr) -> Result<Vec<Server>, String> {
    let receiver = Receiver::keyed(&secret()?)?;
    let server = program::listen(address, Tally::new(receiver)).await?;
    say(&format!("listening on {}", server.address()));
    Ok(vec![server])
}

fn secret() -> Result<String, String> {
    if let Ok(file) = std::env::var("RECEIVER_SECRET_FILE") {
        let text = std::fs::read_to_string(&file).map_err(|e| format!("the secret file {file} cannot be read: {e}"))?;
        return Ok(text.trim().to_owned());
    }
    std::env::var("RECEIVER_SECRET").map_err(|_| "set RECEIVER_SECRET_FILE or RECEIVER_SECRET to the secret".to_owned())
}
