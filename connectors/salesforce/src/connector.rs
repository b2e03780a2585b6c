//! Attempts: each lead written once, whatever Salesforce answers, and each outcome by itself.

use std::collections::HashMap;

use leadrelay_shared::account::Account;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::Fields;
use leadrelay_shared::http::header::{HeaderName, HeaderValue};
use leadrelay_shared::id::DeliveryId;
use leadrelay_shared::oauth::Tokens;

use crate::call::Org;
use crate::describe::{describe, documented, judge_key};
use crate::login::Login;
use crate::lookup::{by_key, by_likeness};
use crate::record::id_in;
use crate::settings::{AssignmentRule, OnDuplicate, Settings, Write};
use crate::write::Writer;

/// The most calls that look for the lead which spoils a collection. Where many leads are wrong in the same way, each costs two,
/// and an attempt must end before its time is up.
const CALLS_MAX: usize = 64;

/// Delivers to Salesforce.
#[derive(Debug)]
pub struct SalesforceConnector {
    pub(crate) org: Org,
    pub(crate) writer: Writer,
    account: Account,
}

impl Connector for SalesforceConnector {
    const NAME: &'static str = "salesforce";

    /// The most records in one call (REST API Developer Guide, "sObject Collections").
    const BATCH: usize = 200;

    type Settings = Settings;

    fn new(settings: Settings, context: Context) -> Result<Self, String> {
        let login = Login::new(&settings)?;
        let account = context.accounts.of(&[Self::NAME, &login.account()]);
        let sessions = account.shared(|| Tokens::new(context.clock.clone()));
        let org = Org { http: context.http, clock: context.clock, login, sessions, version: settings.version()? };
        let writer = Writer {
            object: settings.object()?,
            key: settings.key()?,
            write: settings.write,
            headers: headers(&settings)?,
        };
        Ok(Self { org, writer, account })
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let mut outcomes = self.attempt(&[delivery]).await;
        outcomes.pop().unwrap_or_else(|| Err(DeliveryError::new(ErrorKind::Unexpected, "no answer for a delivery")))
    }

    async fn deliver_many(&self, deliveries: &[Delivery]) -> Vec<Outcome> {
        // The same lead twice in one call: Salesforce may refuse both for the other's sake.
        let mut places: HashMap<DeliveryId, usize> = HashMap::new();
        let mut once: Vec<&Delivery> = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            places.entry(delivery.id).or_insert_with(|| {
                once.push(delivery);
                once.len() - 1
            });
        }
        let outcomes = self.attempt(&once).await;
        deliveries.iter().map(|delivery| outcomes[places[&delivery.id]].clone()).collect()
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        let described = describe(&self.org, &self.writer.object).await?;
        if !described.is_createable() {
            let message = "the user may not create this object; give it a permission set that allows it";
            return Err(DeliveryError::new(ErrorKind::Misconfigured, message));
        }
        if let Some(key) = &self.writer.key {
            judge_key(&described, key)?;
        }
        Ok(described.into_fields())
    }

    fn account(&self) -> Option<&Account> {
        Some(&self.account)
    }

    fn documented_fields() -> Fields {
        documented()
    }
}

