//! What rules can see of a lead: the variable `lead`.
//!
//! Invariant: values of the lead are values and never templates; the body is read into the engine's own values only if a
//! rule asks for it.

use std::sync::{Arc, OnceLock};

use crate::delivery::Record;
use crate::lead::{Facts, Lead};
use minijinja::value::{Enumerator, Object, Value};
use serde_json::Value as Json;

use super::{country, value};

/// The members of `lead`, in the order of a record that has them all.
pub(crate) const NAMES: [&str; 21] = [
    "id",
    "source",
    "received_at",
    "first_name",
    "last_name",
    "email",
    "phone",
    "company",
    "job_title",
    "country",
    "country_raw",
    "description",
    "offer_title",
    "action",
    "action_name",
    "lead_source",
    "publisher",
    "offer",
    "test",
    "do_not_contact",
    "body",
];

/// A lead as rules see it.
pub(crate) struct Scope {
    id: String,
    source: String,
    received_at: String,
    facts: Facts,
    body: OnceLock<Value>,
}

impl Scope {
    pub(crate) fn of(lead: &Lead) -> Arc<Self> {
        Arc::new(Self {
            id: lead.id.to_string(),
            source: lead.source.clone(),
            received_at: lead.received_at.to_string(),
            facts: lead.facts(),
            body: OnceLock::new(),
        })
    }

    /// A lead that says nothing.
    pub(crate) fn nobody() -> Arc<Self> {
        let (id, source, received_at) = Default::default();
        Arc::new(Self { id, source, received_at, facts: Facts::default(), body: OnceLock::new() })
    }

    /// All that a template can see: `lead`, and nothing else.
    pub(crate) fn context(self: Arc<Self>) -> Value {
        Value::from_pairs([("lead", Value::from_dyn_object(self))])
    }

    /// A member that is a text; `None` for the three that are not and for what is not a member.
    fn text(&self, name: &str) -> Option<&str> {
        let facts = &self.facts;
        Some(match name {
            "id" => &self.id,
            "source" => &self.source,
            "received_at" => &self.received_at,
            "first_name" => &facts.first_name,
            "last_name" => &facts.last_name,
            "email" => &facts.email,
            "phone" => &facts.phone,
            "company" => &facts.company,
            "job_title" => &facts.job_title,
            "country" => self.country().unwrap_or_default(),
            "country_raw" => &facts.country_raw,
            "description" => &facts.description,
            "offer_title" => &facts.offer_title,
            "action" => &facts.action,
            "action_name" => action_name(&facts.action),
            "lead_source" => &facts.lead_source,
            "publisher" => &facts.publisher,
            "offer" => &facts.offer,
            _ => return None,
        })
    }

    /// The alpha-2 code of the lead's country, where it can be told.
    pub(crate) fn country(&self) -> Option<&'static str> {
        country::alpha2(&self.facts.country_raw)
    }

    /// The lead in leadrelay's own names: the texts that are not empty, the marks that are true, and the body.
    pub(crate) fn record(&self) -> Record {
        let texts = NAMES.iter().filter_map(|name| Some((*name, self.text(name)?)));
        let mut record: Record =
            texts.filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), text.into())).collect();
        for (name, is) in [("test", self.facts.test), ("do_not_contact", self.facts.do_not_contact)] {
            if is {
                record.insert(name.to_owned(), true.into());
            }
        }
        if self.facts.body != Json::Null {
            record.insert("body".to_owned(), self.facts.body.clone());
        }
        record
    }
}

/// What the marketplace's action codes stand for; any other code is its own name.
fn action_name(action: &str) -> &str {
    match action.to_ascii_uppercase().as_str() {
        "INS" => "Install",
        "PLT" => "Contact me",
        "DNC" => "Do not contact",
        "CREATE" => "Purchase",
        "STARTTESTDRIVE" => "Test drive",
        _ => action,
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "test" => Some(self.facts.test.into()),
            "do_not_contact" => Some(self.facts.do_not_contact.into()),
            "body" => Some(self.body.get_or_init(|| value::from_json(&self.facts.body)).clone()),
            name => self.text(name).map(Value::from),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&NAMES)
    }
}

/// Prints no value of the lead.
impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "lead {}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_member_and_nothing_else_is() {
        let lead = Lead {
            id: crate::id::LeadId::derive(&[b"x"]),
            source: "addon".into(),
            format: crate::lead::Format::Marketplace,
            received_at: jiff::Timestamp::UNIX_EPOCH,
            body: r#"{"UserDetails":{"Country":"Deutschland"}}"#.into(),
            faults: Vec::new(),
            round: 0,
        };
        let scope = Scope::of(&lead);
        assert!(NAMES.iter().all(|name| scope.get_value(&Value::from(*name)).is_some()));
        assert!(scope.get_value(&Value::from("nosuch")).is_none());
        assert_eq!(scope.record()["country"], "DE");
        assert_eq!(scope.record()["received_at"], "1970-01-01T00:00:00Z");
        assert!(!scope.record().contains_key("test"));
        assert!(!format!("{scope:?}").contains("Deutschland"));
    }
}
