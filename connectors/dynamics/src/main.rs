//! The connector as a program of its own.

use std::process::ExitCode;

use leadrelay_connector_dynamics::DynamicsConnector;
use leadrelay_shared::{service, worker};

fn main() -> ExitCode {
    service::main(worker::role::<DynamicsConnector>())
}
