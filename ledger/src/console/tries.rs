//! Trying a mapping: what would become of a lead, and what other routes would change, before anybody deploys them.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use leadrelay_shared::lead::Lead;
use minijinja::{Value, context};

use super::failure::Failure;
use super::guard::{Posted, Visitor};
use super::page::{of, page};
use crate::api::{Api, compare, leads as answers};
use crate::tryout;

type Pairs = Query<Vec<(String, String)>>;

/// On how many recorded leads, unless another number is chosen.
const LAST: usize = 100;

/// What the form holds.
struct Form {
    source: String,
    body: String,
    routes: String,
    last: usize,
}

pub(super) async fn ask(api: Data<Api>, visitor: Visitor, pairs: Pairs) -> Result<HttpResponse, Failure> {
    let config = api.ctx.config();
    let mut form = Form {
        source: config.sources.keys().next().cloned().unwrap_or_default(),
        body: String::new(),
        routes: tryout::written(config),
        last: LAST,
    };
    if let Some((_, id)) = pairs.iter().find(|(name, _)| name == "lead") {
        let id = answers::the_one(&api, id).await?;
        let lead = answers::whole(&api, id).await?;
        (form.source, form.body) = (lead.lead.source, lead.body.unwrap_or_default());
    }
    shown(&api, &visitor, &form, context! {})
}

pub(super) async fn answer(api: Data<Api>, visitor: Visitor, posted: Posted) -> Result<HttpResponse, Failure> {
    let text = |name: &str| posted.one(name).unwrap_or_default().replace("\r\n", "\n");
    let last = posted.one("last").and_then(|n| n.parse().ok()).unwrap_or(LAST).clamp(1, tryout::LEADS_MAX);
    let form = Form { source: text("source"), body: text("body"), routes: text("routes"), last };
    let answer = match posted.one("act") {
        Some("try") => tried(&api, &form),
        Some("compare") => match compare::compared(&api, &form.routes, form.last).await? {
            Ok(comparison) => context! { comparison => of(comparison) },
            Err(wrong) => context! { wrong => of(wrong) },
        },
        _ => return Err(Failure::bad_request("the form does not say what to do")),
    };
    shown(&api, &visitor, &form, answer)
}

/// What would become of the lead, by the routes of the form.
fn tried(api: &Api, form: &Form) -> Value {
    let rules = match tryout::with_routes(api.ctx.config(), &form.routes) {
        Ok(rules) => rules,
        Err(wrong) => return context! { wrong => of(wrong) },
    };
    match tryout::lead(&api.ctx.loaded, &form.source, form.body.clone(), api.ctx.clock.now()) {
        Ok(lead) => context! { explained => of(leadrelay_shared::mapping::explain(&rules, &lead)) },
        Err(why) => context! { wrong => of([why]) },
    }
}

/// What the rules as they are would do with a lead; nothing where they cannot be compiled.
pub(super) fn mapped(api: &Api, lead: &Lead) -> Option<Value> {
    let rules = tryout::rules(api.ctx.config()).ok()?;
    Some(of(leadrelay_shared::mapping::explain(&rules, lead).routes))
}

fn shown(api: &Api, visitor: &Visitor, form: &Form, answer: Value) -> Result<HttpResponse, Failure> {
    let values = context! {
        source => form.source.as_str(),
        body => form.body.as_str(),
        routes => form.routes.as_str(),
        last => form.last,
        sources => of(api.ctx.config().sources.keys().collect::<Vec<_>>()),
        ..answer
    };
    page(visitor, api.ctx.clock.now(), "try.html", values)
}
