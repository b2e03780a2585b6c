//! One row as the body of a lead, in the shape in which the marketplace sends them.

use jiff::Timestamp;
use leadrelay_shared::id::LeadId;
use serde_json::{Map, Value, json};

use super::columns::{Column, folded};
use super::time;

/// The longest `Idempotency-Key`.
const KEY_MAX: usize = 255;

/// A lead of the export.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) id: Option<String>,
    /// When it was made; several where the date can be read in several ways, none where it cannot be read.
    pub(super) created: Vec<Timestamp>,
    pub(super) email: String,
    pub(super) offer: String,
    pub(super) action: String,
    pub(super) body: Value,
}

/// What a row says, cell by cell.
#[derive(Default)]
struct Cells {
    id: Option<String>,
    created: Vec<Timestamp>,
    full_name: String,
    person: Map<String, Value>,
    source: String,
    action: String,
    offer_id: String,
    lead: Map<String, Value>,
    others: Map<String, Value>,
}

impl Lead {
    /// Reads a row: each cell with its column's name.
    ///
    /// # Errors
    /// When it names nobody.
    pub(super) fn of<'a>(row: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut cells = Cells::default();
        row.map(|(name, text)| (name, text.trim())).filter(|(_, text)| !text.is_empty()).for_each(|c| cells.add(c));
        cells.split_name();
        if cells.person.is_empty() {
            return Err("it names no person and no company".to_owned());
        }
        Ok(cells.lead())
    }

    /// The key under which it is posted: its own id, or what it says.
    pub(super) fn key(&self, body: &[u8]) -> String {
        let fits = |id: &&String| id.len() <= KEY_MAX && id.bytes().all(|b| b.is_ascii_graphic());
        let made = || format!("import-{}", LeadId::derive(&[b"import", body]));
        self.id.as_ref().filter(fits).cloned().unwrap_or_else(made)
    }
}

impl Cells {
    /// Takes a cell; what is said a second time is kept under its column's own name.
    fn add(&mut self, (name, text): (&str, &str)) {
        let free = match Column::of(name) {
            Column::Id => {
                self.id.get_or_insert_with(|| text.to_owned());
                false
            }
            Column::Created => {
                self.created = time::read(text);
                false
            }
            Column::FullName => set(&mut self.full_name, text),
            Column::Source => set(&mut self.source, text),
            Column::Action => set(&mut self.action, action(text)),
            // Several offers in one cell are not an offer.
            Column::OfferId if !text.contains([',', ';']) => set(&mut self.offer_id, text),
            Column::Person(member) => put(&mut self.person, member, text),
            Column::Lead(member) => put(&mut self.lead, member, text),
            Column::OfferId | Column::Other => false,
        };
        if !free {
            self.others.insert(name.to_owned(), text.into());
        }
    }

    /// A full name stands in for the parts that are not there.
    fn split_name(&mut self) {
        if self.full_name.is_empty() || self.person.contains_key("LastName") {
            return;
        }
        let (first, last) = self.full_name.rsplit_once(' ').unwrap_or(("", &self.full_name));
        if !first.is_empty() {
            self.person.entry("FirstName").or_insert_with(|| first.trim().into());
        }
        self.person.insert("LastName".to_owned(), last.into());
    }

    fn lead(self) -> Lead {
        let text =
            |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (email, offer) = (text(&self.person, "Email"), text(&self.lead, "OfferTitle"));
        let mut body = Map::from_iter([("UserDetails".to_owned(), Value::Object(self.person))]);
        for (name, value) in
            [("LeadSource", tag(&self.source, &self.action, &self.offer_id)), ("ActionCode", self.action.clone())]
        {
            if !value.is_empty() {
                body.insert(name.to_owned(), value.into());
            }
        }
        body.extend(self.lead);
        for (name, value) in self.others {
            body.entry(name).or_insert(value);
        }
        Lead { id: self.id, created: self.created, email, offer, action: self.action, body: json!(body) }
    }
}

fn set(place: &mut String, text: &str) -> bool {
    let free = place.is_empty();
    if free {
        text.clone_into(place);
    }
    free
}

fn put(map: &mut Map<String, Value>, member: &str, text: &str) -> bool {
    let free = !map.contains_key(member);
    if free {
        map.insert(member.to_owned(), text.into());
    }
    free
}

/// The marketplace's code for what Partner Center writes in words; anything else is its own code.
fn action(text: &str) -> &str {
    match folded(text).as_str() {
        "contactme" => "PLT",
        "getitnow" => "INS",
        "testdrive" => "StartTestDrive",
        "donotcontact" => "DNC",
        _ => text,
    }
}

/// `Source-Action|publisher.offer`, or as much of it as is known.
fn tag(source: &str, action: &str, offer: &str) -> String {
    let source = match folded(source).as_str() {
        "azuremarketplace" => "AzureMarketplace",
        "azureportal" => "AzurePortal",
        "appsource" => "AppSource",
        _ => source,
    };
    match (source.contains(['-', '|']), action, offer) {
        // It is whole as it is, or nothing could be told from it again.
        (true, ..) | (_, _, "") => source.to_owned(),
        (_, "", offer) => format!("{source}|{offer}"),
        (_, action, offer) => format!("{source}-{action}|{offer}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(cells: &[(&str, &str)]) -> Result<Lead, String> {
        Lead::of(cells.iter().copied())
    }

    #[test]
    fn a_row_becomes_a_lead_as_the_marketplace_sends_it() {
        let lead = lead(&[
            ("Referral ID", "r-1"),
            ("Customer Name", "Contoso"),
            ("Contact name", "Ann van Lee"),
            ("Email", "ann@example.com"),
            ("Lead Source", "Azure Marketplace"),
            ("Call to action", "Contact me"),
            ("Offer ID", "contoso.addon"),
            ("Offer name", "Add-on"),
            ("Status", "New"),
            ("Notes", ""),
        ]);
        let lead = lead.expect("a lead");
        let wanted = json!({
            "UserDetails": {"Company": "Contoso", "Email": "ann@example.com", "FirstName": "Ann van", "LastName": "Lee"},
            "LeadSource": "AzureMarketplace-PLT|contoso.addon", "ActionCode": "PLT", "OfferTitle": "Add-on",
            "Referral ID": "r-1", "Status": "New",
        });
        assert_eq!(lead.body, wanted);
        assert_eq!(
            (lead.key(b""), lead.email.as_str(), lead.action.as_str()),
            ("r-1".into(), "ann@example.com", "PLT")
        );
    }

    #[test]
    fn what_is_said_twice_is_kept_and_a_row_of_nobody_is_not_a_lead() {
        let twice = lead(&[("Email", "a@example.com"), ("Contact email", "b@example.com"), ("Offer ID", "a;b")]);
        let wanted =
            json!({"UserDetails": {"Email": "a@example.com"}, "Contact email": "b@example.com", "Offer ID": "a;b"});
        assert_eq!(twice.expect("a lead").body, wanted);
        assert!(lead(&[("Referral ID", "r-2"), ("Status", "New")]).is_err());
    }

    #[test]
    fn a_row_without_an_id_has_a_key_of_what_it_says() {
        let lead = lead(&[("Email", "a@example.com")]).expect("a lead");
        assert_eq!(lead.key(b"one"), lead.key(b"one"));
        assert_ne!(lead.key(b"one"), lead.key(b"two"));
    }
}
