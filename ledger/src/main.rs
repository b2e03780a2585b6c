//! The ledger as a program of its own.

use std::process::ExitCode;

use leadrelay_shared::memory;
use leadrelay_shared::service::{self, LEDGER, Role};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    let role =
        Role::new(LEDGER, "keeps the history of every lead, and serves the operators' API.", leadrelay_ledger::run);
    service::main(role.for_operators().told("ledger"))
}
