//! Leads: the list, and one with its story.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leadrelay_shared::delivery::{Record, Waiting};
use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::lead::Body;

use super::Api;
use super::problem::Problem;
use super::query::{self, listing};
use super::types::{DeliverySummary, LeadDetail};
use crate::store::{FoundLead, ParkedRow};
use crate::timeline::entry;

type Pairs = Query<Vec<(String, String)>>;

/// The latest entries of a history that are shown; the first is always among them.
const TIMELINE_MAX: usize = 500;

pub(super) async fn list(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    let asked = listing(pairs.into_inner(), &query::LEADS)?;
    let page = api.store.leads(asked.filter, asked.limit, asked.cursor).await?;
    Ok(HttpResponse::Ok().json(page))
}

pub(super) async fn show(api: Data<Api>, id: Path<String>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let id = the_one(&api, &id).await?;
    Ok(HttpResponse::Ok().json(whole(&api, id).await?))
}

/// A lead with its story.
pub(crate) async fn whole(api: &Api, id: LeadId) -> Result<LeadDetail, Problem> {
    let Some(found) = api.store.lead(id).await? else { return Err(unknown()) };
    match api.store.parked_of_lead(id).await {
        // Its history is told all the same.
        Err(error) if error.is_unopened() => {
            Ok(LeadDetail { unread: Some(error.bland().to_owned()), ..detail(found, Vec::new()) })
        }
        parked => Ok(detail(found, parked?)),
    }
}

/// The lead that `text` means: a whole id, its beginning where no other lead begins so, or the id of one of its deliveries.
pub(crate) async fn the_one(api: &Api, text: &str) -> Result<LeadId, Problem> {
    match api.store.lead_ids(text).await?.as_slice() {
        [] => match text.parse() {
            Ok(delivery) => api.store.lead_of(delivery).await?.ok_or_else(unknown),
            Err(_) => Err(unknown()),
        },
        [id] => Ok(*id),
        _ => Err(Problem::new(actix_web::http::StatusCode::CONFLICT, "several leads begin so; write more of the id")),
    }
}

fn unknown() -> Problem {
    Problem::not_found("no lead of this id is known; write the id, or at least 6 characters of its beginning")
}

fn detail(found: FoundLead, parked: Vec<ParkedRow>) -> LeadDetail {
    let FoundLead { summary, format, mut body, unread, faults, told, story } = found;
    let mut records: BTreeMap<DeliveryId, Record> = BTreeMap::new();
    for row in parked {
        match row.waiting {
            Waiting::Delivery(delivery) => {
                records.insert(delivery.id, delivery.record);
            }
            Waiting::Lead(lead) => body = Some(body.unwrap_or(lead.body)),
        }
    }
    let skip = told.len().saturating_sub(TIMELINE_MAX);
    let timeline =
        told.iter().enumerate().filter(|(n, _)| *n == 0 || *n > skip).map(|(_, t)| entry(t, &story)).collect();
    let deliveries = story
        .deliveries
        .into_iter()
        .map(|(id, course)| DeliverySummary {
            id,
            destination: course.destination,
            route: course.route,
            state: course.state,
            attempts: course.attempts,
            round: course.round,
            receipt: course.receipt,
            last_error: course.last_error,
            next_at: course.next_at,
            delivered_at: course.delivered_at,
            record: records.remove(&id),
            parked: course.parked,
        })
        .collect();
    let (body, body_base64) = shown(body.as_ref());
    LeadDetail {
        lead: summary,
        format,
        body,
        body_base64,
        unread: unread.map(str::to_owned),
        faults,
        timeline,
        deliveries,
    }
}

/// A body as text where it is text, else in base64.
pub(super) fn shown(body: Option<&Body>) -> (Option<String>, Option<String>) {
    match body.map(|body| (std::str::from_utf8(body), body)) {
        None => (None, None),
        Some((Ok(text), _)) => (Some(text.to_owned()), None),
        Some((Err(_), body)) => (None, Some(STANDARD.encode(&body[..]))),
    }
}
