//! `[queue]`: the embedded queue, or RabbitMQ and how it is reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::{ByteSize, Loaded, Mistake, Secret, Span};
use crate::queue::Topic;
use crate::queue::amqp::{self, DELAY_TIERS, Node, Tls};

/// What stands for the queue in `data_dir`.
const EMBEDDED: &str = "embedded";

/// What a step of a delay may be.
const TIER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(24 * 30));

/// How often a message may wait in one step before it goes on in the next.
const TURNS_MAX: u32 = 1000;

/// The queue between the services.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueueConfig {
    /// `embedded`: a file in `data_dir`, with nothing else to install; one process has it. Or RabbitMQ:
    /// `amqp://user@host:5672/vhost`, `amqps://..` over TLS, or a list of them, one for each node of a cluster.
    pub url: QueueUrl,
    /// The password of RabbitMQ's user, for every node.
    pub password: Option<Secret>,
    /// Certificates for `amqps://`, beside those that the machine trusts.
    pub tls: Option<QueueTlsConfig>,
    /// The steps that retries wait in on RabbitMQ, ascending. Changing them is safe: old ones empty themselves.
    #[schemars(length(min = 1, max = 16))]
    pub delay_tiers: Vec<Span>,
    /// The most the embedded queue may hold, and ingest's spool where the queue is a broker; beyond it ingest answers 503.
    pub max_size: ByteSize,
    /// The room that must be left on the disk; below it ingest answers 503.
    pub min_free: ByteSize,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            url: EMBEDDED.into(),
            password: None,
            tls: None,
            delay_tiers: DELAY_TIERS.map(Span).to_vec(),
            max_size: ByteSize::gib(16),
            min_free: ByteSize::mib(64),
        }
    }
}

/// Certificates for RabbitMQ, all PEM. All are read again for each connection.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueTlsConfig {
    /// Who is trusted, beside those that the machine trusts.
    pub ca: Option<PathBuf>,
    /// The client's certificate chain, where RabbitMQ asks for one.
    pub cert: Option<PathBuf>,
    /// The client's private key.
    pub key: Option<PathBuf>,
}

/// Where the queue is: one text or several. `Debug` shows none of them, because a URL may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct QueueUrl(Vec<String>);

impl QueueUrl {
    /// Whether it is the queue in `data_dir`.
    pub fn is_embedded(&self) -> bool {
        matches!(self.0.as_slice(), [only] if only == EMBEDDED)
    }
}

impl From<&str> for QueueUrl {
    fn from(url: &str) -> Self {
        Self(vec![url.to_owned()])
    }
}

impl fmt::Debug for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_embedded() { f.write_str(EMBEDDED) } else { write!(f, "QueueUrl({})", self.0.len()) }
    }
}

impl<'de> Deserialize<'de> for QueueUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Urls {
            One(String),
            Several(Vec<String>),
        }
        Ok(Self(match Urls::deserialize(deserializer)? {
            Urls::One(url) => vec![url],
            Urls::Several(urls) => urls,
        }))
    }
}

impl JsonSchema for QueueUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "QueueUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "format": "queue-url",
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 16},
            ]
        })
    }
}

impl QueueConfig {
    /// The nodes, each with its key, or what is wrong with it.
    fn nodes(&self) -> impl Iterator<Item = (String, Result<Node, String>)> {
        let several = self.url.0.len() > 1;
        let key = move |n| if several { format!("queue.url[{n}]") } else { "queue.url".to_owned() };
        self.url.0.iter().enumerate().map(move |(n, url)| (key(n), Node::parse(url, self.password.as_ref())))
    }

    /// What is wrong with it.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        if !self.url.is_embedded() {
            for (url, (key, node)) in self.url.0.iter().zip(self.nodes()) {
                found.extend(node.err().map(|reason| Mistake::new(key, reason).nearest(url, [EMBEDDED])));
            }
        }
        if let Some(QueueTlsConfig { cert, key, .. }) = &self.tls
            && cert.is_some() != key.is_some()
        {
            found.push(Mistake::new("queue.tls", "`cert` and `key` belong together").remedy("name both or neither"));
        }
        let tiers: Vec<Duration> = self.delay_tiers.iter().map(|span| span.0).collect();
        let bounded = tiers.iter().all(|tier| (TIER.0..=TIER.1).contains(tier));
        let ascend = tiers.windows(2).all(|pair| pair[0] < pair[1] && pair[1] <= pair[0] * TURNS_MAX);
        if !bounded || !ascend {
            let reason = "must ascend, from 100ms to 30d at the most, each at most 1000 times the one before it";
            found.push(Mistake::new("queue.delay_tiers", reason));
        }
        found
    }

    /// Whether a delay of so long goes through the steps in a bounded number of turns.
    pub(super) fn steps_reach(&self, delay: Span) -> bool {
        self.url.is_embedded() || self.delay_tiers.last().is_none_or(|last| delay.0 / TURNS_MAX <= last.0)
    }
}

impl Loaded {
    /// How RabbitMQ is reached, and what it holds for this configuration; `None` for the embedded queue. Its connections are
    /// called after the process, `name`.
    pub fn broker(&self, name: &str) -> Option<amqp::Settings> {
        let queue = &self.config.queue;
        if queue.url.is_embedded() {
            return None;
        }
        // Those that make no sense were told when the configuration was read.
        let nodes = queue.nodes().filter_map(|(_, node)| node.ok()).collect();
        let tls = queue.tls.as_ref().map_or_else(Tls::default, |tls| Tls {
            ca: tls.ca.as_ref().map(|ca| self.path(ca)),
            identity: tls.cert.as_ref().zip(tls.key.as_ref()).map(|(cert, key)| (self.path(cert), self.path(key))),
        });
        let deliver = self.config.destinations.keys().map(|name| Topic::deliver(name).name().to_string());
        let topics = [Topic::leads().name(), Topic::events().name(), Topic::parked().name()].map(ToString::to_string);
        Some(amqp::Settings {
            nodes,
            tls,
            name: name.to_owned(),
            topics: topics.into_iter().chain(deliver).collect(),
            delay_tiers: queue.delay_tiers.iter().map(|span| span.0).collect(),
        })
    }
}
