//! Trying other routes on leads that came in.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};

use super::problem::Problem;
use super::types::{Compare, Comparison};
use super::{Api, Received, query, read, received};
use crate::tryout;

pub(super) async fn compare(
    api: Data<Api>,
    pairs: Query<Vec<(String, String)>>,
    body: Received,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let Compare { routes, last } = read(&received(body)?)?;
    if !(1..=tryout::LEADS_MAX).contains(&last) {
        return Err(Problem::bad_request(format!("`last` is a number from 1 to {}", tryout::LEADS_MAX)));
    }
    let compared = compared(&api, &routes, last).await?;
    compared.map(|compared| HttpResponse::Ok().json(compared)).map_err(|wrong| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the routes have mistakes: {}", wrong.join("; ")))
    })
}

/// What other routes would change for the latest leads, or what is wrong with them.
pub(crate) async fn compared(api: &Api, routes: &str, last: usize) -> Result<Result<Comparison, Vec<String>>, Problem> {
    let config = api.ctx.config();
    let both = tryout::rules(config).and_then(|now| Ok((now, tryout::with_routes(config, routes)?)));
    let (now, then) = match both {
        Ok(both) => both,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let leads = api.store.latest(last).await?;
    // Mapping is work, and this thread has others to answer.
    let compared = tokio::task::spawn_blocking(move || tryout::compare(&now, &then, &leads)).await;
    compared.map(Ok).map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the comparison ended by a fault"))
}
