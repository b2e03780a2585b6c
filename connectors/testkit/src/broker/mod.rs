//! A real RabbitMQ for tests: a node of its own, on free ports, with its own data, that ends with the process that started it.
//!
//! Debian's package gives the programs; nothing of the machine's own broker is used or touched. The node runs in a process group
//! with a keeper that waits on a pipe from us: when that closes, in whatever way this process ended, the keeper has the group
//! ended and the data removed.
#![expect(clippy::expect_used, reason = "a test without its broker cannot go on")]

mod cluster;
mod manage;
mod node;
mod wire;

pub use cluster::Cluster;
pub use node::{Broker, free_port};
pub use wire::Wire;

/// One broker for all tests of a binary, started when it is first asked for. Each test takes a virtual host of its own.
pub async fn shared() -> &'static Broker {
    static SHARED: tokio::sync::OnceCell<Broker> = tokio::sync::OnceCell::const_new();
    SHARED.get_or_init(Broker::start).await
}
