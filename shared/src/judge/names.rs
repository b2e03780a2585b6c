//! The marketplace's member names: brought to the case in which Microsoft's schema writes them.
//!
//! Microsoft's own documents disagree on the case, so names are matched as [`crate::lead::Facts`] reads them. Where two
//! members have one name the first is the one that is read and so the one that is judged. A null is an absent member: every
//! member is optional.

use serde_json::{Map, Value};

use crate::lead::same_name;

/// Names as the schema writes them, and as they are compared.
type Names = [(&'static str, &'static str)];

const TOP: &Names = &[
    ("UserDetails", "userdetails"),
    ("LeadSource", "leadsource"),
    ("ActionCode", "actioncode"),
    ("OfferTitle", "offertitle"),
    ("Description", "description"),
];

const PERSON: &Names = &[
    ("FirstName", "firstname"),
    ("LastName", "lastname"),
    ("Email", "email"),
    ("Phone", "phone"),
    ("Country", "country"),
    ("Company", "company"),
    ("Title", "title"),
];

/// What was renamed, so that a fault can be told in the names as they were sent.
#[derive(Default)]
pub(super) struct Renamed {
    top: Vec<(&'static str, String)>,
    person: Vec<(&'static str, String)>,
}

impl Renamed {
    /// The name as it was sent of the member `name`, at the top or in `UserDetails`.
    pub(super) fn as_sent<'a>(&'a self, in_person: bool, name: &'a str) -> &'a str {
        let renamed = if in_person { &self.person } else { &self.top };
        renamed.iter().find(|(canonical, _)| *canonical == name).map_or(name, |(_, sent)| sent)
    }
}

/// Brings the names that the marketplace has to their canonical case. Others stay as they are.
///
/// # Errors
/// When the object is some other message, and which one where that can be told.
pub(super) fn canonical(object: &mut Map<String, Value>) -> Result<Renamed, &'static str> {
    // Others may write the person's members at the top, and are read so.
    if ![TOP, PERSON].iter().any(|names| object.keys().any(|key| known(names, key).is_some())) {
        return Err(if is_fulfilment(object) {
            "is a SaaS fulfilment webhook and not a lead: in Partner Center, give its URL under the offer's technical configuration"
        } else {
            "has none of the members of a marketplace lead"
        });
    }
    let mut renamed = Renamed { top: rename(object, TOP), person: Vec::new() };
    if let Some(Value::Object(person)) = object.get_mut("UserDetails") {
        renamed.person = rename(person, PERSON);
    }
    Ok(renamed)
}

/// A subscription's life told to a publisher's fulfilment endpoint.
fn is_fulfilment(object: &Map<String, Value>) -> bool {
    let has = |name: &str| object.keys().any(|key| same_name(key, name));
    has("activityid") && has("subscriptionid") && ["publisherid", "offerid", "planid", "action"].into_iter().any(has)
}

fn known(names: &Names, key: &str) -> Option<&'static str> {
    names.iter().find(|(_, compared)| same_name(key, compared)).map(|(canonical, _)| *canonical)
}

fn rename(object: &mut Map<String, Value>, names: &Names) -> Vec<(&'static str, String)> {
    let as_it_should_be =
        |(key, value): (&String, &Value)| known(names, key).is_none_or(|c| c == key && !value.is_null());
    if object.iter().all(as_it_should_be) {
        return Vec::new();
    }
    let mut renamed: Vec<(&'static str, String)> = Vec::new();
    let mut taken: Vec<&'static str> = Vec::new();
    for (key, value) in std::mem::take(object) {
        match known(names, &key) {
            Some(canonical) if taken.contains(&canonical) => {}
            Some(canonical) => {
                taken.push(canonical);
                if !value.is_null() {
                    object.insert(canonical.to_owned(), value);
                }
                if canonical != key {
                    renamed.push((canonical, key));
                }
            }
            None => {
                object.insert(key, value);
            }
        }
    }
    renamed
}
