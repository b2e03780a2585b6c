//! What is wrong with the parts of the configuration that only the door can judge: schemas, certificates, times.

use std::time::Duration;

use leadrelay_shared::config::{Loaded, Mistake};
use leadrelay_shared::judge::Judge;

use crate::tls::Certificate;

const WINDOW_MAX: Duration = Duration::from_secs(30 * 86_400);

/// Every mistake that the door would meet when it opens.
pub fn check(loaded: &Loaded) -> Vec<Mistake> {
    let config = &loaded.config.ingest;
    let mut found = Vec::new();
    if config.read_timeout.0 < Duration::from_millis(1) || config.read_timeout.0 > Duration::from_secs(300) {
        found.push(Mistake::new("ingest.read_timeout", "must be between 1ms and 300s"));
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
