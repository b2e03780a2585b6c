//! The simulated CRMs as a program: a Dynamics 365, a Salesforce and a HubSpot, each on a port of its own.
//!
//! `SIMULATORS_LISTEN` is where the first listens, the others on the two ports after it; `SIMULATORS_HOST` is the name by which
//! connectors reach them. `GET /records` of each tells what it holds. `--healthcheck` asks those that run already.

use std::net::SocketAddr;
use std::process::ExitCode;

use leadrelay_shared::clock::Clock;
use leadrelay_testkit::program::{self, Program, say};
use leadrelay_testkit::{Environment, Org, Portal, Server};

fn main() -> ExitCode {
    program::main(&Program { listen: "SIMULATORS_LISTEN", usually: "127.0.0.1:8091", path: "/records" }, run)
}

async fn run(first: SocketAddr) -> Result<Vec<Server>, String> {
    let host = std::env::var("SIMULATORS_HOST").unwrap_or_else(|_| first.ip().to_string());
    let (environment, org, portal) = (Environment::new(Clock::real()), Org::new(Clock::real()), Portal::new());
    // Where the first is on a port of the machine's choice, so are the others.
    let at = |n: u16| SocketAddr::new(first.ip(), if first.port() == 0 { 0 } else { first.port() + n });
    let dynamics = program::listen(at(0), environment.clone()).await?;
    let salesforce = program::listen(at(1), org.clone()).await?;
    let hubspot = program::listen(at(2), portal).await?;
    environment.at(format!("http://{host}:{}", dynamics.address().port()));
    org.at(format!("http://{host}:{}", salesforce.address().port()));
    let servers = vec![dynamics, salesforce, hubspot];
    for (name, server) in ["Dynamics 365", "Salesforce", "HubSpot"].into_iter().zip(&servers) {
        say(&format!("{name}: {}/records", server.url()));
    }
    Ok(servers)
}
