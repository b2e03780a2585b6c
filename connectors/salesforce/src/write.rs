//! Writing leads: one by one, or up to 200 in one call; what came of each, by itself.

use leadrelay_shared::connector::Outcome;
use leadrelay_shared::delivery::Delivery;
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::http::header::{HeaderName, HeaderValue};
use leadrelay_shared::http::{ANSWER_CAP, Method, Url};
use serde_json::{Value, json};

use crate::call::{Ask, Org};
use crate::error::{Reading, Refusal};
use crate::record::{id_in, in_collection, receipt, with_key, without};
use crate::settings::Write;

/// The bytes of an answer for each record of a collection: an id, or some errors.
const KEEP_EACH: usize = 8 * 1024;

/// How leads are written.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) object: String,
    pub(crate) key: Option<String>,
    pub(crate) write: Write,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Writer {
    /// Writes one lead (REST API Developer Guide, "sObject Basic Information", "sObject Rows by External ID").
    pub(crate) async fn one(&self, org: &Org, delivery: &Delivery) -> Outcome {
        let id = delivery.id.to_string();
        let (method, path, record) = match (self.write, self.key.as_deref()) {
            (Write::Upsert, Some(key)) => {
                // The id stands in the path, and may not stand in the body as well.
                (Method::PATCH, vec!["sobjects", &self.object, key, &id], without(&delivery.record, Some(key)))
            }
            (_, key) => (Method::POST, vec!["sobjects", &self.object], with_key(delivery, key)),
        };
        let body = Value::Object(record).to_string().into_bytes();
        let ask = Ask { method, path: &path, soql: None, body, headers: &self.headers, keep: ANSWER_CAP };
        let reply = org.call(&ask).await?;
        let (answer, status) = (&reply.answer, reply.answer.status);
        match self.reading(org).parse_error(answer) {
            Some(Refusal::Exists(id)) => return Ok(receipt(&reply.instance, &self.object, id, true, status)),
            Some(Refusal::Failed(error)) => return Err(error),
            None if status == 204 && self.write == Write::Upsert => {
                return Ok(receipt(&reply.instance, &self.object, None, true, status));
            }
            None => {}
        }
        let saved: Value = serde_json::from_slice(answer.whole()?).unwrap_or_default();
        // An insert is a 201. An upsert is one where there was nothing, and 200 where there was.
        self.saved(&saved, &reply.instance, status).unwrap_or_else(|| Err(unclear(status)))
    }

    /// Writes several leads, no two of them the same, in one call (REST API Developer Guide, "sObject Collections").
    ///
    /// # Errors
    /// When the call as a whole failed; none of them was written then, unless the failure is `Uncertain`.
    pub(crate) async fn several(&self, org: &Org, deliveries: &[&Delivery]) -> Result<Vec<Outcome>, DeliveryError> {
        let key = self.key.as_deref();
        let records = deliveries.iter().map(|delivery| in_collection(&self.object, with_key(delivery, key)));
        let body = json!({"allOrNone": false, "records": records.collect::<Vec<_>>()});
        let (method, path) = match (self.write, key) {
            (Write::Upsert, Some(key)) => (Method::PATCH, vec!["composite", "sobjects", &self.object, key]),
            _ => (Method::POST, vec!["composite", "sobjects"]),
        };
        let keep = KEEP_EACH * deliveries.len();
        let body = body.to_string().into_bytes();
        let reply = org.call(&Ask { method, path: &path, soql: None, body, headers: &self.headers, keep }).await?;
        let status = reply.answer.status;
        match self.reading(org).parse_error(&reply.answer) {
            Some(Refusal::Failed(error)) => return Err(error),
            // It is said of one record and not of a collection.
            Some(Refusal::Exists(_)) => return Err(unclear(status)),
            None => {}
        }
        let told: Value = serde_json::from_slice(reply.answer.whole()?).unwrap_or_default();
        let items = told.as_array().filter(|items| items.len() == deliveries.len()).ok_or_else(|| unclear(status))?;
        Ok(items.iter().map(|item| self.item(org, item, &reply.instance, status)).collect())
    }

    fn item(&self, org: &Org, item: &Value, instance: &Url, status: u16) -> Outcome {
        if let Some(outcome) = self.saved(item, instance, status) {
            return outcome;
        }
        let refusal = item.get("errors").and_then(|errors| self.reading(org).of_errors(errors, None));
        match refusal {
            Some(Refusal::Exists(id)) => Ok(receipt(instance, &self.object, id, true, status)),
            Some(Refusal::Failed(error)) => Err(error),
            None => Err(unclear(status)),
        }
    }

    /// What a `SaveResult` or `UpsertResult` says of a record that was saved.
    fn saved(&self, saved: &Value, instance: &Url, status: u16) -> Option<Outcome> {
        let is_success = saved.get("success") == Some(&Value::Bool(true));
        let id = saved.get("id").and_then(Value::as_str).and_then(id_in).filter(|_| is_success)?;
        // Older versions do not say `created`; then the status of a single upsert does.
        let created = saved.get("created").and_then(Value::as_bool).unwrap_or(status != 204);
        let existed = self.write == Write::Upsert && !created;
        Some(Ok(receipt(instance, &self.object, Some(id), existed, status)))
    }

    fn reading(&self, org: &Org) -> Reading<'_> {
        Reading { key: self.key.as_deref(), now: org.clock.now() }
    }
}

/// A success that proves nothing: the lead may be there.
fn unclear(status: u16) -> DeliveryError {
    let message = "the answer is not one of Salesforce, or not whole; the lead may have arrived";
    DeliveryError::new(ErrorKind::Uncertain, message).status(status)
}
