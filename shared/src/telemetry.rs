//! Seeing: logs on standard error, metrics for Prometheus, the trace context that rides in envelopes.
//!
//! No metric label and no log field holds a value of a lead, a token or a secret.

use std::io::IsTerminal;
use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{LogConfig, LogFormat};

/// Metric names. Prometheus sees them with `_total` and units added where its conventions ask for it.
pub mod names {
    /// Leads that ingest accepted, by `source`.
    pub const ACCEPTED: &str = "leadrelay_leads_accepted";
    /// Requests that ingest refused, by `reason`.
    pub const REFUSED: &str = "leadrelay_requests_refused";
    /// Bodies that were not leads and were kept, by `source`.
    pub const QUARANTINED: &str = "leadrelay_leads_quarantined";
    /// Resends answered with the first id, by `source`.
    pub const DUPLICATES: &str = "leadrelay_leads_duplicate";
    /// Deliveries made by the router, by `destination`.
    pub const ROUTED: &str = "leadrelay_deliveries_routed";
    /// Deliveries that a destination has, by `destination`.
    pub const DELIVERED: &str = "leadrelay_deliveries_delivered";
    /// Failed attempts that will be followed by another, by `destination` and `kind`.
    pub const DEFERRED: &str = "leadrelay_deliveries_deferred";
    /// What waits for a person, by `reason`.
    pub const PARKED: &str = "leadrelay_parked";
    /// How long an attempt took, by `destination`.
    pub const ATTEMPT: &str = "leadrelay_attempt_duration";
    /// From accepted to delivered, by `destination`.
    pub const END_TO_END: &str = "leadrelay_accepted_to_delivered";
    /// Messages in a topic, by `topic` and `state`.
    pub const DEPTH: &str = "leadrelay_queue_messages";
    /// Age of the oldest message in a topic, by `topic`.
    pub const OLDEST: &str = "leadrelay_queue_oldest_age";
    /// Messages in ingest's spool, which wait there for the queue.
    pub const SPOOLED: &str = "leadrelay_spool_messages";
    /// Messages that went into the spool because the queue took none.
    pub const SPOOL_STORED: &str = "leadrelay_spool_stored";
    /// Messages that went from the spool into the queue.
    pub const SPOOL_FORWARDED: &str = "leadrelay_spool_forwarded";
    /// 1 while a destination is paused, by `destination`.
    pub const PAUSED: &str = "leadrelay_destination_paused";
    /// What of the routes to a destination does not fit the fields that it told, by `destination`.
    pub const UNFIT: &str = "leadrelay_destination_unfit_fields";
    /// 1 while a destination does not pass its check, by `destination`.
    pub const UNCHECKED: &str = "leadrelay_destination_check_failed";
}

/// The instruments of this process.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is documented by its name in `names`")]
pub struct Metrics {
    registry: Registry,
    _provider: SdkMeterProvider,
    pub accepted: Counter<u64>,
    pub refused: Counter<u64>,
    pub quarantined: Counter<u64>,
    pub duplicates: Counter<u64>,
    pub routed: Counter<u64>,
    pub delivered: Counter<u64>,
    pub deferred: Counter<u64>,
    pub parked: Counter<u64>,
    pub attempt: Histogram<f64>,
    pub end_to_end: Histogram<f64>,
    pub depth: Gauge<u64>,
    pub oldest: Gauge<f64>,
    pub spooled: Gauge<u64>,
    pub spool_stored: Counter<u64>,
    pub spool_forwarded: Counter<u64>,
    pub paused: Gauge<u64>,
    pub unfit: Gauge<u64>,
    pub unchecked: Gauge<u64>,
}

/// The instruments of this process: instruments are process-wide by their nature, as in every metrics library.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

