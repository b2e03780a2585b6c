//! Pages: templates that escape what they are told, and what every page has.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use jiff::Timestamp;
use minijinja::value::Serde;
use minijinja::{Environment, Error, Value, context};
use serde::Serialize;

use super::failure::Failure;
use super::guard::Visitor;
use super::{assets, shapes};

/// Every template, by name. The names end in `.html`, which is what makes the engine escape each value.
const PAGES: [(&str, &str); 19] = [
    ("layout.html", include_str!("pages/layout.html")),
    ("parts.html", include_str!("pages/parts.html")),
    ("failure.html", include_str!("pages/failure.html")),
    ("login.html", include_str!("pages/login.html")),
    ("overview.html", include_str!("pages/overview.html")),
    ("leads.html", include_str!("pages/leads.html")),
    ("lead.html", include_str!("pages/lead.html")),
    ("parked.html", include_str!("pages/parked.html")),
    ("parked_one.html", include_str!("pages/parked_one.html")),
    ("replay.html", include_str!("pages/replay.html")),
    ("job.html", include_str!("pages/job.html")),
    ("try.html", include_str!("pages/try.html")),
    ("sources.html", include_str!("pages/sources.html")),
    ("destinations.html", include_str!("pages/destinations.html")),
    ("erase.html", include_str!("pages/erase.html")),
    ("erased.html", include_str!("pages/erased.html")),
    ("person.html", include_str!("pages/person.html")),
    ("alerts.html", include_str!("pages/alerts.html")),
    ("audit.html", include_str!("pages/audit.html")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

#[expect(clippy::expect_used, reason = "the templates are part of the program, and a test renders each of them")]
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::SemiStrict);
    for (name, source) in PAGES {
        environment.add_template(name, source).expect("a template");
    }
    environment.add_filter("ago", shapes::ago);
    environment.add_filter("time", shapes::time);
    environment.add_filter("span", shapes::span);
    environment.add_filter("count", shapes::count);
    environment.add_filter("said", shapes::said);
    environment.add_filter("encoded", shapes::encoded);
    environment.add_filter("pretty", shapes::pretty);
    environment.add_global("style", assets::path(&assets::STYLE));
    environment.add_global("script", assets::path(&assets::SCRIPT));
    environment.add_global("icon", assets::path(&assets::ICON));
    environment
}

/// A page as text.
pub(super) fn text(name: &str, values: Value) -> Result<String, Error> {
    ENVIRONMENT.get_template(name)?.render(values)
}

/// A page for a visitor, with what every page shows.
pub(super) fn page(visitor: &Visitor, now: Timestamp, name: &str, values: Value) -> Result<HttpResponse, Failure> {
    let all = context! {
        visitor => context! { name => visitor.session.name.as_str(), form => visitor.form.as_str() },
        now => of(now),
        ..values
    };
    Ok(html(text(name, all).map_err(|error| {
        tracing::error!(page = name, line = error.line(), "a page cannot be made: {}", error.kind());
        Failure::new(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be made; the log says where")
    })?))
}

/// Anything that has a shape, for a template.
pub(super) fn of(value: impl Serialize) -> Value {
    Value::from(Serde(value))
}

/// Text as the answer.
pub(super) fn html(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::html()).body(text)
}
