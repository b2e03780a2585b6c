//! Erasing, what is held about a person, and the audit log.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::{Data, Path};
use leadrelay_shared::id::LeadId;
use minijinja::context;

use super::failure::Failure;
use super::guard::{Posted, Visitor};
use super::leads::Pairs;
use super::operator;
use super::page::{of, page};
use crate::api::types::{Erased, Whom};
use crate::api::{Api, leads as answers, privacy};

/// Acts on one page.
const ACTS: usize = 100;

/// Asks whether a lead shall really be erased.
pub(super) async fn ask(api: Data<Api>, visitor: Visitor, id: Path<String>) -> Result<HttpResponse, Failure> {
    let id = answers::the_one(&api, &id).await?;
    let detail = answers::whole(&api, id).await?;
    page(&visitor, api.ctx.clock.now(), "erase.html", context! { lead => of(detail) })
}

pub(super) async fn erase(
    api: Data<Api>,
    visitor: Visitor,
    id: Path<String>,
    _: Posted,
) -> Result<HttpResponse, Failure> {
    let id: LeadId = id.parse().map_err(|_| Failure::bad_request("this is not a whole id"))?;
    let erased = Erased { leads: vec![api.acts.erase(&operator(&visitor), id).await?] };
    page(&visitor, api.ctx.clock.now(), "erased.html", context! { erased => of(erased) })
}

pub(super) async fn look(api: Data<Api>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    page(&visitor, api.ctx.clock.now(), "person.html", context! { whom => context! {}, found => None::<bool> })
}

/// Finds a person's leads, writes down what is held, or erases it. By a form, so that no address is in an address bar.
pub(super) async fn person(api: Data<Api>, visitor: Visitor, form: Posted) -> Result<HttpResponse, Failure> {
    let whom = Whom { email: form.one("email").map(str::to_owned), phone: form.one("phone").map(str::to_owned) };
    let by = operator(&visitor);
    match form.one("act") {
        Some("find") => {
            let mut found = Vec::new();
            for id in privacy::leads_of(&api, &whom).await? {
                found.push(answers::whole(&api, id).await?.lead);
            }
            page(&visitor, api.ctx.clock.now(), "person.html", context! { whom => of(whom), found => of(found) })
        }
        Some("export") => {
            let held = privacy::held(&api, &by, &whom).await?;
            let name = "attachment; filename=\"held.json\"";
            Ok(HttpResponse::Ok().insert_header((CONTENT_DISPOSITION, name)).json(held))
        }
        Some("erase") => {
            let erased = privacy::erase_person(&api, &by, &whom).await?;
            page(&visitor, api.ctx.clock.now(), "erased.html", context! { erased => of(erased) })
        }
        _ => Err(Failure::new(StatusCode::BAD_REQUEST, "the form does not say what to do")),
    }
}

pub(super) async fn audit(api: Data<Api>, visitor: Visitor, pairs: Pairs) -> Result<HttpResponse, Failure> {
    let given = pairs.iter().find(|(name, _)| name == "cursor").map(|(_, value)| value.parse());
    let before = given.transpose().map_err(|_| Failure::bad_request("this is not a place in the audit log"))?;
    let acts = api.store.acts(ACTS, before).await?;
    page(&visitor, api.ctx.clock.now(), "audit.html", context! { acts => of(acts.items), next => acts.next })
}
