//! Destinations: how each is, and pausing, resuming and checking it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use minijinja::context;

use super::failure::Failure;
use super::guard::{Posted, Visitor};
use super::page::{of, page};
use super::{operator, to};
use crate::api::{Api, destinations as answers};

pub(super) async fn list(api: Data<Api>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let values = context! { destinations => of(answers::statuses(&api).await?) };
    page(&visitor, api.ctx.clock.now(), "destinations.html", values)
}

pub(super) async fn act(
    api: Data<Api>,
    visitor: Visitor,
    name: Path<String>,
    form: Posted,
) -> Result<HttpResponse, Failure> {
    let by = operator(&visitor);
    match form.one("act") {
        Some("pause") => api.acts.pause(&by, &name, form.one("reason").unwrap_or_default().to_owned()).await?,
        Some("resume") => api.acts.resume(&by, &name).await?,
        Some("check") => api.acts.check(&by, &name).await?,
        _ => return Err(Failure::new(StatusCode::BAD_REQUEST, "the form does not say what to do")),
    }
    Ok(to(&format!("/destinations#{}", super::shapes::encoded(&name))))
}
