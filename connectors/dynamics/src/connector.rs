//! Attempts: each lead one row, whatever Dataverse answers.
//!
//! The row's id is the delivery's, and `If-None-Match: *` lets it be created and never written over (learn.microsoft.com,
//! "Perform conditional operations using the Web API"). Before a lead is parked it is asked whether its row is there: which is
//! looked at first, the rules or the key, is not documented, and a lead whose answer was lost must not be told that it duplicates
//! itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leadrelay_shared::account::Account;
use leadrelay_shared::connector::{Connector, Context, Outcome};
use leadrelay_shared::delivery::{Delivery, Receipt, Record};
use leadrelay_shared::error::{DeliveryError, ErrorKind};
use leadrelay_shared::fields::Fields;
use leadrelay_shared::http::header::{HeaderName, HeaderValue, IF_NONE_MATCH};
use leadrelay_shared::oauth::Tokens;

use crate::call::{Ask, Environment};
use crate::error::{Refusal, parse_error, says_no_such_row};
use crate::login::Login;
use crate::metadata::{describe, documented, judge_privileges, options};
use crate::options::Options;
use crate::record::Table;
use crate::settings::{OnDuplicate, Settings};

/// Options that were told so long ago are asked for again before a label is refused that is none of them.
const OPTIONS_AGE: Duration = Duration::from_mins(5);

/// Has duplicate detection rules asked (learn.microsoft.com, "Manage duplicate detection during create and update").
const DETECT: (HeaderName, HeaderValue) =
    (HeaderName::from_static("mscrm.suppressduplicatedetection"), HeaderValue::from_static("false"));

/// Delivers to Dynamics 365.
#[derive(Debug)]
pub struct DynamicsConnector {
    pub(crate) environment: Environment,
    pub(crate) table: Table,
    on_duplicate: OnDuplicate,
    /// What is known of the table's choices.
    options: Mutex<Option<Arc<Options>>>,
    account: Account,
}

impl Connector for DynamicsConnector {
    const NAME: &'static str = "dynamics";

    type Settings = Settings;

    fn new(settings: Settings, context: Context) -> Result<Self, String> {
        let login = Login::new(&settings)?;
        let account = context.accounts.of(&[Self::NAME, &login.account()]);
        let environment = Environment {
            tokens: account.shared(|| Tokens::new(context.clock.clone())),
            http: context.http,
            clock: context.clock,
            url: settings.environment()?,
            login,
            version: settings.version()?,
        };
        let table = Table { name: settings.table()?, entity_set: settings.entity_set()? };
        Ok(Self { environment, table, on_duplicate: settings.on_duplicate, options: Mutex::new(None), account })
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let known = self.options();
        let mut record = self.translated(&delivery.record, known.as_deref()).await?;
        let mut outcome = self.create(delivery, &record).await?;
        if known.is_none() && is_of_wrong_type(&outcome) {
            // Perhaps a label where a number belongs: nothing was written, and the options were not known yet.
            let options = self.learn_options().await?;
            let numbers = self.translated(&delivery.record, Some(&options)).await?;
            if numbers != record {
                record = numbers;
                outcome = self.create(delivery, &record).await?;
            }
        }
        match outcome {
            Ok(receipt) => Ok(receipt),
            Err(Refusal::Failed(error)) if error.kind != ErrorKind::Rejected => Err(error),
            Err(refusal) => match (self.found(delivery).await?, refusal) {
                (Some(receipt), _) => Ok(receipt),
                (None, Refusal::Duplicate(error)) if self.on_duplicate == OnDuplicate::Update => {
                    self.update(&record, error).await
                }
                (None, refusal) => Err(refusal.into_error()),
            },
        }
    }

    async fn check(&self) -> Result<Fields, DeliveryError> {
        let description = describe(&self.environment, &self.table.name).await?;
        if description.entity_set != self.table.entity_set {
            let message =
                format!("the rows of the table are called `{}`; set `entity_set` to that", description.entity_set);
            return Err(DeliveryError::new(ErrorKind::Misconfigured, message));
        }
        judge_privileges(&self.environment, &description).await?;
        self.know(description.options);
        Ok(description.fields)
    }

