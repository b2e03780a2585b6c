//! Accepts: HTTPS in, a lead on the queue, and only then a 202.
//!
//! `POST /v1/leads/{source}/{token}`, or `POST /v1/leads/{source}` with the token as `Authorization: Bearer` or
//! `X-Api-Key`. A request publishes exactly one message, so acceptance is all or nothing, and a success means that the
//! queue has confirmed it, or that it is in the spool because a broker is away. Marketplaces do not send again, so a body that is not a lead is kept too (quarantined) unless
//! its source says `refuse`.
//!
//! Limits of the HTTP library that hold beside the configured ones: 96 headers and 128 KiB for a request's head (the
//! configuration allows less), 16 pipelined requests, one second to read on after an early refusal.

mod accept;
mod body;
mod check;
mod door;
mod identify;
mod limit;
mod outbox;
mod problem;
mod recent;
mod server;
mod spool;
mod tls;
mod tokens;
mod watch;

use leadrelay_shared::service::{Ctx, RunError, State};

pub use check::check;
pub use identify::id_under_key;

/// This part's name in the process's status.
pub const PART: &str = "ingest";

/// Serves the public door until the service is stopped.
///
/// # Errors
/// When it cannot listen, or its schemas or TLS files cannot be read.
pub async fn run(ctx: Ctx) -> Result<(), RunError> {
    ctx.status.set(PART, State::Starting);
    server::serve(ctx).await
}