impl Metrics {
    fn new() -> Self {
        let registry = Registry::new();
        // Unwrap safety: registering the first collector of a new registry cannot clash with another.
        #[expect(clippy::expect_used, reason = "see above")]
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_target_info()
            .scope_info_enabled(false)
            .build()
            .expect("a fresh registry takes a collector");
        let provider = SdkMeterProvider::builder().with_reader(exporter).build();
        let meter = provider.meter("leadrelay");
        let seconds = |name| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_boundaries(vec![
                    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
                ])
                .build()
        };
        let count = |name| meter.u64_counter(name).build();
        Self {
            accepted: count(names::ACCEPTED),
            refused: count(names::REFUSED),
            quarantined: count(names::QUARANTINED),
            duplicates: count(names::DUPLICATES),
            routed: count(names::ROUTED),
            delivered: count(names::DELIVERED),
            deferred: count(names::DEFERRED),
            parked: count(names::PARKED),
            attempt: seconds(names::ATTEMPT),
            end_to_end: seconds(names::END_TO_END),
            depth: meter.u64_gauge(names::DEPTH).build(),
            oldest: meter.f64_gauge(names::OLDEST).with_unit("s").build(),
            spooled: meter.u64_gauge(names::SPOOLED).build(),
            spool_stored: count(names::SPOOL_STORED),
            spool_forwarded: count(names::SPOOL_FORWARDED),
            paused: meter.u64_gauge(names::PAUSED).build(),
            unfit: meter.u64_gauge(names::UNFIT).build(),
            unchecked: meter.u64_gauge(names::UNCHECKED).build(),
            registry,
            _provider: provider,
        }
    }

    /// All metrics in Prometheus's text format.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be rendered");
        }
        text
    }
}

/// A label.
pub fn label(key: &'static str, value: impl Into<String>) -> KeyValue {
    KeyValue::new(key, value.into())
}

/// Starts logging to standard error. Only the first call in a process has an effect.
///
/// # Errors
/// When the filter cannot be read.
pub fn init(log: &LogConfig) -> Result<(), String> {
    let wanted = std::env::var("LEADRELAY_LOG").unwrap_or_else(|_| log.filter.clone());
    let terminal = std::io::stderr().is_terminal();
    let human = log.format.map_or(terminal, |f| f == LogFormat::Human);
    let logger = logger(&wanted, human, terminal, std::io::stderr)?;
    // An error means that a subscriber is installed already, which is what the caller wants.
    let _ = tracing::subscriber::set_global_default(logger);
    Ok(())
}

fn logger<W>(wanted: &str, human: bool, ansi: bool, writer: W) -> Result<impl Subscriber + Send + Sync, String>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(wanted).map_err(|e| format!("log filter {wanted:?}: {e}"))?;
    let lines = fmt::layer().with_writer(writer);
    let lines = if human { lines.with_ansi(ansi).compact().boxed() } else { lines.json().flatten_event(true).boxed() };
    Ok(tracing_subscriber::registry().with(filter).with(filter_fn(may_be_said)).with(lines))
}

/// Whatever the filter says, dependencies are heard at `info` and above alone: below it those that speak HTTP show the
/// headers, URLs and bodies of what they carry.
fn may_be_said(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("leadrelay") || *metadata.level() <= Level::INFO
}

/// The W3C `traceparent` of the current step, to ride in the envelopes that it publishes. Envelopes have its place; nothing
/// makes spans for it yet, and so it is always `None`.
pub fn trace_context() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("the lines").write(text)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_filter_lets_dependencies_tell_what_they_carry() {
        for (human, filter) in [(true, "trace"), (false, "trace"), (true, "hyper=trace,leadrelay_shared=trace")] {
            let lines = Lines::default();
            let writer = lines.clone();
            let logger = logger(filter, human, false, move || writer.clone()).expect("a filter");
            tracing::subscriber::with_default(logger, || {
                tracing::trace!(target: "hyper::proto", "authorization: t0ken");
                tracing::debug!(target: "hyper::client", "GET /t0ken");
                tracing::warn!(target: "hyper::server", "heard");
                tracing::trace!(target: "leadrelay_shared::queue", "ours");
            });
            let said = String::from_utf8(lines.0.lock().expect("the lines").clone()).expect("text");
            assert!(said.contains("heard") && said.contains("ours") && !said.contains("t0ken"), "{filter}: {said}");
        }
        assert!(logger("leadrelay=loud", true, false, std::io::sink).is_err());
    }
}
