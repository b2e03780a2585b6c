//! The admin API: bearer token, problem+json, bounded bodies, and nothing kept by caches on the way.

pub(crate) mod alerts;
pub(crate) mod compare;
pub(crate) mod destinations;
pub(crate) mod leads;
mod openapi;
pub(crate) mod parked;
pub(crate) mod privacy;
mod problem;
pub(crate) mod query;
mod token;
pub mod types;

use std::future::{Ready, ready};
use std::net::TcpListener;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::{Payload, Server, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, FromRequest, HttpRequest, HttpServer, Resource, Route};
use leadrelay_shared::config::Config;
use leadrelay_shared::service::{Ctx, RunError, health};
use serde::de::DeserializeOwned;
use tokio::task::JoinError;

use crate::acts::{Acts, Operator};
use crate::alerts::Alerts;
use crate::console;
use crate::decisions::Decisions;
use crate::store::Store;
use crate::tryout;
pub(crate) use problem::Problem;
pub(crate) use token::Token;

/// The header in which a caller says who it is, for the audit log.
pub const OPERATOR: &str = "leadrelay-operator";
/// Threads that serve the API; what waits for the disk waits elsewhere.
const WORKERS: usize = 2;
const CONNECTIONS: usize = 256;
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds that requests under way have when the service stops.
const LAST_SECONDS: u64 = 5;
/// A request's body beside the body of a lead in it.
const BODY_ROOM: usize = 64 << 10;

/// What every request is answered from.
pub(crate) struct Api {
    pub(crate) ctx: Ctx,
    pub(crate) store: Store,
    pub(crate) acts: Acts,
    pub(crate) alerts: Alerts,
}

/// What requests come to first: the token, and the API once there is a store.
pub(crate) struct Front {
    token: Token,
    api: OnceLock<Data<Api>>,
}

impl Front {
    pub(crate) fn new(ctx: &Ctx) -> Result<Arc<Self>, RunError> {
        let token = Token::of(&ctx.loaded).map_err(RunError::Other)?;
        Ok(Arc::new(Self { token, api: OnceLock::new() }))
    }

    /// From now on requests are answered from this store.
    pub(crate) fn open(&self, ctx: &Ctx, store: &Store, decisions: &Decisions, alerts: &Alerts) {
        self.api.get_or_init(|| {
            let acts = Acts::new(ctx, store, decisions);
            Data::new(Api { ctx: ctx.clone(), store: store.clone(), acts, alerts: alerts.clone() })
        });
    }

