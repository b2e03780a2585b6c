//! `[queue]`: the embedded queue, or RabbitMQ and how it is reached.

use std::collections::BTreeMap;
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
    /// Passwords of single nodes, by their host, where they differ from that.
    pub passwords: BTreeMap<String, Secret>,
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
            passwords: BTreeMap::new(),
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
        self.url.0.iter().enumerate().map(move |(n, url)| (key(n), self.node(url)))
    }

    fn node(&self, url: &str) -> Result<Node, String> {
        let of_host = self.passwords.iter().find(|(host, _)| Node::is_at(url, host)).map(|(_, password)| password);
        Node::parse(url, of_host.or(self.password.as_ref()))
    }

    /// What is wrong with it.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        if !self.url.is_embedded() {
            found.extend(self.url.0.iter().zip(self.nodes()).filter_map(|(url, (key, node))| mistake(url, key, node)));
        }
        let is_known = |host: &String| self.url.is_embedded() || self.url.0.iter().any(|url| Node::is_at(url, host));
        for host in self.passwords.keys().filter(|host| !is_known(host)) {
            let mistake = Mistake::new(format!("queue.passwords.{host}"), "is the host of no node of queue.url");
            found.push(mistake.remedy("name the host as it is written there"));
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

/// What is wrong with one URL.
fn mistake(url: &str, key: String, node: Result<Node, String>) -> Option<Mistake> {
    if url == EMBEDDED {
        let mistake = Mistake::new(key, "is no node of RabbitMQ");
        return Some(mistake.remedy("leave it out, or write it alone for the embedded queue"));
    }
    node.err().map(|reason| Mistake::new(key, reason).nearest(url, [EMBEDDED]))
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Loader};
    use super::*;

    fn of(text: &str) -> Result<Config, Vec<Mistake>> {
        Loader::default().parse(text, Path::new("conf"), std::iter::empty())
    }

    fn broker(text: &str) -> Option<amqp::Settings> {
        let config = of(text).unwrap_or_else(|found| panic!("{text}: {found:?}"));
        Loaded { config, file: "conf/leadrelay.toml".into(), base_dir: "conf".into() }.broker("leadrelay-test")
    }

    #[test]
    fn the_embedded_queue_has_no_broker() {
        assert!(broker("").is_none());
        assert!(broker("[queue]\nurl = ['embedded']").is_none());
    }

    #[test]
    fn nodes_share_a_password_and_topics_are_those_of_the_destinations() {
        let settings = broker(
            "[queue]\nurl = ['amqps://relay@a', 'amqps://relay:own@b']\npassword = 'shared'\n\
             tls = { ca = 'ca.pem', cert = '/tls/cert.pem', key = 'key.pem' }\ndelay_tiers = ['1s', '1m', '2h']\n\
             [destinations.crm]\nconnector = 'x'\n[destinations.inbox]\nconnector = 'y'\n",
        )
        .expect("a broker");
        let nodes: Vec<_> = settings.nodes.iter().map(|node| (node.host.as_str(), node.password.expose())).collect();
        assert_eq!(nodes, [("a", "shared"), ("b", "own")]);
        assert_eq!(settings.topics, ["leads", "events", "parked", "deliver.crm", "deliver.inbox"]);
        assert_eq!(settings.tls.ca, Some("conf/ca.pem".into()));
        assert_eq!(settings.tls.identity, Some(("/tls/cert.pem".into(), "conf/key.pem".into())));
        assert_eq!(settings.delay_tiers, [1, 60, 7200].map(Duration::from_secs));
        assert_eq!(settings.name, "leadrelay-test");
        assert_eq!(broker("[queue]\nurl = 'amqp://mq'").expect("a broker").delay_tiers, DELAY_TIERS);
    }

    #[test]
    fn a_node_may_have_a_password_of_its_own() {
        let settings = broker(
            "[queue]\nurl = ['amqp://relay@mq-1', 'amqp://relay@[::1]']\npassword = 'shared'\npasswords = { '::1' = 'own' }",
        )
        .expect("a broker");
        let passwords: Vec<_> = settings.nodes.iter().map(|node| node.password.expose()).collect();
        assert_eq!(passwords, ["shared", "own"]);
    }

    #[test]
    fn no_url_and_no_password_is_printed() {
        let config =
            of("[queue]\nurl = 'amqp://relay:hunter2@mq'\npassword = 'hunter2'\npasswords = { mq = 'hunter2' }")
                .expect("sound");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_its_key() {
        let told = |text: &str| {
            let found = of(&format!("[queue]\n{text}")).expect_err(text);
            found
                .iter()
                .map(|m| format!("{}: {}; {}", m.key, m.reason, m.remedy.as_deref().unwrap_or("-")))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let (node, urls) = ("\"amqp://user@host:5672/vhost\"", "or an array of up to 16 such URLs");
        let wrong = format!(
            "queue.url: must be \"embedded\", or a URL such as {node}, in whose user, password and vhost everything but letters \
             and digits is percent-encoded; did you mean `embedded`?"
        );
        assert_eq!(told("url = 'embeded'"), wrong);
        assert_eq!(told("url = []"), format!("queue.url: must be \"embedded\", a URL such as {node}, {urls}; -"));
        assert_eq!(
            told("url = 7"),
            format!("queue.url: must be \"embedded\", a URL such as {node}, {urls}, not a number; -")
        );
        assert_eq!(
            told("url = ['amqp://a', 'embedded']"),
            "queue.url[1]: is no node of RabbitMQ; leave it out, or write it alone for the embedded queue"
        );
        assert_eq!(
            told("url = 'amqp://relay@a'"),
            "queue.url: names user \"relay\" and no password; write queue.password = { file = \"..\" }; -"
        );
        assert_eq!(
            told("url = 'amqp://a'\npasswords = { b = 'x' }"),
            "queue.passwords.b: is the host of no node of queue.url; name the host as it is written there"
        );
        assert_eq!(told("tls = { cert = 'a' }"), "queue.tls: `cert` and `key` belong together; name both or neither");
        for tiers in ["['5s', '5s']", "['1m', '5s']", "['1ms']", "['31d']", "['1s', '1h']"] {
            assert!(told(&format!("delay_tiers = {tiers}")).starts_with("queue.delay_tiers: must ascend"), "{tiers}");
        }
        assert!(told("delay_tiers = []").starts_with("queue.delay_tiers: "));
        let far = "url = 'amqp://mq'\ndelay_tiers = ['1s']\n[destinations.a]\nconnector = 'x'\nretry.max_delay = '1h'";
        assert!(told(far).starts_with("destinations.a.retry.max_delay: is more than 1000 times"));
    }
}
