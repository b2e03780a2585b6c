//! The configuration: one TOML file, `LEADRELAY_*` variables over it, and every mistake reported at once.
//!
//! The structures here are the public interface; their JSON Schema (`leadrelay schema`) is what the file is checked
//! against before anything is deserialized, so an unknown key is an error that names the nearest right one.

mod alerts;
mod check;
mod destination;
mod environment;
mod ledger;
mod load;
mod mistake;
mod positions;
mod queue;
mod schema;
mod secret;
mod shape;
mod unfit;
mod units;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use alerts::{AlertMailConfig, AlertWebhookConfig, AlertsConfig, MailTls};
pub use check::TOKEN_MIN;
pub use destination::{DestinationConfig, RetryConfig, TooLong};
pub use ledger::{Database, DatabaseUrl, LedgerConfig};
pub use load::{Loaded, Loader, Reading};
pub use mistake::{ConfigError, Mistake, nearest};
pub use queue::{QueueConfig, QueueTlsConfig, QueueUrl};
pub use schema::{ConnectorInfo, schema};
pub use secret::{Origin, Secret};
pub use unfit::unfit;
pub use units::{ByteSize, Span};

use crate::lead::Format;

/// Everything that a relay is told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the embedded queue and the ledger live. Relative to the configuration file.
    pub data_dir: PathBuf,
    /// Logging.
    pub log: LogConfig,
    /// The queue between the services.
    pub queue: QueueConfig,
    /// The public door.
    pub ingest: IngestConfig,
    /// The operators' door: API, health, metrics.
    pub admin: AdminConfig,
    /// What the ledger keeps, and where.
    pub ledger: LedgerConfig,
    /// Whom to tell when something is wrong.
    pub alerts: AlertsConfig,
    /// Who may send leads, by name. The name is part of the URL.
    pub sources: BTreeMap<String, SourceConfig>,
    /// Where leads go, by name.
    pub destinations: BTreeMap<String, DestinationConfig>,
    /// Which leads go where, and as what. Every route that matches applies; for one destination the first of them does.
    pub routes: Vec<RouteConfig>,
    /// Tables for the filter `lookup`: `[lookups.region]`, `US = "Americas"`.
    pub lookups: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "data".into(),
            log: LogConfig::default(),
            queue: QueueConfig::default(),
            ingest: IngestConfig::default(),
            admin: AdminConfig::default(),
            ledger: LedgerConfig::default(),
            alerts: AlertsConfig::default(),
            sources: BTreeMap::new(),
            destinations: BTreeMap::new(),
            routes: Vec::new(),
            lookups: BTreeMap::new(),
        }
    }
}

/// Logging, on standard error.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `human` or `json`; by default human on a terminal and JSON elsewhere.
    pub format: Option<LogFormat>,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or `target=level,..`. The variable
    /// LEADRELAY_LOG wins. What leadrelay is built on is heard at `info` and above whatever is written here: below it, it
    /// would tell headers and URLs.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: None, filter: "info,actix_server=warn,lapin=off".into() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For eyes.
    Human,
    /// For programs, one object a line.
    Json,
}

/// The public door. Raising a limit costs memory for each connection that uses it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// Where to listen. Behind a proxy on the same machine the loopback address is right; `0.0.0.0` is every address.
    #[schemars(schema_with = "units::address_schema")]
    pub listen: SocketAddr,
    /// How the world reaches it, for the URLs that leadrelay prints: `https://leads.example.com`.
    #[schemars(extend("format" = "http-url"))]
    pub public_url: Option<String>,
    /// TLS in the process itself; without it, plain HTTP behind a proxy.
    pub tls: Option<TlsConfig>,
    /// The most bytes of a request's target and headers together, 64KiB at most; beyond it 431.
    pub max_head: ByteSize,
    /// The largest body; beyond it 413.
    pub max_body: ByteSize,
    /// The deepest nesting of a JSON body.
    #[schemars(range(min = 1, max = crate::judge::DEPTH_MAX))]
    pub max_depth: usize,
    /// How long a sender may take for its headers, and again for its body.
    pub read_timeout: Span,
    /// Open connections in all; further ones wait in the backlog. The worker threads share them evenly, rounded up.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: usize,
    /// Requests a second for each source, and as many at once; beyond it 429. A source may set its own.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate_limit: u32,
    /// Threads that serve HTTP; by default as many as there are cores, four at most.
    #[schemars(range(min = 1, max = 256))]
    pub workers: Option<usize>,
    /// Whether leads are kept in `data_dir` while a broker is away, and so are accepted; else they are answered 503. Without
    /// meaning for the embedded queue.
    pub spool: bool,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            tls: None,
            max_head: ByteSize::kib(16),
            max_body: ByteSize::kib(256),
            max_depth: 64,
            read_timeout: Span::secs(10),
            max_connections: 1024,
            rate_limit: 200,
            workers: None,
            spool: true,
        }
    }
}

