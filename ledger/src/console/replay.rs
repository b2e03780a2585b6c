//! Sending many on their way again: first the number, then the deed.

use actix_web::HttpResponse;
use actix_web::web::Data;
use minijinja::context;

use super::failure::Failure;
use super::guard::{Posted, Visitor};
use super::jobs::Job;
use super::leads::{Pairs, times};
use super::page::{of, page};
use super::{Console, operator, to};
use crate::acts::told;
use crate::api::{Api, query};

/// The most that may be chosen one by one.
const CHOSEN_MAX: usize = 1000;

pub(super) async fn preview(api: Data<Api>, visitor: Visitor, pairs: Pairs) -> Result<HttpResponse, Failure> {
    let pairs = times(pairs.into_inner());
    let filter = query::listing(pairs.clone(), &query::PARKED)?.filter;
    let values = context! {
        count => api.store.parked_count(filter.clone()).await?,
        groups => api.store.parked_groups(filter.clone()).await?.into_iter().map(|group| context! {
            kind => group.kind, destination => group.destination, count => group.count,
        }).collect::<Vec<_>>(),
        told => told(&filter),
        pairs => of(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>()),
    };
    page(&visitor, api.ctx.clock.now(), "replay.html", values)
}

pub(super) async fn begin(
    api: Data<Api>,
    console: Data<Console>,
    visitor: Visitor,
    form: Posted,
) -> Result<HttpResponse, Failure> {
    let by = operator(&visitor);
    let acts = api.acts.clone();
    let ids: Vec<String> = form.all("id").map(str::to_owned).collect();
    let now = console.clock.now();
    let job = match form.one("what") {
        Some("chosen") if ids.is_empty() => {
            return Err(Failure::bad_request("nothing was chosen; go back and tick some"));
        }
        Some("chosen") if ids.len() > CHOSEN_MAX => {
            return Err(Failure::bad_request(format!("at most {CHOSEN_MAX} can be chosen one by one")));
        }
        Some("chosen") => {
            let job = Job::new("what was chosen", ids.len() as u64, now);
            let told = job.clone();
            tokio::spawn(async move { told.end(acts.replay_ids(&by, ids, &told.progress).await) });
            job
        }
        Some("filter") => {
            let pairs = form.fields().filter(|(name, _)| name != "what").cloned().collect();
            let filter = query::listing(pairs, &query::PARKED)?.filter;
            let job = Job::new(&told(&filter), api.store.parked_count(filter.clone()).await?, now);
            let told = job.clone();
            tokio::spawn(async move { told.end(acts.replay_filter(&by, filter, &told.progress).await) });
            job
        }
        _ => return Err(Failure::bad_request("the form does not say what to send")),
    };
    Ok(to(&format!("/jobs/{}", console.jobs.add(job))))
}