    /// What requests are answered from, once there is a store.
    pub(crate) fn api(&self) -> Option<Data<Api>> {
        self.api.get().cloned()
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    /// Lets another ledger have the store.
    pub(crate) fn close(&self) {
        if let Some(api) = self.api.get() {
            api.store.close();
        }
    }
}

/// Binds the address and makes the server.
pub(crate) fn serve(ctx: &Ctx, front: &Arc<Front>) -> Result<(Server, ServerHandle), RunError> {
    ctx.config().admin.may_be_served().map_err(|mistake| RunError::Other(tryout::told(&mistake)))?;
    let address = ctx.config().admin.listen;
    let listen = |source| RunError::Listen { what: "the admin API", address, source };
    let listener = TcpListener::bind(address).map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    let front = Data::from(front.clone());
    let console = Data::new(console::Console::new(ctx, front.token()));
    let ctx_of_server = ctx.clone();
    let server = HttpServer::new(move || {
        App::new()
            .configure(health::configure(ctx_of_server.clone()))
            .configure(routes(ctx_of_server.config(), front.clone()))
            .configure(console::routes(ctx_of_server.config(), front.clone(), console.clone()))
    })
    .workers(WORKERS)
    .max_connections(CONNECTIONS)
    .client_request_timeout(PATIENCE)
    .shutdown_timeout(LAST_SECONDS)
    .disable_signals()
    .listen(listener)
    .map_err(listen)?
    .run();
    ctx.status.listens("admin", bound);
    let handle = server.handle();
    Ok((server, handle))
}

/// Why the server is no longer there.
pub(crate) fn ended(outcome: Result<std::io::Result<()>, JoinError>) -> String {
    match outcome {
        Ok(Ok(())) => "the admin API ended".to_owned(),
        Ok(Err(error)) => format!("the admin API ended: {error}"),
        Err(_) => "the admin API ended by a panic; the log says where".to_owned(),
    }
}

/// Every path of the API.
fn routes(config: &Config, front: Data<Front>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    // A body that is JSON inside JSON grows by its quotation marks.
    let limit = config.ingest.max_body.as_usize().saturating_mul(2).saturating_add(BODY_ROOM);
    move |server| {
        let scope = web::scope("/api")
            .app_data(front)
            .app_data(web::PayloadConfig::new(limit))
            .app_data(web::QueryConfig::default().error_handler(|_, _| {
                Problem::bad_request("the parameters cannot be read; is every `%` followed by two digits?").into()
            }))
            .wrap(from_fn(token::required))
            .wrap(DefaultHeaders::new().add(("Cache-Control", "no-store")))
            .service(at("/v1/leads", "GET", web::get().to(leads::list)))
            .service(
                at("/v1/leads/{id}", "GET, DELETE", web::get().to(leads::show))
                    .route(web::delete().to(privacy::erase_one)),
            )
            .service(at("/v1/erase", "POST", web::post().to(privacy::erase)))
            .service(at("/v1/export", "POST", web::post().to(privacy::export)))
            .service(at("/v1/compare", "POST", web::post().to(compare::compare)))
            .service(at("/v1/audit", "GET", web::get().to(privacy::audit)))
            .service(at("/v1/parked", "GET", web::get().to(parked::list)))
            .service(at("/v1/parked/{id}", "GET", web::get().to(parked::show)))
            .service(at("/v1/parked/{id}/release", "POST", web::post().to(parked::release)))
            .service(at("/v1/parked/{id}/repair", "POST", web::post().to(parked::repair)))
            .service(at("/v1/replay", "POST", web::post().to(parked::replay)))
            .service(at("/v1/destinations", "GET", web::get().to(destinations::list)))
            .service(at("/v1/destinations/{name}/pause", "POST", web::post().to(destinations::pause)))
            .service(at("/v1/destinations/{name}/resume", "POST", web::post().to(destinations::resume)))
            .service(at("/v1/destinations/{name}/check", "POST", web::post().to(destinations::check)))
            .service(at("/v1/sources", "GET", web::get().to(destinations::sources)))
            .service(at("/v1/stats", "GET", web::get().to(destinations::stats)))
            .service(at("/v1/alerts", "GET", web::get().to(alerts::list)))
            .service(at("/v1/alerts/test", "POST", web::post().to(alerts::test)))
            .service(at("/v1/openapi.json", "GET", web::get().to(openapi::document)))
            .default_service(web::to(async || Err::<(), _>(Problem::not_found("there is nothing at this path"))));
        server.service(scope);
    }
}

/// One path with its one method; any other is told which.
fn at(path: &'static str, allow: &'static str, route: Route) -> Resource {
    web::resource(path)
        .route(route)
        .default_service(web::to(move || async move { Err::<(), _>(Problem::method(allow)) }))
}

/// Who asks, as they say themselves: the token is everybody's.
impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let said = request.headers().get(OPERATOR).and_then(|value| value.to_str().ok()).unwrap_or_default();
        ready(Ok(Self::new(said, "api")))
    }
}

/// A body as it arrived, or why it did not.
pub(crate) type Received = Result<web::Bytes, actix_web::Error>;

fn received(body: Received) -> Result<web::Bytes, Problem> {
    body.map_err(|error| {
        let status = error.as_response_error().status_code();
        let detail =
            if status == StatusCode::PAYLOAD_TOO_LARGE { "the body is too large" } else { "the body did not arrive" };
        Problem::new(status, detail)
    })
}

/// Reads a JSON body. The error says where it is wrong.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|e| Problem::bad_request(format!("the body is not what this path takes: {e}")))
}
