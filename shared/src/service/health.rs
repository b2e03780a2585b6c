//! `/healthz`, `/readyz` and `/metrics`, without a token.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, http::StatusCode};
use serde_json::json;

use super::{Ctx, SpoolStatus};
use crate::queue::Health;
use crate::telemetry::{label, metrics};

/// Adds the three paths to a server.
pub fn configure(ctx: Ctx) -> impl FnOnce(&mut ServiceConfig) {
    move |server| {
        server
            .app_data(Data::new(ctx))
            .route("/healthz", web::get().to(healthz))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(render));
    }
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

async fn readyz(ctx: Data<Ctx>) -> HttpResponse {
    let queue = ctx.queue.health().borrow().clone();
    let spool = ctx.status.spool().await;
    let takes = takes(&queue, spool.as_ref());
    let ready = ctx.status.is_ready() && takes && !ctx.stop.is_draining();
    let queue = match queue {
        Health::Ready => json!({"state": "ready"}),
        Health::Blocked(reason) => json!({"state": "blocked", "reason": reason}),
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body =
        json!({"ready": ready, "draining": ctx.stop.is_draining(), "queue": queue, "parts": ctx.status.parts()});
    if let Some(spool) = spool {
        body["spool"] = json!(spool);
    }
    HttpResponse::build(status).json(body)
}

/// Whether leads are taken: where there is a spool, without the queue too.
fn takes(queue: &Health, spool: Option<&SpoolStatus>) -> bool {
    *queue == Health::Ready || spool.is_some_and(|spool| spool.blocked.is_none())
}

/// Waits until leads are taken.
pub(super) async fn taking(ctx: &Ctx) {
    let mut health = ctx.queue.health();
    loop {
        let queue = health.borrow_and_update().clone();
        if takes(&queue, ctx.status.spool().await.as_ref()) || health.changed().await.is_err() {
            return;
        }
    }
}

async fn render(ctx: Data<Ctx>) -> HttpResponse {
    if let Ok(topics) = ctx.queue.stats().await {
        for topic in topics {
            let name = label("topic", topic.topic.clone());
            for (state, count) in [("ready", topic.ready), ("delayed", topic.delayed), ("claimed", topic.claimed)] {
                metrics().depth.record(count, &[name.clone(), label("state", state)]);
            }
            metrics().oldest.record(topic.oldest_age.unwrap_or_default().as_secs_f64(), &[name]);
        }
    }
    if let Some(spool) = ctx.status.spool().await {
        metrics().spooled.record(spool.waiting, &[]);
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics().render())
}
