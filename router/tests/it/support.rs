//! Leads and rules for the tests.

use std::path::Path;

use jiff::Timestamp;
use leadrelay_shared::config::{Config, Loader, Mistake};
use leadrelay_shared::id::LeadId;
use leadrelay_shared::lead::{Body, Format, Lead};
use leadrelay_shared::mapping::Rules;

const NAMES: &str = r#"
[sources.addon]
tokens = ["0123456789abcdef0123456789abcdef"]
[sources.forms]
format = "json"
tokens = ["fedcba9876543210fedcba9876543210"]
[destinations.crm]
connector = "webhook"
[destinations.partner]
connector = "webhook"
[destinations.archive]
connector = "file"
"#;

/// A configuration with these routes, two sources and three destinations.
pub(crate) fn config(routes: &str) -> Config {
    Loader::default()
        .parse(&format!("{NAMES}{routes}"), Path::new("."), std::iter::empty())
        .expect("the configuration itself is sound")
}

pub(crate) fn rules(routes: &str) -> Rules {
    Rules::compile(&config(routes)).expect("the rules are sound")
}

pub(crate) fn mistakes(routes: &str) -> Vec<Mistake> {
    Rules::compile(&config(routes)).expect_err("the rules have mistakes")
}

/// One route to `crm` with one field, `value`.
pub(crate) fn one_field(template: &str) -> String {
    format!("[[routes]]\nname = \"one\"\nto = \"crm\"\n[routes.fields]\nvalue = '''{template}'''\n")
}

pub(crate) fn lead(body: impl Into<Body>) -> Lead {
    let body = body.into();
    Lead {
        id: LeadId::derive(&[&body]),
        source: "addon".into(),
        format: Format::Marketplace,
        received_at: "2024-03-01T09:30:00Z".parse::<Timestamp>().expect("a time"),
        body,
        faults: Vec::new(),
        round: 0,
    }
}