impl SalesforceConnector {
    /// Attempts deliveries of which no two are the same.
    ///
    /// Where a call as a whole is refused for the sake of some lead in it (a value of the wrong type), it is made for each
    /// half of them: nothing was written, and the others must not be parked for it. What is not reached comes again soon.
    async fn attempt(&self, deliveries: &[&Delivery]) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(deliveries.len());
        let mut waiting: Vec<&[&Delivery]> = vec![deliveries];
        let mut calls = 0;
        while let Some(part) = waiting.pop().filter(|part| !part.is_empty()) {
            calls += 1;
            if calls > CALLS_MAX {
                let message = "leads in the same call are refused one after the other; it comes again without them";
                outcomes.resize(deliveries.len(), Err(DeliveryError::new(ErrorKind::Contended, message)));
                break;
            }
            match self.write(part).await {
                Ok(written) => outcomes.extend(written),
                Err(error) if error.kind == ErrorKind::Rejected && part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    waiting.extend([second, first]);
                }
                Err(error) if error.kind == ErrorKind::Rejected => outcomes.push(Err(error)),
                Err(error) => {
                    // It is about the destination, and so what was not sent yet would fare no better.
                    outcomes.resize(deliveries.len(), Err(error));
                    break;
                }
            }
        }
        self.found(deliveries, &mut outcomes).await;
        outcomes
    }

    /// Writes those that are not there.
    async fn write(&self, part: &[&Delivery]) -> Result<Vec<Outcome>, DeliveryError> {
        let (writer, org) = (&self.writer, &self.org);
        let known = match writer.key {
            Some(_) => vec![None; part.len()],
            None => by_likeness(org, &writer.object, part).await?,
        };
        let new: Vec<&Delivery> =
            part.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(d, _)| *d).collect();
        let written = match new.as_slice() {
            [] => Vec::new(),
            [one] => vec![writer.one(org, one).await],
            several => writer.several(org, several).await?,
        };
        let mut written = written.into_iter();
        let outcome = |receipt: Option<Receipt>| receipt.map(Ok).or_else(|| written.next());
        Ok(known.into_iter().filter_map(outcome).collect())
    }

    /// Before leads are parked: those whose id is on a record have arrived, whatever a rule says of them now.
    async fn found(&self, deliveries: &[&Delivery], outcomes: &mut [Outcome]) {
        let Some(key) = self.writer.key.as_deref().filter(|_| self.writer.write == Write::Insert) else { return };
        let is_refused = |outcome: &Outcome| outcome.as_ref().is_err_and(|error| error.kind == ErrorKind::Rejected);
        let pairs = deliveries.iter().zip(outcomes.iter());
        let refused: Vec<&Delivery> = pairs.filter(|(_, outcome)| is_refused(outcome)).map(|(d, _)| *d).collect();
        if refused.is_empty() {
            return;
        }
        let found = by_key(&self.org, &self.writer.object, key, &refused).await;
        for (delivery, outcome) in deliveries.iter().zip(outcomes).filter(|(_, outcome)| is_refused(outcome)) {
            match &found {
                Ok(found) => {
                    if let Some(receipt) = found.get(&delivery.id.to_string()) {
                        *outcome = Ok(receipt.clone());
                    }
                }
                // The question itself makes no sense to Salesforce; what it said of the lead stands.
                Err(error) if error.kind == ErrorKind::Rejected => {}
                // Whether it has arrived is not known, and to park it would be to say that it has not.
                Err(error) => *outcome = Err(error.clone()),
            }
        }
    }
}

/// What every request to write says beside its body.
fn headers(settings: &Settings) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut headers = Vec::new();
    if settings.on_duplicate == OnDuplicate::Create {
        // REST API Developer Guide, "Duplicate Rule Header"; every member is false unless it is named.
        let wish = HeaderValue::from_static("allowSave=true; includeRecordDetails=false; runAsCurrentUser=true");
        headers.push((HeaderName::from_static("sforce-duplicate-rule-header"), wish));
    }
    let rule = match &settings.assignment_rule {
        None => return Ok(headers),
        Some(AssignmentRule::Active(true)) => HeaderValue::from_static("TRUE"),
        Some(AssignmentRule::Active(false)) => HeaderValue::from_static("FALSE"),
        Some(AssignmentRule::Id(id)) => id_in(id)
            .and_then(|id| HeaderValue::from_str(&id).ok())
            .ok_or("`assignment_rule` is true, false or the id of a rule: 15 or 18 letters and digits")?,
    };
    headers.push((HeaderName::from_static("sforce-auto-assign"), rule));
    Ok(headers)
}
