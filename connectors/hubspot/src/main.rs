//! The connector as a program of its own.

use std::process::ExitCode;

use leadrelay_connector_hubspot::HubSpotConnector;
use leadrelay_shared::{service, worker};

fn main() -> ExitCode {
    service::main(worker::role::<HubSpotConnector>())
}
