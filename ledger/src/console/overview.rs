//! The first page: how it goes, and what needs a person.

use actix_web::HttpResponse;
use actix_web::web::Data;
use minijinja::context;
use serde::Serialize;

use super::failure::Failure;
use super::guard::Visitor;
use super::page::{of, page};
use crate::api::Api;
use crate::api::destinations;
use crate::api::types::AlertKind;
use crate::store::Overview;

/// The chart, in its own units: each day is `STEP` wide.
const STEP: u64 = 20;
const HEIGHT: u64 = 80;

/// One bar.
#[derive(Serialize)]
struct Bar {
    day: String,
    leads: u64,
    x: u64,
    y: u64,
    height: u64,
}

pub(super) async fn show(api: Data<Api>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let now = api.ctx.clock.now();
    let overview = api.store.overview(now).await?;
    let stats = destinations::numbers(&api).await?;
    let current = api.alerts.told().await?.current;
    let alerts: Vec<_> = current.into_iter().filter(|alert| alert.kind != AlertKind::Parked).collect();
    let waiting: u64 = stats.parked.values().sum();
    let values = context! {
        bars => of(bars(&overview)),
        today => overview.days.last().map_or(0, |day| day.leads),
        month => overview.days.iter().map(|day| day.leads).sum::<u64>(),
        took => context! { p50 => overview.p50_ms.map(took), p95 => overview.p95_ms.map(took), of => overview.timed },
        parked => of(stats.parked),
        waiting,
        // What is parked is said beside it, in figures.
        alerts => of(alerts),
        destinations => of(destinations::statuses(&api).await?),
        sources => of(destinations::source_statuses(&api).await?),
    };
    page(&visitor, now, "overview.html", values)
}

fn bars(overview: &Overview) -> Vec<Bar> {
    let most = overview.days.iter().map(|day| day.leads).max().unwrap_or(0).max(1);
    let bar = |(n, day): (u64, &crate::store::Day)| {
        // A day with a single lead is seen, too.
        let height = if day.leads == 0 { 0 } else { (day.leads * HEIGHT / most).max(2) };
        let day_name = day.begins.strftime("%Y-%m-%d").to_string();
        Bar { day: day_name, leads: day.leads, x: n * STEP, y: HEIGHT - height, height }
    };
    (0..).zip(&overview.days).map(bar).collect()
}

/// Milliseconds in the unit that fits.
fn took(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..90_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => super::shapes::span(ms / 1_000),
    }
}
