//! The connector as a program of its own.

use std::process::ExitCode;

use leadrelay_connector_webhook::WebhookConnector;
use leadrelay_shared::{memory, service, worker};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    service::main(worker::role::<WebhookConnector>())
}
