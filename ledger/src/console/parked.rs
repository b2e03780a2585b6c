//! What waits for a person: in groups by reason, one by one, and put right in place.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use leadrelay_shared::lead::Fault;
use minijinja::context;
use serde::Serialize;

use super::failure::Failure;
use super::guard::{Posted, Visitor};
use super::leads::{Pairs, filled, link, times};
use super::page::{of, page};
use super::{operator, to};
use crate::api::types::ParkedDetail;
use crate::api::{Api, parked as answers, query};
use crate::replay::Refusal;
use crate::store::ParkedGroup;

/// A group as the page shows it.
#[derive(Serialize)]
struct Group {
    kind: String,
    destination: Option<String>,
    count: u64,
    oldest: jiff::Timestamp,
    latest: jiff::Timestamp,
    example: String,
    /// The list of this group alone, and sending all of it again.
    list: String,
    replay: String,
}

pub(super) async fn list(api: Data<Api>, visitor: Visitor, pairs: Pairs) -> Result<HttpResponse, Failure> {
    let pairs = times(pairs.into_inner());
    let asked = query::listing(pairs.clone(), &query::PARKED)?;
    let groups = api.store.parked_groups(asked.filter.clone()).await?;
    let found = api.store.parked(asked.filter, asked.limit, asked.cursor).await?;
    let values = context! {
        total => groups.iter().map(|group| group.count).sum::<u64>(),
        groups => of(groups.into_iter().map(|group| shown(group, &pairs)).collect::<Vec<_>>()),
        items => of(found.items),
        next => found.next.map(|cursor| link("/parked", &pairs, Some(&cursor))),
        all => link("/replay", &pairs, None),
        filter => filled(&pairs),
        filtered => pairs.iter().any(|(name, value)| !value.is_empty() && name != "cursor" && name != "limit"),
        sources => of(api.ctx.config().sources.keys().collect::<Vec<_>>()),
        destinations => of(api.ctx.config().destinations.keys().collect::<Vec<_>>()),
    };
    page(&visitor, api.ctx.clock.now(), "parked.html", values)
}

fn shown(group: ParkedGroup, pairs: &[(String, String)]) -> Group {
    let mut narrowed: Vec<(String, String)> =
        pairs.iter().filter(|(name, _)| name != "reason" && name != "destination").cloned().collect();
    narrowed.push(("reason".to_owned(), group.kind.clone()));
    narrowed.extend(group.destination.clone().map(|name| ("destination".to_owned(), name)));
    let ParkedGroup { kind, destination, count, oldest, latest, example } = group;
    let (list, replay) = (link("/parked", &narrowed, None), link("/replay", &narrowed, None));
    Group { kind, destination, count, oldest, latest, example, list, replay }
}

pub(super) async fn show(api: Data<Api>, visitor: Visitor, id: Path<String>) -> Result<HttpResponse, Failure> {
    let item = answers::whole(&api, &id).await?;
    let body = item.body.clone();
    one(&api, &visitor, item, body, None)
}

/// Releases it, judges another body, or sends it with that body.
pub(super) async fn act(
    api: Data<Api>,
    visitor: Visitor,
    id: Path<String>,
    form: Posted,
) -> Result<HttpResponse, Failure> {
    let by = operator(&visitor);
    let body = form.one("body").unwrap_or_default().replace("\r\n", "\n");
    match form.one("act") {
        Some("release") => api.acts.release(&by, &id).await?,
        Some("judge") => {
            let faults = api.acts.repair(&by, &id, body.clone().into_bytes(), true).await?.faults;
            return one(&api, &visitor, answers::whole(&api, &id).await?, Some(body), Some(faults));
        }
        Some("repair") => match api.acts.repair(&by, &id, body.clone().into_bytes(), false).await {
            Ok(_) => {}
            Err(Refusal::Faulty(faults)) => {
                return one(&api, &visitor, answers::whole(&api, &id).await?, Some(body), Some(faults));
            }
            Err(refusal) => return Err(refusal.into()),
        },
        _ => return Err(Failure::new(StatusCode::BAD_REQUEST, "the form does not say what to do")),
    }
    Ok(to(&format!("/leads/{}", super::shapes::encoded(&id))))
}

fn one(
    api: &Api,
    visitor: &Visitor,
    item: ParkedDetail,
    body: Option<String>,
    faults: Option<Vec<Fault>>,
) -> Result<HttpResponse, Failure> {
    let judged = faults.is_some();
    let values = context! { item => of(item), body, judged, faults => of(faults.unwrap_or_default()) };
    page(visitor, api.ctx.clock.now(), "parked_one.html", values)
}
