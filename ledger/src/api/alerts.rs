//! Alerts: the list, and one to every channel as a test.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};

use super::problem::Problem;
use super::{Api, query};

type Pairs = Query<Vec<(String, String)>>;

pub(super) async fn list(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    Ok(HttpResponse::Ok().json(api.alerts.told().await?))
}

pub(super) async fn test(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let tested = api.alerts.test().await;
    let sent = tested.iter().filter(|one| one.sent).count();
    tracing::info!(channels = tested.len(), sent, "alerts were tested by hand");
    Ok(HttpResponse::Ok().json(tested))
}
