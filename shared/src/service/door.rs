//! Health, readiness and metrics on `admin.listen`, for a process that does not serve the admin API there.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::{App, HttpServer};

use super::{Ctx, RunError, State, health};

/// Its name in the process's status.
pub(super) const PART: &str = "admin";

const CONNECTIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds that requests under way have when the process stops.
const LAST_SECONDS: u64 = 2;

/// Serves until the process is stopped.
pub(super) async fn run(ctx: Ctx) -> Result<(), RunError> {
    ctx.status.set(PART, State::Starting);
    let address = ctx.config().admin.listen;
    let listen = |source| RunError::Listen { what: "health and metrics", address, source };
    let listener = TcpListener::bind(address).map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    let told = ctx.clone();
    let mut server = HttpServer::new(move || App::new().configure(health::configure(told.clone())))
        .workers(1)
        .max_connections(CONNECTIONS)
        .client_request_timeout(PATIENCE)
        .shutdown_timeout(LAST_SECONDS)
        .disable_signals()
        .listen(listener)
        .map_err(listen)?
        .run();
    ctx.status.listens(PART, bound);
    ctx.status.set(PART, State::Ready);
    tokio::select! {
        ended = &mut server => {
            let reason = ended.err().map_or_else(|| "the HTTP server ended by itself".to_owned(), |e| e.to_string());
            return Err(RunError::Other(reason));
        }
        () = ctx.stop.draining() => {}
    }
    let stopped = server.handle().stop(true);
    tokio::select! {
        _ = &mut server => stopped.await,
        // Dropping the server closes every connection at once.
        () = ctx.stop.immediate() => {}
    }
    Ok(())
}
