//! The console: pages for people who answer for leads. It is a client of the same functions as the API.
//!
//! Pages are made here and work without a script; the script makes them a little better. Every change is a form that only this
//! session can send ([`guard`]), and is done by [`crate::acts`].

mod alerts;
mod assets;
mod destinations;
mod failure;
mod guard;
mod jobs;
mod leads;
mod limit;
mod login;
mod overview;
mod page;
mod parked;
mod privacy;
mod replay;
mod session;
mod shapes;
mod sources;
mod tries;

use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::Config;
use leadrelay_shared::service::Ctx;

use crate::acts::Operator;
use crate::api::{Front, Token};
use failure::Failure;
use guard::Visitor;
use jobs::Jobs;
use limit::Limit;
use session::Sessions;

/// A form beside the body of a lead in it: ids of what was chosen, and the rest.
const FORM_ROOM: usize = 256 << 10;

/// What the pages need beside the API.
#[derive(Debug)]
pub(crate) struct Console {
    clock: Clock,
    sessions: Sessions,
    limit: Limit,
    jobs: Jobs,
}

impl Console {
    pub(crate) fn new(ctx: &Ctx, token: &Token) -> Self {
        Self {
            clock: ctx.clock.clone(),
            sessions: Sessions::new(token.expose()),
            limit: Limit::default(),
            jobs: Jobs::default(),
        }
    }
}

/// Every path of the console.
pub(crate) fn routes(
    config: &Config,
    front: Data<Front>,
    console: Data<Console>,
) -> impl FnOnce(&mut ServiceConfig) + use<> {
    // Each sign of a body may become three in a form.
    let limit = config.ingest.max_body.as_usize().saturating_mul(3).saturating_add(FORM_ROOM);
    move |server| {
        let pages = web::scope("")
            .wrap(from_fn(guard::signed_in))
            .service(at("/", web::get().to(overview::show)))
            .service(at("/leads", web::get().to(leads::list)))
            .service(at("/leads/{id}", web::get().to(leads::show)))
            .service(at("/leads/{id}/replay", web::post().to(leads::replay)))
            .service(web::resource("/leads/{id}/erase").get(privacy::ask).post(privacy::erase))
            .service(web::resource("/person").get(privacy::look).post(privacy::person))
            .service(at("/parked", web::get().to(parked::list)))
            .service(web::resource("/parked/{id}").get(parked::show).post(parked::act))
            .service(web::resource("/replay").get(replay::preview).post(replay::begin))
            .service(at("/jobs/{id}", web::get().to(jobs::show)))
            .service(web::resource("/try").get(tries::ask).post(tries::answer))
            .service(at("/sources", web::get().to(sources::list)))
            .service(at("/sources/{name}", web::post().to(sources::act)))
            .service(at("/destinations", web::get().to(destinations::list)))
            .service(at("/destinations/{name}", web::post().to(destinations::act)))
            .service(web::resource("/alerts").get(alerts::list).post(alerts::test))
            .service(at("/audit", web::get().to(privacy::audit)))
            .service(at("/logout", web::post().to(login::out)))
            .default_service(web::to(async || Err::<(), _>(Failure::not_found("there is no such page"))));
        let all = web::scope("")
            .app_data(front)
            .app_data(console)
            .app_data(web::PayloadConfig::new(limit))
            .wrap(from_fn(guard::headers))
            .service(at("/assets/{version}/{name}", web::get().to(assets::serve)))
            .service(web::resource("/login").get(login::ask).post(login::enter))
            .service(pages);
        server.service(all);
    }
}

/// One path with its one method.
fn at(path: &'static str, route: Route) -> Resource {
    web::resource(path).route(route).default_service(web::to(async || Err::<(), _>(wrong_method())))
}

fn wrong_method() -> Failure {
    Failure::new(actix_web::http::StatusCode::METHOD_NOT_ALLOWED, "this page is not there to be asked in this way")
}

/// Sends the browser on to a page, as the answer to a form.
fn to(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, place)).finish()
}

/// Who acts, for the audit log.
fn operator(visitor: &Visitor) -> Operator {
    Operator { name: visitor.session.name.clone(), via: "console" }
}
