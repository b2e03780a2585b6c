//! Destinations and sources: how they are, pausing by hand, and numbers for an overview.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use leadrelay_shared::event::PauseCause;
use leadrelay_shared::queue::TopicStats;

use super::problem::Problem;
use super::types::{DestinationStatus, Pause, SourceStatus, Stats};
use super::{Api, Received, query, read, received};
use crate::acts::Operator;
use crate::store::DestinationRow;

type Pairs = Query<Vec<(String, String)>>;

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
    by: Operator,
    body: Received,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let body = received(body)?;
    let Pause { reason } = if body.is_empty() { Pause::default() } else { read(&body)? };
    api.acts.pause(&by, &name, reason).await?;
    one(&api, &name).await
}

pub(super) async fn resume(
    api: Data<Api>,
    name: Path<String>,
    pairs: Pairs,
    by: Operator,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    api.acts.resume(&by, &name).await?;
    one(&api, &name).await
}

/// Has it asked for its fields at once. What it says is in its status a moment later.
pub(super) async fn check(
    api: Data<Api>,
    name: Path<String>,
    pairs: Pairs,
    by: Operator,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    api.acts.check(&by, &name).await?;
    one(&api, &name).await
}

pub(super) async fn sources(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    Ok(HttpResponse::Ok().json(source_statuses(&api).await?))
}

/// Every source that is configured.
pub(crate) async fn source_statuses(api: &Api) -> Result<Vec<SourceStatus>, Problem> {
    let sources = &api.ctx.config().sources;
    let mut rows = api.store.sources(sources.keys().cloned().collect()).await?;
    Ok(sources
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
        .collect())
}

pub(super) async fn stats(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    Ok(HttpResponse::Ok().json(numbers(&api).await?))
}

/// Numbers for an overview.
pub(crate) async fn numbers(api: &Api) -> Result<Stats, Problem> {
    let (leads, parked) = api.store.counts().await?;
    let queue = api.ctx.queue.stats().await?.into_iter().map(|t| (t.topic.clone(), t.total())).collect();
    Ok(Stats { leads, parked, queue })
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
pub(crate) async fn statuses(api: &Api) -> Result<Vec<DestinationStatus>, Problem> {
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
        checked_at: row.checked_at,
    }
}
