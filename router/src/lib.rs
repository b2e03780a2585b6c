//! Routes: a lead in, one delivery for each destination out.

mod rules;

use leadrelay_shared::service::{Ctx, RunError};

pub use rules::{Routing, Rules};

/// Routes leads until the service is stopped.
///
/// # Errors
/// When the rules cannot be compiled or the queue is closed.
pub async fn run(ctx: Ctx) -> Result<(), RunError> {
    ctx.stop.draining().await;
    Ok(())
}
