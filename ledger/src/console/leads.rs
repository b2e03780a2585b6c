//! Leads: the list with its search, and one with its story.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use leadrelay_shared::lead::{Body, Facts, Lead};
use minijinja::context;

use super::failure::Failure;
use super::guard::{Posted, Visitor};
use super::page::{of, page};
use super::{operator, to, tries};
use crate::api::types::LeadDetail;
use crate::api::{Api, leads as answers, query};
use crate::progress::Progress;
use crate::store::state_word;

pub(super) type Pairs = Query<Vec<(String, String)>>;

pub(super) async fn list(api: Data<Api>, visitor: Visitor, pairs: Pairs) -> Result<HttpResponse, Failure> {
    let pairs = times(pairs.into_inner());
    let asked = query::listing(pairs.clone(), &query::LEADS)?;
    let found = api.store.leads(asked.filter.clone(), asked.limit, asked.cursor).await?;
    let values = context! {
        leads => of(found.items),
        next => found.next.map(|cursor| link("/leads", &pairs, Some(&cursor))),
        first => asked.cursor.map(|_| link("/leads", &pairs, None)),
        filter => filled(&pairs),
        filtered => pairs.iter().any(|(name, value)| !value.is_empty() && name != "cursor" && name != "limit"),
        states => of(query::STATES.map(state_word)),
        sources => of(api.ctx.config().sources.keys().collect::<Vec<_>>()),
        destinations => of(api.ctx.config().destinations.keys().collect::<Vec<_>>()),
    };
    page(&visitor, api.ctx.clock.now(), "leads.html", values)
}

pub(super) async fn show(api: Data<Api>, visitor: Visitor, id: Path<String>) -> Result<HttpResponse, Failure> {
    let id = answers::the_one(&api, &id).await?;
    let detail = answers::whole(&api, id).await?;
    let as_it_came = match detail.unread {
        Some(_) => None,
        None => api.store.kept(id).await?.and_then(|kept| kept.lead),
    };
    let mapped = as_it_came.and_then(|lead| tries::mapped(&api, &Lead { faults: detail.faults.clone(), ..lead }));
    let values = context! { mapped, parsed => of(parsed(&detail)), lead => of(detail) };
    page(&visitor, api.ctx.clock.now(), "lead.html", values)
}

pub(super) async fn replay(
    api: Data<Api>,
    visitor: Visitor,
    id: Path<String>,
    _: Posted,
) -> Result<HttpResponse, Failure> {
    let replayed = api.acts.replay_ids(&operator(&visitor), vec![id.clone()], &Progress::default()).await?;
    match replayed.refused.into_values().next() {
        Some(why) => Err(Failure::new(actix_web::http::StatusCode::CONFLICT, format!("it was not sent again: {why}"))),
        None => Ok(to(&format!("/leads/{}", super::shapes::encoded(&id)))),
    }
}

/// What was read out of the body, by the name that rules use; what is empty is left out.
fn parsed(detail: &LeadDetail) -> Vec<(&'static str, String)> {
    let Some(body) = &detail.body else { return Vec::new() };
    let Facts {
        first_name,
        last_name,
        email,
        phone,
        company,
        job_title,
        country_raw,
        description,
        offer_title,
        action,
        lead_source,
        publisher,
        offer,
        ..
    } = Facts::read(&Body::from(body.clone()));
    let all = [
        ("first_name", first_name),
        ("last_name", last_name),
        ("email", email),
        ("phone", phone),
        ("company", company),
        ("job_title", job_title),
        ("country_raw", country_raw),
        ("description", description),
        ("offer_title", offer_title),
        ("action", action),
        ("lead_source", lead_source),
        ("publisher", publisher),
        ("offer", offer),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// A list's address with the same parameters and another place in the list.
pub(super) fn link(path: &str, pairs: &[(String, String)], cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(name, value)| name != "cursor" && !value.is_empty()) {
        query.append_pair(name, value);
    }
    if let Some(cursor) = cursor {
        query.append_pair("cursor", cursor);
    }
    format!("{path}?{}", query.finish())
}

/// The parameters by name, to fill the form with.
pub(super) fn filled(pairs: &[(String, String)]) -> minijinja::Value {
    pairs.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Days, as a browser's field gives them, as times: a day's beginning, or its end.
pub(super) fn times(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let whole = |(name, value): (String, String)| {
        let day = value.len() == 10 && value.parse::<jiff::civil::Date>().is_ok();
        let value = match (day, name.as_str()) {
            (true, "since") => format!("{value}T00:00:00Z"),
            (true, "until") => format!("{value}T23:59:59.999999Z"),
            _ => value,
        };
        (name, value)
    };
    pairs.into_iter().map(whole).collect()
}
