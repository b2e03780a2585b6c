//! Remembers: events and parked messages in, history, search and replay out.

pub mod api;
pub mod store;

use leadrelay_shared::service::{Ctx, RunError};

/// Records events and serves the admin API until the service is stopped.
///
/// # Errors
/// When it cannot listen, or its store cannot be opened.
pub async fn run(ctx: Ctx) -> Result<(), RunError> {
    ctx.stop.draining().await;
    Ok(())
}
