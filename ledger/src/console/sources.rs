//! Sources: the URL for Partner Center, and when each was heard of last.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use leadrelay_shared::config::{Config, Origin, Secret};
use leadrelay_shared::service::reachable;
use minijinja::context;

use super::failure::Failure;
use super::guard::{Posted, Visitor};
use super::page::{of, page};
use super::{operator, to};
use crate::api::{Api, destinations};

pub(super) async fn list(api: Data<Api>, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let config = api.ctx.config();
    let all: Vec<_> = destinations::source_statuses(&api)
        .await?
        .into_iter()
        .map(|status| {
            let (urls, ours) = (urls(config, &status.name), api.acts.token_file(&status.name).is_ok());
            context! { urls, ours, ..of(status) }
        })
        .collect();
    page(&visitor, api.ctx.clock.now(), "sources.html", context! { sources => all })
}

/// Gives a source a new secret beside the old one, or drops the old one.
pub(super) async fn act(
    api: Data<Api>,
    visitor: Visitor,
    name: Path<String>,
    form: Posted,
) -> Result<HttpResponse, Failure> {
    match form.one("act") {
        Some(act @ ("rotate" | "finish")) => {
            api.acts.rotate(&operator(&visitor), &name, act == "finish").await?;
            Ok(to(&format!("/sources#{}", super::shapes::encoded(&name))))
        }
        _ => Err(Failure::bad_request("the form does not say what to do")),
    }
}

/// The URLs under which a source is accepted, the newest first; empty where this process is not told the source's secrets.
fn urls(config: &Config, name: &str) -> Vec<String> {
    let Some(source) = config.sources.get(name) else { return Vec::new() };
    let ingest = &config.ingest;
    let scheme = if ingest.tls.is_some() { "https" } else { "http" };
    let base = ingest.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", reachable(ingest.listen)));
    let base = base.trim_end_matches('/').to_owned();
    let url = |token: &str| format!("{base}/v1/leads/{name}/{token}");
    source.tokens.iter().map(now).flat_map(|secret| secret.lines().map(url).collect::<Vec<_>>()).collect()
}

/// A secret as it is now: a file of them may have been rotated since the start.
fn now(secret: &Secret) -> Cow<'_, Secret> {
    match secret.origin() {
        Origin::File(path) if !secret.is_withheld() => {
            Secret::from_file(path).map_or(Cow::Borrowed(secret), Cow::Owned)
        }
        _ => Cow::Borrowed(secret),
    }
}
