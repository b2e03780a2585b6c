//! Attempts: the person becomes a contact, and the lead one lead of that contact, whatever HubSpot answers.
//!
//! A contact is known by its e-mail address and the lead by the delivery's id in a property whose values are unique. What is
//! found by an id comes from the objects themselves; the search of HubSpot lags behind them and is not asked.

use leadrelay_shared::account::Account;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::Fields;

use crate::call::{Ask, Portal};
use crate::contact::{self, Contact};
use crate::error::{Reading, says_no_such_object};
use crate::properties::{describe, documented};
use crate::record::Parts;
use crate::settings::{OnExistingContact, Settings};

/// Delivers to HubSpot.
#[derive(Debug)]
pub struct HubSpotConnector {
    pub(crate) portal: Portal,
    pub(crate) id_property: String,
    on_existing_contact: OnExistingContact,
    account: Account,
}

impl Connector for HubSpotConnector {
    const NAME: &'static str = "hubspot";

    type Settings = Settings;

    fn new(settings: Settings, context: Context) -> Result<Self, String> {
        let url = settings.url()?;
        let account = context.accounts.of(&[Self::NAME, url.as_str(), settings.token.expose()]);
        let portal = Portal { http: context.http, clock: context.clock, url, bearer: settings.bearer()? };
        let id_property = settings.id_property()?;
        Ok(Self { portal, id_property, on_existing_contact: settings.on_existing_contact, account })
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        match self.attempt(delivery).await {
            // Perhaps it has arrived: its answer was lost, or another attempt is faster.
            Err(error) if matches!(error.kind, ErrorKind::Rejected | ErrorKind::Contended) => {
                self.found(delivery).await?.ok_or(error)
            }
            outcome => outcome,
        }
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        describe(&self.portal, &self.id_property).await
    }

    fn account(&self) -> Option<&Account> {
        Some(&self.account)
    }

    fn documented_fields() -> Fields {
        documented()
    }
}

impl HubSpotConnector {
    async fn attempt(&self, delivery: &Delivery) -> Outcome {
        let parts = Parts::of(&delivery.record)?;
        let reading = Reading::of(self, Some(&delivery.record));
        let contact = match contact::create(self, &parts, &reading).await? {
            Contact::New(id) => id,
            Contact::Known(id) if self.on_existing_contact == OnExistingContact::Keep => id,
            Contact::Known(id) => {
                // Written over once, and before the lead is there: what somebody edits later stays.
                if let Some(receipt) = self.found(delivery).await? {
                    return Ok(receipt);
                }
                contact::update(self, &id, &parts, &reading).await?;
                id
            }
        };
        let lead = parts.lead(&self.id_property, &delivery.id.to_string(), &contact);
        let answer = self.portal.call(Ask::post(&["objects", "leads"], lead)).await?;
        Ok(reading.object(&answer)?.receipt(false, answer.status))
    }

    /// The lead of this delivery, if it is there.
    async fn found(&self, delivery: &Delivery) -> Result<Option<Receipt>, DeliveryError> {
        let id = delivery.id.to_string();
        let (path, query) = (["objects", "leads", &id], [("idProperty", self.id_property.as_str())]);
        let answer = self.portal.call(Ask::get(&path, &query)).await?;
        if says_no_such_object(&answer) {
            return Ok(None);
        }
        match Reading::of(self, None).object(&answer) {
            Ok(lead) => Ok(Some(lead.receipt(true, answer.status))),
            // The question differs from lead to lead in nothing but the id, so its refusal is about the property.
            Err(error) if error.kind == ErrorKind::Rejected => Err(unusable(&self.id_property).status(answer.status)),
            // Whether it has arrived is not known, and to park it would be to say that it has not.
            Err(error) => Err(error),
        }
    }
}

/// The property for ids is not one.
pub(crate) fn unusable(id_property: &str) -> DeliveryError {
    let message = "leads have no such property with unique values; create it as a single-line text with \"Require unique values\", \
                   or correct `id_property`";
    DeliveryError::new(ErrorKind::Misconfigured, message).field(id_property)
}
