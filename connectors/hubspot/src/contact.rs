//! The person: created, or known already and perhaps written over.

use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::Answer;

use crate::call::Ask;
use crate::connector::HubSpotConnector;
use crate::error::Reading;
use crate::record::Parts;

/// The contact that a lead belongs to, by its id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It was made for this lead, a moment ago.
    New(String),
    /// HubSpot has it already.
    Known(String),
}

/// Creates the contact, unless its e-mail address is known.
///
/// # Errors
/// The failure, classified.
pub(crate) async fn create(
    connector: &HubSpotConnector,
    parts: &Parts,
    reading: &Reading<'_>,
) -> Result<Contact, DeliveryError> {
    let answer = connector.portal.call(Ask::post(&["objects", "contacts"], parts.contact())).await?;
    if answer.status != 409 {
        return Ok(Contact::New(reading.object(&answer)?.id));
    }
    if let Some(id) = existing(&answer) {
        return Ok(Contact::Known(id));
    }
    let path = ["objects", "contacts", parts.email.as_str()];
    let answer = connector.portal.call(Ask::get(&path, &[("idProperty", "email")])).await?;
    match reading.object(&answer) {
        Ok(contact) => Ok(Contact::Known(contact.id)),
        // It is there and it is not: somebody deletes it, or HubSpot has not come round to it.
        Err(error) if error.kind == ErrorKind::Rejected || answer.status == 404 => {
            let message = "HubSpot has a contact with this e-mail address and does not tell which";
            Err(DeliveryError::new(ErrorKind::Contended, message).status(answer.status))
        }
        Err(error) => Err(error),
    }
}

/// Writes over the contact what the lead says of the person.
///
/// # Errors
/// The failure, classified.
pub(crate) async fn update(
    connector: &HubSpotConnector,
    id: &str,
    parts: &Parts,
    reading: &Reading<'_>,
) -> Result<(), DeliveryError> {
    let answer = connector.portal.call(Ask::patch(&["objects", "contacts", id], parts.contact())).await?;
    reading.object(&answer).map(|_| ())
}

/// The id in `Contact already exists. Existing ID: 2926551`, which only the text tells (HubSpot/hubspot-api-nodejs issue 545).
fn existing(answer: &Answer) -> Option<String> {
    let said: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let (_, rest) = said.get("message")?.as_str()?.split_once("Existing ID: ")?;
    let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::http::header::HeaderMap;

    use super::*;

    fn existing_in(message: &str) -> Option<String> {
        let body = serde_json::json!({"status": "error", "message": message, "category": "CONFLICT"}).to_string();
        existing(&Answer { status: 409, headers: HeaderMap::new(), body: body.into(), truncated: false })
    }

    #[test]
    fn the_id_of_a_contact_is_read_from_the_text() {
        assert_eq!(existing_in("Contact already exists. Existing ID: 2926551").as_deref(), Some("2926551"));
        assert_eq!(existing_in("Contact already exists. Existing ID: 2926551.").as_deref(), Some("2926551"));
        assert_eq!(existing_in("Contact already exists. Existing ID: "), None);
        assert_eq!(existing_in("Contact already exists."), None);
    }
}
