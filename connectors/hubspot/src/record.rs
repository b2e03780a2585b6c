//! A record as HubSpot gets it: the properties of a contact, and those of the lead.

use leadrelay_shared::delivery::{Receipt, Record};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What the names of lead properties begin with in a mapping; all others are the contact's.
pub(crate) const OF_LEAD: &str = "lead.";

/// A lead's link to the person: "primary contact" (developers.hubspot.com, "Associations", "Association type ids").
const PRIMARY_CONTACT: u32 = 578;

/// What is written of a record.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) email: String,
    contact: Map<String, Value>,
    lead: Map<String, Value>,
}

/// An object as HubSpot tells of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Object {
    pub(crate) id: String,
    /// Where people open it.
    url: Option<String>,
}

impl Parts {
    /// Takes a record apart.
    ///
    /// # Errors
    /// `Rejected` where it has no e-mail address: nothing else tells whether HubSpot has the person.
    pub(crate) fn of(record: &Record) -> Result<Self, DeliveryError> {
        let (mut contact, mut lead) = (Map::new(), Map::new());
        for (name, value) in record {
            let Some(text) = text_of(value) else { continue };
            match name.strip_prefix(OF_LEAD) {
                Some(name) => lead.insert(name.to_owned(), text.into()),
                None => contact.insert(name.clone(), text.into()),
            };
        }
        let text = |name: &str| contact.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let email = text("email");
        if email.is_empty() {
            let message = "the lead has no e-mail address, by which HubSpot tells people apart";
            return Err(DeliveryError::new(ErrorKind::Rejected, message).field("email"));
        }
        // A lead must have a name, and HubSpot gives one that is made by hand the person's.
        if !lead.contains_key("hs_lead_name") {
            let name = format!("{} {}", text("firstname"), text("lastname")).trim().to_owned();
            let name = if name.is_empty() { email.clone() } else { name };
            lead.insert("hs_lead_name".to_owned(), name.into());
        }
        contact.insert("email".to_owned(), email.clone().into());
        Ok(Self { email, contact, lead })
    }

    /// What a contact is made of, or changed by.
    pub(crate) fn contact(&self) -> Value {
        json!({"properties": self.contact})
    }

    /// What a lead is made of that belongs to `contact` and has `id` in its property `id_property`.
    pub(crate) fn lead(&self, id_property: &str, id: &str, contact: &str) -> Value {
        let mut properties = self.lead.clone();
        properties.insert(id_property.to_owned(), id.into());
        let kind = json!({"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": PRIMARY_CONTACT});
        json!({"properties": properties, "associations": [{"to": {"id": contact}, "types": [kind]}]})
    }
}

impl Object {
    /// The receipt for it.
    pub(crate) fn receipt(self, existed: bool, status: u16) -> Receipt {
        let link = self.url.filter(|url| url.starts_with("https://"));
        Receipt { record: Some(self.id), link, existed, status: Some(status) }
    }
}

/// A value as the API takes it: every property is a text, several options stand between semicolons (developers.hubspot.com,
/// "Properties", "Update multiple checkbox type properties"). Nothing is no value.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(values) => Some(values.iter().filter_map(text_of).collect::<Vec<_>>().join(";")),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: &Value) -> Record {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn a_record_is_a_contact_and_a_lead() {
        let parts = Parts::of(&record(&json!({
            "email": " lead-1@example.com ", "seats": 25, "consent": true, "products": ["a", "b"], "fax": null,
            "lead.hs_lead_name": "Contoso Sample Offer", "lead.hs_lead_label": "WARM"
        })))
        .expect("parts");
        let contact = &parts.contact()["properties"];
        assert_eq!((parts.email.as_str(), &contact["email"]), ("lead-1@example.com", &json!("lead-1@example.com")));
        assert_eq!(
            (&contact["seats"], &contact["consent"], &contact["products"]),
            (&json!("25"), &json!("true"), &json!("a;b"))
        );
        assert!(contact.get("fax").is_none() && contact.get("lead.hs_lead_label").is_none());
        let lead = parts.lead("leadrelay_id", "id", "101");
        let properties = json!({"hs_lead_name": "Contoso Sample Offer", "hs_lead_label": "WARM", "leadrelay_id": "id"});
        assert_eq!((&lead["properties"], &lead["associations"][0]["to"]["id"]), (&properties, &json!("101")));
    }

    #[test]
    fn a_lead_has_the_persons_name_unless_it_has_one() {
        let name = |record: &Value| Parts::of(&self::record(record)).expect("parts").lead["hs_lead_name"].clone();
        assert_eq!(name(&json!({"email": "a@example.com", "firstname": "Ann", "lastname": "Lee"})), "Ann Lee");
        assert_eq!(name(&json!({"email": "a@example.com", "lastname": "Lee"})), "Lee");
        assert_eq!(name(&json!({"email": "a@example.com"})), "a@example.com");
    }

    #[test]
    fn a_lead_without_an_address_is_refused_by_name() {
        for nothing in [json!({}), json!({"email": " "}), json!({"email": null})] {
            let error = Parts::of(&record(&nothing)).expect_err("no address");
            assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Rejected, Some("email")));
        }
    }

    #[test]
    fn a_link_is_one_that_a_browser_opens_safely() {
        let link = |url: Option<&str>| Object { id: "1".into(), url: url.map(Into::into) }.receipt(false, 201).link;
        assert!(link(Some("https://app.hubspot.com/contacts/1/record/0-136/1")).is_some());
        assert_eq!((link(Some("javascript:alert(1)")), link(None)), (None, None));
    }
}
