//! The program: everything is in the library, so that tests can call it.

use std::process::ExitCode;

use leadrelay_shared::memory;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    leadrelay::cli::main()
}
