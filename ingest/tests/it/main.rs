//! The public door over real HTTP, on the embedded queue.

mod accept;
mod broker;
mod check;
mod harness;
mod limits;
#[cfg(target_os = "linux")]
mod memory;
mod process;
mod refuse;
mod secrets;
mod spool;
mod stop;
mod tls;
