//! How RabbitMQ is reached.

use std::path::PathBuf;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use reqwest::Url;

use crate::config::Secret;

/// What RabbitMQ itself begins with; it lets this user in from its own machine alone.
const GUEST: &str = "guest";

const NOT_A_URL: &str = "must be \"embedded\", or a URL such as \"amqp://user@host:5672/vhost\", in whose user, password and \
     vhost everything but letters and digits is percent-encoded";

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

impl Node {
    /// Reads `amqp://user@host:5672/vhost` or `amqps://..`. Without a user it is RabbitMQ's own `guest`, without a vhost `/`. A
    /// password in the URL goes before `password`.
    ///
    /// # Errors
    /// What is wrong and the remedy; shows no part of the URL but the user.
    pub fn parse(url: &str, password: Option<&Secret>) -> Result<Self, String> {
        let parsed = Url::parse(url).map_err(|_| NOT_A_URL)?;
        let uri: AMQPUri = url.parse().map_err(|_| NOT_A_URL)?;
        let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or(NOT_A_URL)?;
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(
                "has something after a `?` or a `#`; leave it out, or percent-encode these where they belong to a \
                        name"
                    .to_owned(),
            );
        }
        if parsed.path().trim_start_matches('/').contains('/') {
            return Err("has more than one name after the host; a `/` within the vhost is written %2F".to_owned());
        }
        let user = if parsed.username().is_empty() { GUEST.to_owned() } else { uri.authority.userinfo.username };
        let password = match (parsed.password(), password) {
            (Some(_), _) => Secret::plain(uri.authority.userinfo.password),
            (None, Some(password)) => password.clone(),
            (None, None) if user == GUEST => Secret::plain(GUEST),
            (None, None) => {
                return Err(format!("names user {user:?} and no password; write queue.password = {{ file = \"..\" }}"));
            }
        };
        Ok(Self {
            host: unbracketed(host).to_owned(),
            port: uri.authority.port,
            vhost: if uri.vhost.is_empty() { "/".to_owned() } else { uri.vhost },
            user,
            password,
            tls: uri.scheme == AMQPScheme::AMQPS,
        })
    }

    /// Whether a URL names this host.
    pub fn is_at(url: &str, host: &str) -> bool {
        Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(|named| unbracketed(named) == unbracketed(host)))
    }
}

/// An address without what encloses it in a URL. (The host of an [`AMQPUri`] is wrong for an IPv6 address.)
fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Certificates for connections over TLS, all PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Who is trusted beside the machine's own roots.
    pub ca: Option<PathBuf>,
    /// The client's certificate and its key (PKCS#8), where the broker asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(url: &str) -> Node {
        Node::parse(url, Some(&Secret::plain("s3cret"))).unwrap_or_else(|reason| panic!("{url}: {reason}"))
    }

    #[test]
    fn a_url_says_everything_and_what_it_leaves_out_is_the_usual() {
        let whole = node("amqps://relay%40eu:p%2Fw%3A@mq.example.com:5673/leads%2Feu");
        let password = Secret::plain("p/w:");
        let (host, vhost, user) = ("mq.example.com".to_owned(), "leads/eu".to_owned(), "relay@eu".to_owned());
        assert_eq!(whole, Node { host, port: 5673, vhost, user, password, tls: true });
        for url in ["amqp://mq", "amqp://mq/", "amqp://mq/%2F", "amqp://guest@mq:5672"] {
            let node = node(url);
            assert_eq!(
                (node.port, node.vhost.as_str(), node.user.as_str(), node.tls),
                (5672, "/", "guest", false),
                "{url}"
            );
            assert_eq!(node.password.expose(), "s3cret");
        }
        assert_eq!(node("amqps://mq").port, 5671);
        assert_eq!(Node::parse("amqp://mq", None).expect("a node").password.expose(), "guest");
    }

    #[test]
    fn addresses_are_hosts_too() {
        for (url, host, port) in [
            ("amqp://relay@[::1]", "::1", 5672),
            ("amqps://relay@[2001:db8::5]:5673/v", "2001:db8::5", 5673),
            ("amqp://relay@192.0.2.7/v", "192.0.2.7", 5672),
        ] {
            let node = node(url);
            assert_eq!((node.host.as_str(), node.port), (host, port), "{url}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_without_a_password() {
        for url in [
            "hunter2",
            "http://u:hunter2@mq",
            "amqp:hunter2",
            "amqp:///hunter2",
            "amqp://u:hunter2#x@mq",
            "amqp://u:hunter2@mq?heartbeat=3",
            "amqp://u:hunter2@mq/v#w",
            "amqp://u:hunter2@mq/a/b",
            "amqp://u:hunter2%ff@mq",
            "amqp://u:hunter2@mq:99999",
        ] {
            let reason = Node::parse(url, None).expect_err(url);
            assert!(!reason.contains("hunter2"), "{url}: {reason}");
        }
        let reason = Node::parse("amqp://relay@mq", None).expect_err("no password");
        assert_eq!(reason, r#"names user "relay" and no password; write queue.password = { file = ".." }"#);
    }
}
