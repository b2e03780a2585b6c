//! What waits for a person, and sending on its way again.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use leadrelay_shared::delivery::Waiting;

use super::leads::shown;
use super::problem::Problem;
use super::query::{self, listing};
use super::types::{ParkedDetail, Repair, Replay, Replayed};
use super::{Api, Received, read, received};
use crate::acts::Operator;
use crate::progress::Progress;
use crate::replay::Refusal;
use crate::store::ParkedRow;

type Pairs = Query<Vec<(String, String)>>;

/// The most ids in one request.
const IDS_MAX: usize = 1000;

pub(super) async fn list(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    let asked = listing(pairs.into_inner(), &query::PARKED)?;
    let page = api.store.parked(asked.filter, asked.limit, asked.cursor).await?;
    Ok(HttpResponse::Ok().json(page))
}

pub(super) async fn show(api: Data<Api>, id: Path<String>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    Ok(HttpResponse::Ok().json(whole(&api, &id).await?))
}

/// A parked item with what waits.
pub(crate) async fn whole(api: &Api, id: &str) -> Result<ParkedDetail, Problem> {
    let row = api.acts.replayer.parked(id).await.map_err(|refusal| match refusal {
        Refusal::Unknown => {
            Problem::not_found("nothing of this id is parked; write the id in full, as the list shows it")
        }
        Refusal::NotNow(why) => Problem::not_found(why),
        other => other.into(),
    })?;
    Ok(detail(row))
}

pub(super) async fn release(
    api: Data<Api>,
    id: Path<String>,
    pairs: Pairs,
    by: Operator,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    api.acts.release(&by, &id).await?;
    Ok(HttpResponse::Ok().json(Replayed { count: 1, ..Replayed::default() }))
}

pub(super) async fn repair(
    api: Data<Api>,
    id: Path<String>,
    pairs: Pairs,
    by: Operator,
    body: Received,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let Repair { body, dry_run } = read(&received(body)?)?;
    let repaired = api.acts.repair(&by, &id, body.into_bytes(), dry_run).await?;
    Ok(HttpResponse::Ok().json(repaired))
}

pub(super) async fn replay(
    api: Data<Api>,
    pairs: Pairs,
    by: Operator,
    body: Received,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let asked: Replay = read(&received(body)?)?;
    if matches!(&asked, Replay::Ids(ids) if ids.len() > IDS_MAX) {
        let detail = format!("at most {IDS_MAX} ids in one request");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    // A task of its own: when the caller goes away, what was begun is still finished and recorded.
    let acts = api.acts.clone();
    let replayed = tokio::spawn(async move {
        let progress = Progress::default();
        match asked {
            Replay::Ids(ids) => acts.replay_ids(&by, ids, &progress).await,
            Replay::Filter(filter) => acts.replay_filter(&by, filter, &progress).await,
        }
    });
    let replayed: Result<Replayed, Refusal> =
        replayed.await.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the replay ended by a fault"))?;
    Ok(HttpResponse::Ok().json(replayed?))
}

fn detail(row: ParkedRow) -> ParkedDetail {
    let item = row.item;
    let (body, record) = match row.waiting {
        Waiting::Lead(lead) => (Some(lead.body), None),
        Waiting::Delivery(delivery) => (None, Some(delivery.record)),
    };
    let (body, body_base64) = shown(body.as_ref());
    ParkedDetail {
        id: item.id,
        at: item.at,
        lead: item.lead,
        delivery: item.delivery,
        source: item.source,
        destination: item.destination,
        reason: item.reason,
        text: item.text,
        body,
        body_base64,
        record,
    }
}
