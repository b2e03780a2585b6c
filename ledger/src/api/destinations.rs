//! Destinations and sources: how they are, pausing by hand, and numbers for an overview.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use leadrelay_shared::config::nearest;
use leadrelay_shared::event::PauseCause;
use leadrelay_shared::queue::TopicStats;

use super::problem::Problem;
use super::types::{DestinationStatus, Pause, SourceStatus, Stats};
use super::{Api, Received, query, read, received};
use crate::store::DestinationRow;

type Pairs = Query<Vec<(String, String)>>;

/// The longest reason for a pause.
const REASON_MAX: usize = 500;
/// What stands before a destination's name in the name of its topic.
const TOPIC: &str = "deliver.";

pub(super) async fn list(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    Ok(HttpResponse::Ok().json(statuses(&api).await?))
}

pub(super) async fn pause(
    api: Data<Api>,
    name: Path<String>,
    pairs: Pairs,
    body: Received,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let body = received(body)?;
    let Pause { reason } = if body.is_empty() { Pause::default() } else { read(&body)? };
    if reason.chars().count() > REASON_MAX {
        return Err(Problem::bad_request(format!("a reason has at most {REASON_MAX} characters")));
    }
    known(&api, &name)?;
    api.decisions.pause(&name, reason).await?;
    tracing::info!(destination.name = %*name, "paused by hand");
    one(&api, &name).await
}

pub(super) async fn resume(api: Data<Api>, name: Path<String>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    // One that is no longer configured may still be paused.
    if !api.store.paused().await?.contains_key(&*name) {
        known(&api, &name)?;
    }
    api.decisions.resume(&name).await?;
    tracing::info!(destination.name = %*name, "resumed by hand");
    one(&api, &name).await
}

pub(super) async fn sources(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let sources = &api.ctx.config().sources;
    let mut rows = api.store.sources(sources.keys().cloned().collect()).await?;
    let all: Vec<SourceStatus> = sources
        .iter()
        .map(|(name, source)| {
            let row = rows.remove(name).unwrap_or_default();
            SourceStatus {
                name: name.clone(),
                format: source.format,
                leads: row.leads,
                last_lead_at: row.last_lead_at,
                last_test_lead_at: row.last_test_lead_at,
            }
        })
        .collect();
    Ok(HttpResponse::Ok().json(all))
}

pub(super) async fn stats(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let (leads, parked) = api.store.counts().await?;
    let queue = api.ctx.queue.stats().await?.into_iter().map(|t| (t.topic.clone(), t.total())).collect();
    Ok(HttpResponse::Ok().json(Stats { leads, parked, queue }))
}

fn known(api: &Api, name: &str) -> Result<(), Problem> {
    let all = &api.ctx.config().destinations;
    if all.contains_key(name) {
        return Ok(());
    }
    let remedy = match nearest(name, all.keys().map(String::as_str)) {
        Some(right) => format!("; did you mean `{right}`?"),
        None => String::new(),
    };
    Err(Problem::not_found(format!("there is no destination of this name{remedy}")))
}

async fn one(api: &Api, name: &str) -> Result<HttpResponse, Problem> {
    let status = statuses(api).await?.into_iter().find(|status| status.name == name);
    match status {
        Some(status) => Ok(HttpResponse::Ok().json(status)),
        // No longer configured, and with the pause the last that was known of it is gone.
        None => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Every destination that is configured, and every other of which something is known or waits.
async fn statuses(api: &Api) -> Result<Vec<DestinationStatus>, Problem> {
    let configured = &api.ctx.config().destinations;
    let mut rows = api.store.destinations().await?;
    let mut by_hand = api.store.paused().await?;
    let topics = api.ctx.queue.stats().await?;
    let mut waiting: BTreeMap<&str, &TopicStats> =
        topics.iter().filter_map(|t| Some((t.topic.strip_prefix(TOPIC)?, t))).collect();
    let known = configured.keys().chain(rows.keys()).chain(by_hand.keys()).map(String::as_str);
    let names: BTreeSet<String> = known.chain(waiting.keys().copied()).map(str::to_owned).collect();
    let status = |name: String| {
        let row = rows.remove(&name).unwrap_or_default();
        let topic = waiting.remove(name.as_str()).cloned().unwrap_or_default();
        let connector = configured.get(&name).map(|d| d.common.connector.clone()).unwrap_or_default();
        status(name.clone(), connector, row, &topic, by_hand.remove(&name))
    };
    Ok(names.into_iter().map(status).collect())
}

/// How one destination is. An operator's decision comes before its own failures.
fn status(
    name: String,
    connector: String,
    row: DestinationRow,
    topic: &TopicStats,
    by_hand: Option<String>,
) -> DestinationStatus {
    let (cause, paused_until) = match (by_hand, row.failing) {
        (Some(reason), _) => (Some(PauseCause::Operator { reason }), None),
        (None, Some((cause, until))) => (Some(cause), until),
        (None, None) => (None, None),
    };
    DestinationStatus {
        name,
        connector,
        paused: cause.is_some(),
        cause,
        paused_until,
        ready: topic.ready,
        delayed: topic.delayed,
        in_flight: topic.claimed,
        oldest_age_seconds: topic.oldest_age.map(|age| age.as_secs()),
        delivered: row.delivered,
        parked: row.parked,
        last_success_at: row.last_success_at,
        last_error: row.last_error,
        last_error_at: row.last_error_at,
        unfit: row.unfit,
    }
}
