//! What a lead says, read without judging: the fields that rules, search and test-lead detection speak of.
//!
//! Member names are compared without case and punctuation, because Microsoft's own documents disagree on them
//! (`UserDetails` in the schema, `userDetails` in the published test lead).

use serde_json::{Map, Value};

use super::{Body, SourceTag};

/// The fields of a lead. Absent members are empty strings; numbers and booleans are read as their text.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "each field is the marketplace member of that name")]
pub struct Facts {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: String,
    pub company: String,
    pub job_title: String,
    /// As sent: both `US` and `USA` are seen in Microsoft's samples.
    pub country_raw: String,
    pub description: String,
    pub offer_title: String,
    /// `ActionCode`, or the action inside `LeadSource` where there is no such member.
    pub action: String,
    /// The source part of `LeadSource`.
    pub lead_source: String,
    pub publisher: String,
    pub offer: String,
    /// A lead that Partner Center sent to try the connection: a contact field holds `MSFT_TEST_<ticks>`.
    pub test: bool,
    /// Action `DNC`: the customer was cross-listed and must not be contacted.
    pub do_not_contact: bool,
    /// The whole body as JSON; null where it is not JSON.
    pub body: Value,
}

impl Facts {
    /// Reads a body. Never fails: what cannot be read is empty.
    pub fn read(body: &Body) -> Self {
        let value: Value = serde_json::from_slice(body.without_bom()).unwrap_or(Value::Null);
        let empty = Map::new();
        let top = value.as_object().unwrap_or(&empty);
        let person = member(top, &["userdetails"]).and_then(Value::as_object).unwrap_or(top);
        let tag = SourceTag::parse(&text(top, &["leadsource"]));
        let action = Some(text(top, &["actioncode", "action"])).filter(|a| !a.is_empty()).unwrap_or(tag.action);
        let mut facts = Self {
            first_name: text(person, &["firstname", "givenname"]),
            last_name: text(person, &["lastname", "familyname", "surname"]),
            email: text(person, &["email", "emailaddress"]),
            phone: text(person, &["phone", "phonenumber", "telephone"]),
            company: text(person, &["company", "companyname", "organization"]),
            job_title: text(person, &["title", "jobtitle"]),
            country_raw: text(person, &["country", "countrycode"]),
            description: text(top, &["description", "message", "notes"]),
            offer_title: text(top, &["offertitle", "offer"]),
            do_not_contact: action.eq_ignore_ascii_case("DNC"),
            action,
            lead_source: tag.source,
            publisher: tag.publisher,
            offer: tag.offer,
            test: false,
            body: Value::Null,
        };
        facts.test = [&facts.email, &facts.last_name, &facts.company].into_iter().any(|s| is_test_mark(s));
        facts.body = value;
        facts
    }
}

/// `MSFT_TEST_` and the 18 digits of .NET ticks, as in the published sample; more digits do not hurt.
fn is_test_mark(text: &str) -> bool {
    text.trim_start()
        .strip_prefix("MSFT_TEST_")
        .is_some_and(|rest| rest.bytes().take_while(u8::is_ascii_digit).count() >= 18)
}

fn member<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| object.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value))
}

/// Whether `key` is `name` (lower case, letters and digits only) when case and punctuation are left out.
pub(crate) fn same_name(key: &str, name: &str) -> bool {
    let mut rest = name.bytes();
    key.bytes().filter(u8::is_ascii_alphanumeric).all(|b| rest.next() == Some(b.to_ascii_lowercase()))
        && rest.next().is_none()
}

fn text(object: &Map<String, Value>, names: &[&str]) -> String {
    match member(object, names) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(json: &str) -> Facts {
        Facts::read(&Body::from(json.to_owned()))
    }

    #[test]
    fn names_are_read_without_regard_to_case() {
        let f = facts(
            r#"{"userDetails":{"FIRSTNAME":"Ann","lastname":"Lee","Title":"CTO"},"LEADSOURCE":"SPZA-PLT|contoso.addin"}"#,
        );
        assert_eq!((f.first_name.as_str(), f.last_name.as_str(), f.job_title.as_str()), ("Ann", "Lee", "CTO"));
        assert_eq!((f.action.as_str(), f.publisher.as_str(), f.offer.as_str()), ("PLT", "contoso", "addin"));
    }

    #[test]
    fn a_test_lead_is_told_by_its_mark() {
        assert!(facts(r#"{"UserDetails":{"Email":"MSFT_TEST_636573304831318844@test.com"}}"#).test);
        assert!(!facts(r#"{"UserDetails":{"Email":"msft_test@example.com"}}"#).test);
    }

    #[test]
    fn the_action_member_wins_over_the_one_in_the_source() {
        let f = facts(r#"{"LeadSource":"SPZA-INS|a.b","ActionCode":"DNC"}"#);
        assert!(f.do_not_contact);
    }

    #[test]
    fn what_is_not_json_is_empty() {
        let f = facts("not json");
        assert_eq!((f.email.as_str(), f.body), ("", Value::Null));
    }
}
