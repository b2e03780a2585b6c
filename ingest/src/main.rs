//! The public door as a program of its own.

use std::process::ExitCode;

use leadrelay_shared::memory;
use leadrelay_shared::service::{self, Role};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    let role = Role::new(leadrelay_ingest::PART, "takes leads over HTTP.", leadrelay_ingest::run);
    service::main(role.told("sources").judged(|reading| leadrelay_ingest::check(&reading.loaded)))
}
