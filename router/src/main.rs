//! The router as a program of its own.

use std::process::ExitCode;

use leadrelay_shared::mapping::Rules;
use leadrelay_shared::memory;
use leadrelay_shared::service::{self, Role};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    let role = Role::new(
        "router",
        "makes each lead a delivery for every destination that it has a route to.",
        leadrelay_router::run,
    );
    service::main(role.judged(|reading| Rules::compile(&reading.loaded.config).err().unwrap_or_default()))
}
