//! What is wrong with the parts of the configuration that only the door can judge: schemas, certificates, times.

use std::time::Duration;

use leadrelay_shared::config::{ByteSize, Loaded, Mistake};
use leadrelay_shared::judge::Judge;

use crate::tls::Certificate;

/// The largest body where the queue is a broker: written as JSON it may be six times as long, and RabbitMQ takes 16 MiB.
const BROKER_BODY_MAX: ByteSize = ByteSize::mib(2);

const WINDOW_MAX: Duration = Duration::from_secs(30 * 86_400);

/// Every mistake that the door would meet when it opens.
pub fn check(loaded: &Loaded) -> Vec<Mistake> {
    let config = &loaded.config.ingest;
    let mut found = Vec::new();
    if config.read_timeout.0 < Duration::from_millis(1) || config.read_timeout.0 > Duration::from_secs(300) {
        found.push(Mistake::new("ingest.read_timeout", "must be between 1ms and 300s"));
    }
    if !loaded.config.queue.url.is_embedded() && config.max_body > BROKER_BODY_MAX {
        found.push(Mistake::new("ingest.max_body", "must be 2MiB at most where the queue is RabbitMQ"));
    }
    for (name, source) in &loaded.config.sources {
        found.extend(Judge::for_source(loaded, name).err());
        if source.duplicate_window.0 < Duration::from_secs(1) || source.duplicate_window.0 > WINDOW_MAX {
            found.push(Mistake::new(format!("sources.{name}.duplicate_window"), "must be between 1s and 30d"));
        }
    }
    if let Some(tls) = &config.tls {
        found.extend(Certificate::load(&loaded.path(&tls.cert), &loaded.path(&tls.key)).err());
    }
    found
}