    fn account(&self) -> Option<&Account> {
        Some(&self.account)
    }

    fn documented_fields() -> Fields {
        documented()
    }
}

impl DynamicsConnector {
    /// Writes the row, unless it is there.
    ///
    /// # Errors
    /// When there is no answer. What an answer refuses is no error here.
    async fn create(&self, delivery: &Delivery, record: &Record) -> Result<Result<Receipt, Refusal>, DeliveryError> {
        let only_new = (IF_NONE_MATCH, HeaderValue::from_static("*"));
        let headers = match self.on_duplicate {
            OnDuplicate::Create => vec![only_new],
            OnDuplicate::Park | OnDuplicate::Update => vec![only_new, DETECT],
        };
        let id = delivery.id.to_string();
        let answer =
            self.environment.call(&Ask::patch(&[&self.table.row(&id)], self.table.body(record), &headers)).await?;
        Ok(match parse_error(&answer, Some(record), self.environment.clock.now()) {
            Some(refusal) => Err(refusal),
            // It answers 204 with nothing. A page of a proxy that says 200 is no row.
            None if answer.status == 204 || answer.headers.contains_key("odata-entityid") => {
                Ok(self.table.receipt(&self.environment.url, id, false, answer.status))
            }
            None => return Err(unclear(answer.status)),
        })
    }

    /// The row of this delivery, if it is there.
    async fn found(&self, delivery: &Delivery) -> Result<Option<Receipt>, DeliveryError> {
        let id = delivery.id.to_string();
        let answer = self.environment.call(&Ask::get(&[&self.table.row(&id)], &[("$select", "createdon")])).await?;
        if says_no_such_row(&answer) {
            return Ok(None);
        }
        match parse_error(&answer, None, self.environment.clock.now()) {
            None => Ok(Some(self.table.receipt(&self.environment.url, id, true, answer.status))),
            // The question itself makes no sense to Dataverse; what it said of the lead stands.
            Some(refusal) => match refusal.into_error() {
                error if error.kind == ErrorKind::Rejected => Ok(None),
                // Whether it has arrived is not known, and to park it would be to say that it has not.
                error => Err(error),
            },
        }
    }

    /// The record with labels replaced by numbers.
    async fn translated(&self, record: &Record, options: Option<&Options>) -> Result<Record, DeliveryError> {
        let mut translated = record.clone();
        let Some(options) = options else { return Ok(translated) };
        let Err(column) = options.translate(&mut translated) else { return Ok(translated) };
        // Perhaps it was added since.
        let is_old = self.environment.clock.now() > options.told_at() + OPTIONS_AGE;
        let column = match is_old {
            true => match self.learn_options().await?.translate(&mut translated) {
                Ok(()) => return Ok(translated),
                Err(column) => column,
            },
            false => column,
        };
        let message = "the value is none of the column's options, by label or number";
        Err(DeliveryError::new(ErrorKind::Rejected, message).field(column))
    }

    fn options(&self) -> Option<Arc<Options>> {
        self.options.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn learn_options(&self) -> Result<Arc<Options>, DeliveryError> {
        Ok(self.know(options(&self.environment, &self.table.name).await?))
    }

    fn know(&self, options: Options) -> Arc<Options> {
        let options = Arc::new(options);
        *self.options.lock().unwrap_or_else(PoisonError::into_inner) = Some(options.clone());
        options
    }
}

/// Whether it was refused in a way that a label in the place of a number is.
fn is_of_wrong_type(outcome: &Result<Receipt, Refusal>) -> bool {
    matches!(outcome, Err(Refusal::Failed(error)) if error.kind == ErrorKind::Rejected && error.status == Some(400))
}

/// A success that proves nothing: the lead may be there.
fn unclear(status: u16) -> DeliveryError {
    let message = "the answer is not one of Dataverse; the lead may have arrived";
    DeliveryError::new(ErrorKind::Uncertain, message).status(status)
}
