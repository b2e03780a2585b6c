//! The public door over real HTTP, on the embedded queue.

mod accept;
mod check;
mod harness;
mod limits;
#[cfg(target_os = "linux")]
mod memory;
mod refuse;
mod secrets;
mod spool;
mod stop;
mod tls;
