//! The org: its records, its fields, who may call it and how often, and what is to go wrong in it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use serde_json::{Map, Value};

use super::fields::{self, FieldDef};
use super::login::Logins;
use super::record_id;
use super::setup::PermissionSet;

/// An org with one object, `Lead`; clones share it.
#[derive(Clone, Debug)]
pub struct Org(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    /// What a token's answer gives as `instance_url`.
    instance: OnceLock<String>,
    state: Mutex<State>,
}

/// What is in the org.
#[derive(Debug)]
pub(super) struct State {
    pub(super) object: String,
    pub(super) fields: Vec<FieldDef>,
    pub(super) records: Vec<SalesforceRecord>,
    pub(super) logins: Logins,
    pub(super) sets: Vec<PermissionSet>,
    pub(super) duplicate_rule: DuplicateRule,
    /// A validation rule refuses records that have this field.
    pub(super) forbidden: Option<String>,
    /// So many saves meet a locked row.
    pub(super) locks: u32,
    /// Whether a refused duplicate says neither field nor record.
    pub(super) reticent: bool,
    pub(super) limit: (u64, u64),
    pub(super) calls: SalesforceCalls,
    /// Replaces `instance_url` in the answers with tokens.
    pub(super) elsewhere: Option<String>,
}

/// A record of the org.
#[derive(Clone, Debug, PartialEq)]
pub struct SalesforceRecord {
    /// Its id, 15 characters.
    pub id: String,
    /// Its values, under the names of the org's fields.
    pub values: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What `Sforce-Auto-Assign` said of it, if anything.
    pub auto_assign: Option<String>,
    /// Times it was changed through the API.
    pub updates: u32,
}

/// What a rule does with a lead whose e-mail address is known already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicateRule {
    /// There is no rule.
    #[default]
    Off,
    /// It refuses, unless the request says that it may be saved.
    Alert,
    /// It refuses.
    Block,
}

/// Calls that the org has answered, by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SalesforceCalls {
    /// For tokens, refused ones included.
    pub tokens: u64,
    /// For tokens, refused.
    pub refused_tokens: u64,
    /// To save one record.
    pub saves: u64,
    /// To save a collection.
    pub collections: u64,
    /// Queries.
    pub queries: u64,
    /// All that count against the limit.
    pub counted: u64,
}

impl Org {
    /// An org with leads and the field `LeadRelay_Id__c`, on its own clock.
    pub fn new(clock: Clock) -> Self {
        let mut fields = fields::lead();
        fields.push(FieldDef::external_id("LeadRelay_Id__c"));
        Self(Arc::new(Inner {
            clock,
            instance: OnceLock::new(),
            state: Mutex::new(State {
                object: "Lead".to_owned(),
                fields,
                records: Vec::new(),
                logins: Logins::default(),
                sets: Vec::new(),
                duplicate_rule: DuplicateRule::Off,
                forbidden: None,
                locks: 0,
                reticent: false,
                limit: (0, 100_000),
                calls: SalesforceCalls::default(),
                elsewhere: None,
            }),
        }))
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Says where its API is; the first word counts.
    pub fn at(&self, url: String) {
        self.0.instance.get_or_init(|| url);
    }

    pub(super) fn instance(&self) -> &str {
        self.0.instance.get().map(String::as_str).unwrap_or_default()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every record.
    pub fn records(&self) -> Vec<SalesforceRecord> {
        self.state().records.clone()
    }

    /// The records whose `field` is `value`.
    pub fn with(&self, field: &str, value: &str) -> Vec<SalesforceRecord> {
        let is = |record: &&SalesforceRecord| record.values.get(field).is_some_and(|found| found == value);
        self.state().records.iter().filter(is).cloned().collect()
    }

    /// The calls that it has answered.
    pub fn calls(&self) -> SalesforceCalls {
        self.state().calls
    }

    /// A person changes `field` of the records whose external id is `key`.
    pub fn edit(&self, key: &str, field: &str, value: &Value) {
        for record in &mut self.state().records {
            if record.values.get("LeadRelay_Id__c").is_some_and(|found| found == key) {
                record.values.insert(field.to_owned(), value.clone());
            }
        }
    }

    /// An administrator adds a field, or replaces one of the same name.
    pub fn add_field(&self, field: FieldDef) {
        let mut state = self.state();
        state.fields.retain(|known| known.name != field.name);
        state.fields.push(field);
    }

    /// An administrator removes a field.
    pub fn remove_field(&self, name: &str) {
        self.state().fields.retain(|field| field.name != name);
    }

    /// The field of this name, if there is one.
    pub fn field(&self, name: &str) -> Option<FieldDef> {
        self.state().fields.iter().find(|field| field.name == name).cloned()
    }

    /// A duplicate rule for e-mail addresses.
    pub fn duplicate_rule(&self, rule: DuplicateRule) {
        self.state().duplicate_rule = rule;
    }

    /// A validation rule refuses records that have `field`.
    pub fn forbid(&self, field: &str) {
        self.state().forbidden = Some(field.to_owned());
    }

    /// The next `saves` records meet a locked row.
    pub fn lock_rows(&self, saves: u32) {
        self.state().locks = saves;
    }

    /// A value that is there already is refused without a word on field and record.
    pub fn be_reticent(&self) {
        self.state().reticent = true;
    }

    /// So many calls are used up, of so many in 24 hours.
    pub fn limit(&self, used: u64, total: u64) {
        self.state().limit = (used, total);
    }

    /// Answers with tokens name another instance.
    pub fn send_elsewhere(&self, url: &str) {
        self.state().elsewhere = Some(url.to_owned());
    }

    /// Every session ends.
    pub fn end_sessions(&self) {
        self.state().logins.sessions.clear();
    }

    /// The application's secret and key are taken back, and every session ends.
    pub fn revoke(&self) {
        let mut state = self.state();
        state.logins.revoked = true;
        state.logins.sessions.clear();
    }

    /// A second login is refused until the session of the first was used.
    pub fn one_login_at_a_time(&self) {
        self.state().logins.one_at_a_time = true;
    }
}

impl State {
    /// The visible field of this name; the API does not tell upper from lower case.
    pub(super) fn field(&self, name: &str) -> Option<&FieldDef> {
        self.fields.iter().find(|field| field.visible && field.name.eq_ignore_ascii_case(name))
    }

    /// A new record's id.
    pub(super) fn next_id(&self) -> String {
        record_id::short("00Q", self.records.len() + 1)
    }
}
