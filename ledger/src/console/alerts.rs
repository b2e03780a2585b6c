//! What is wrong and what was, and whether those who are to be told can be reached.

use actix_web::HttpResponse;
use actix_web::web::Data;
use minijinja::context;

use super::failure::Failure;
use super::guard::{Posted, Visitor};
use super::operator;
use super::page::{of, page};
use crate::api::Api;

pub(super) async fn list(api: Data<Api>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let values = context! { alerts => of(api.alerts.told().await?) };
    page(&visitor, api.ctx.clock.now(), "alerts.html", values)
}

/// Sends one message to every channel now, and shows what each said.
pub(super) async fn test(api: Data<Api>, visitor: Visitor, _: Posted) -> Result<HttpResponse, Failure> {
    api.acts.note(&operator(&visitor), "test alerts", "").await?;
    let tested = api.alerts.test().await;
    let values = context! { alerts => of(api.alerts.told().await?), tested => of(tested) };
    page(&visitor, api.ctx.clock.now(), "alerts.html", values)
}
