//! Accepts: HTTPS in, a lead on the queue, and only then a 202.

use leadrelay_shared::config::{Loaded, Mistake};
use leadrelay_shared::service::{Ctx, RunError};

/// Serves the public door until the service is stopped.
///
/// # Errors
/// When it cannot listen, or its TLS files cannot be read.
pub async fn run(ctx: Ctx) -> Result<(), RunError> {
    ctx.stop.draining().await;
    Ok(())
}

/// What is wrong with the parts of the configuration that only ingest can judge: schemas, certificates.
pub fn check(_loaded: &Loaded) -> Vec<Mistake> {
    Vec::new()
}
