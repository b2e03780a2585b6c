//! What every service is given and how it is stopped.
//!
//! A service is a library with `run(ctx)`. One process may run one of them or all; the two deployments differ in
//! which queue was opened.

mod arguments;
mod boot;
mod door;
pub mod health;
mod open;
mod panics;
mod probe;
mod process;
mod role;
mod services;
mod status;
mod stop;

use std::net::SocketAddr;
use std::sync::Arc;

pub use boot::{Stopped, on_threads, serve};
pub use open::open_queue;
pub use probe::reachable;
pub use process::{Part, Process};
pub use role::{Role, main};
pub use status::{LEDGER, SpoolStatus, State, Status};
pub use stop::Stop;

use crate::account::Accounts;
use crate::clock::Clock;
use crate::config::{Config, Loaded};
use crate::queue::{Queue, QueueError};

/// What every service is given; clones share everything.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The configuration.
    pub loaded: Arc<Loaded>,
    /// The only source of time.
    pub clock: Clock,
    /// The queue.
    pub queue: Queue,
    /// What destinations share that work in one account.
    pub accounts: Accounts,
    /// When to stop.
    pub stop: Stop,
    /// Where services say how they are and where they listen.
    pub status: Status,
}

impl Ctx {
    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }
}

/// Why a service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An address cannot be listened on.
    #[error("{what} cannot listen on {address}: {source}; is another program using it?")]
    Listen {
        /// Whose address.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The queue does not work.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Anything else, in words with the remedy.
    #[error("{0}")]
    Other(String),
}
