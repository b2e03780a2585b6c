//! Looks every second whether a token file or the certificate has changed, and has it read again.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use leadrelay_shared::clock::Clock;

use crate::door::Door;
use crate::tls::Certificate;

const EVERY: Duration = Duration::from_secs(1);

/// Watches until it is dropped.
pub(crate) async fn files(clock: &Clock, door: &Door, certificate: Option<&Certificate>) {
    let mut tokens = Watched::new(door.tokens.files());
    let mut pair = Watched::new(certificate.map(Certificate::files).unwrap_or_default());
    loop {
        clock.sleep(EVERY).await;
        if tokens.changed().await {
            door.tokens.reload();
        }
        if let Some(certificate) = certificate
            && pair.changed().await
        {
            certificate.reload();
        }
    }
}

/// What a change of a file shows in.
type Stamp = Option<(SystemTime, u64)>;

struct Watched {
    files: Vec<PathBuf>,
    stamps: Vec<Stamp>,
}

impl Watched {
    /// Nothing is taken as seen: a file may have changed since it was first read.
    fn new(files: Vec<PathBuf>) -> Self {
        Self { files, stamps: Vec::new() }
    }

    async fn changed(&mut self) -> bool {
        let mut stamps = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let found = tokio::fs::metadata(file).await.ok();
            stamps.push(found.and_then(|m| Some((m.modified().ok()?, m.len()))));
        }
        let changed = stamps != self.stamps;
        self.stamps = stamps;
        changed
    }
}