impl IngestConfig {
    /// How many of the largest bodies fit into so many bytes; at least one.
    pub fn bodies_within(&self, bytes: u64) -> usize {
        ByteSize(bytes / self.max_body.0.max(1)).as_usize().max(1)
    }
}

/// A certificate and its key, both PEM. Both are read again when they change.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The operators' door.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Where to listen.
    #[schemars(schema_with = "units::address_schema")]
    pub listen: SocketAddr,
    /// How operators reach it, for the links in alerts: `https://relay.example.com`. By default `http://` and the address.
    #[schemars(extend("format" = "http-url"))]
    pub public_url: Option<String>,
    /// Whether operators may come over plain HTTP from other machines: said where what is between them is trusted, such as the
    /// network of the containers or a proxy with TLS. Without it the API and the console are served on loopback alone.
    pub plain_http: bool,
    /// The bearer token of the API. By default `admin.token` in `data_dir`, made on first start.
    pub token: Option<Secret>,
}

impl AdminConfig {
    /// Whether the API and the console are served on this address: beyond loopback, tokens and leads would cross a network in the
    /// clear, and somebody has to say that this is meant.
    ///
    /// # Errors
    /// With the remedy.
    pub fn may_be_served(&self) -> Result<(), Mistake> {
        if self.listen.ip().is_loopback() || self.plain_http {
            return Ok(());
        }
        let reason = "other machines reach this address, and the admin token and leads would go there unencrypted";
        let remedy = "listen on 127.0.0.1 behind a proxy with TLS, or say `plain_http = true` in [admin] if the network is trusted";
        Err(Mistake::new("admin.listen", reason).remedy(remedy))
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8081)), public_url: None, plain_http: false, token: None }
    }
}

/// One sender of leads.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// What it sends.
    #[serde(default)]
    pub format: Format,
    /// Its live secrets: one, or two while rotating. A file may hold two, one a line, the newer first.
    pub tokens: Vec<Secret>,
    /// What to do with a body that is not a lead.
    #[serde(default)]
    pub on_invalid: OnInvalid,
    /// A JSON Schema of its own (draft 4 to 2020-12) that its bodies must satisfy. Relative to the configuration file.
    #[serde(default)]
    pub schema: Option<PathBuf>,
    /// The same body again within this time is a resend.
    #[serde(default = "SourceConfig::default_window")]
    pub duplicate_window: Span,
    /// Requests a second; by default what `ingest.rate_limit` says.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate_limit: Option<u32>,
}

impl SourceConfig {
    fn default_window() -> Span {
        Span::hours(24)
    }
}

/// What to do with a body that is not a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnInvalid {
    /// Keep it, answer 202, and park it with the faults: the sender would not send it again.
    #[default]
    Quarantine,
    /// Answer 400.
    Refuse,
}

/// Which leads go where, and as what.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Its name, in the ledger and in messages.
    pub name: String,
    /// The sources it is for; omitted, every source.
    #[serde(default)]
    pub from: Option<Vec<String>>,
    /// An expression; the route applies where it is true. Omitted, always.
    #[serde(default)]
    pub when: Option<String>,
    /// The destination.
    pub to: String,
    /// The record: the destination's field names, and for each a template, an expression or a constant. Omitted, the
    /// record is the lead in leadrelay's own names, with the whole `body`.
    #[serde(default)]
    pub fields: Option<Map<String, Value>>,
    /// A lead that is undelivered for longer is told as an alert.
    // Neither this nor the next changes what is routed where, and so neither makes new rules.
    #[serde(default = "RouteConfig::default_promise", skip_serializing)]
    pub promise: Span,
    /// Who gets mail beside that when the promise is broken, with a link. By the server of `alerts.mail`.
    #[serde(default, skip_serializing)]
    #[schemars(length(max = 50))]
    pub escalate_to: Vec<String>,
}

impl RouteConfig {
    fn default_promise() -> Span {
        Span::secs(5 * 60)
    }
}
