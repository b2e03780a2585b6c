//! How RabbitMQ is reached.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Secret;

/// How long retries wait, in steps: a delay is made of the largest steps that fit into it, so it overshoots by the smallest at
/// most. Each is a queue of its own.
pub const DELAY_TIERS: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(4),
    Duration::from_hours(12),
];

/// How to reach RabbitMQ.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The nodes of the cluster, tried in turn.
    pub nodes: Vec<Node>,
    /// Certificates, for nodes that are reached over TLS.
    pub tls: Tls,
    /// What the connections are called in RabbitMQ's own lists.
    pub name: String,
    /// The topics that are declared as soon as there is a connection, and whose figures are told. Others are declared when
    /// they are first used.
    pub topics: Vec<String>,
    /// The steps that delays are made of, ascending; usually [`DELAY_TIERS`]. Steps that are no longer wanted still empty
    /// themselves.
    pub delay_tiers: Vec<Duration>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The virtual host; `/` is the usual one.
    pub vhost: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: Secret,
    /// Whether it is reached over TLS (`amqps`).
    pub tls: bool,
}

/// Certificates for connections over TLS, all PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Who is trusted beside the machine's own roots.
    pub ca: Option<PathBuf>,
    /// The client's certificate and its key (PKCS#8), where the broker asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}
