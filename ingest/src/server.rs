//! The HTTP server: bound, served, and stopped in two stages.

use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use leadrelay_shared::config::{IngestConfig, Mistake};
use leadrelay_shared::service::{Ctx, RunError, State};
use tokio::task::JoinSet;

use crate::door::Door;
use crate::outbox::Outbox;
use crate::tls::Certificate;
use crate::{PART, accept, tls, watch};

/// The most threads that are taken without being asked for.
const WORKERS_MAX: usize = 4;

/// Past the time that a body may take, so long may the queue take before a graceful stop ends.
const PUBLISH_SECS: u64 = 8;

pub(crate) async fn serve(ctx: Ctx) -> Result<(), RunError> {
    let door = Arc::new(Door::open(&ctx, Outbox::open(&ctx)?).map_err(told)?);
    let certificate = match &ctx.config().ingest.tls {
        Some(files) => Some(Arc::new(
            Certificate::load(&ctx.loaded.path(&files.cert), &ctx.loaded.path(&files.key)).map_err(told)?,
        )),
        None => None,
    };
    let mut server = bind(&ctx, &door, certificate.clone())?;
    let mut forwarding = JoinSet::new();
    door.outbox.forward(&mut forwarding);
    ctx.status.set(PART, State::Ready);
    tokio::select! {
        ended = &mut server => return Err(ended_by_itself(ended)),
        () = watch::files(&ctx.clock, &door, certificate.as_deref()) => {}
        () = ctx.stop.draining() => {}
    }
    let stopped = server.handle().stop(true);
    tokio::select! {
        _ = &mut server => stopped.await,
        // Dropping the server closes every connection at once.
        () = ctx.stop.immediate() => {}
    }
    door.outbox.finish(&ctx.stop).await;
    forwarding.shutdown().await;
    Ok(())
}

fn bind(ctx: &Ctx, door: &Arc<Door>, certificate: Option<Arc<Certificate>>) -> Result<Server, RunError> {
    let config = &ctx.config().ingest;
    let door = Data::from(door.clone());
    let app = move || {
        App::new()
            .app_data(door.clone())
            .service(web::resource(["/v1/leads/{source}", "/v1/leads/{source}/{token}"]).to(accept::accept))
            .default_service(web::to(accept::nothing_here))
    };
    let read_timeout = config.read_timeout.0;
    let workers = workers(config);
    let server = HttpServer::new(app)
        .workers(workers)
        // The library counts for each worker.
        .max_connections(config.max_connections.div_ceil(workers))
        .client_request_timeout(read_timeout)
        .tls_handshake_timeout(read_timeout)
        .shutdown_timeout(read_timeout.as_secs() + PUBLISH_SECS)
        .disable_signals();
    let server = match certificate {
        Some(certificate) => {
            server.bind_rustls_0_23(config.listen, tls::server_config(certificate).map_err(RunError::Other)?)
        }
        None => server.bind(config.listen),
    };
    let server = server.map_err(|source| RunError::Listen { what: PART, address: config.listen, source })?;
    for address in server.addrs() {
        ctx.status.listens(PART, address);
    }
    Ok(server.run())
}

/// Never more than there may be connections, so that each may have one.
fn workers(config: &IngestConfig) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get().min(WORKERS_MAX));
    config.workers.unwrap_or_else(cores).clamp(1, config.max_connections.max(1))
}

fn told(mistake: Mistake) -> RunError {
    let remedy = mistake.remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
    RunError::Other(format!("{}: {}{remedy}", mistake.key, mistake.reason))
}

fn ended_by_itself(ended: std::io::Result<()>) -> RunError {
    RunError::Other(match ended {
        Ok(()) => "the HTTP server ended by itself".to_owned(),
        Err(error) => format!("the HTTP server cannot run: {error}"),
    })
}
