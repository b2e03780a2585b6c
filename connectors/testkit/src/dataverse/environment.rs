//! The environment: its rows, its columns, who may call it and how often, and what is to go wrong in it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use leadrelay_shared::clock::Clock;
use serde_json::{Map, Value};

use super::columns::{self, Column};
use super::limits::Limits;
use super::login::Logins;

/// An environment with one table; clones share it.
#[derive(Clone, Debug)]
pub struct Environment(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    /// What tokens are for: the address of the API.
    address: OnceLock<String>,
    state: Mutex<State>,
}

/// What is in the environment.
#[derive(Debug)]
pub(super) struct State {
    pub(super) table: String,
    pub(super) entity_set: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<DataverseRow>,
    /// Rows of other tables that lookups may lead to: `campaigns(<id>)`.
    pub(super) others: HashSet<String>,
    pub(super) logins: Logins,
    pub(super) privileges: Vec<String>,
    /// Why the application's user may not call, if it may not.
    pub(super) user: UserState,
    /// Duplicate detection answers with this status.
    pub(super) detection: Option<u16>,
    /// Whether its rules are asked before it is looked whether the row is there.
    pub(super) rules_first: bool,
    /// A plug-in refuses rows that have this column.
    pub(super) forbidden: Option<String>,
    /// So many saves meet a lock.
    pub(super) locks: u32,
    pub(super) limits: Limits,
    pub(super) calls: DataverseCalls,
}

/// How the application's user is in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserState {
    Active,
    Disabled,
    WithoutRoles,
    Missing,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct DataverseRow {
    /// Its id.
    pub id: String,
    /// Its values, by column; a lookup by its navigation property and `@odata.bind`.
    pub values: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Times it was changed through the API.
    pub updates: u32,
}

/// Calls that the environment has answered, by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataverseCalls {
    /// For tokens, refused ones included.
    pub tokens: u64,
    /// For tokens, refused.
    pub refused_tokens: u64,
    /// To write a row.
    pub writes: u64,
    /// To read rows.
    pub reads: u64,
    /// To read descriptions, and who calls.
    pub metadata: u64,
    /// Calls that came although an answer had said when the pause ends.
    pub into_pause: u64,
}

impl Environment {
    /// An environment with leads, on its own clock.
    pub fn new(clock: Clock) -> Self {
        let (table, entity_set) = ("lead".to_owned(), "leads".to_owned());
        let privileges = ["prvCreateLead", "prvReadLead", "prvWriteLead"].map(str::to_owned).into();
        Self(Arc::new(Inner {
            clock,
            address: OnceLock::new(),
            state: Mutex::new(State {
                table,
                entity_set,
                columns: columns::lead(),
                rows: Vec::new(),
                others: HashSet::new(),
                logins: Logins::default(),
                privileges,
                user: UserState::Active,
                detection: None,
                rules_first: false,
                forbidden: None,
                locks: 0,
                limits: Limits::default(),
                calls: DataverseCalls::default(),
            }),
        }))
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Says where its API is; the first word counts.
    pub fn at(&self, url: String) {
        self.0.address.get_or_init(|| url);
    }

    pub(super) fn address(&self) -> &str {
        self.0.address.get().map(String::as_str).unwrap_or_default()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table is another one, with the same columns.
    pub fn rename(&self, table: &str, entity_set: &str) {
        let mut state = self.state();
        let old = format!("{}id", state.table);
        for column in &mut state.columns {
            if column.name == old {
                column.name = format!("{table}id");
            }
        }
        state.privileges = ["Create", "Read", "Write"].map(|right| format!("prv{right}{table}")).into();
        (state.table, state.entity_set) = (table.to_owned(), entity_set.to_owned());
    }

    /// Every row.
    pub fn rows(&self) -> Vec<DataverseRow> {
        self.state().rows.clone()
    }

    /// The row of this id.
    pub fn row(&self, id: &str) -> Option<DataverseRow> {
        self.state().rows.iter().find(|row| row.id == id).cloned()
    }

    /// The calls that it has answered.
    pub fn calls(&self) -> DataverseCalls {
        self.state().calls
    }

    /// A person changes `column` of the row of this id.
    pub fn edit(&self, id: &str, column: &str, value: &Value) {
        for row in self.state().rows.iter_mut().filter(|row| row.id == id) {
            row.values.insert(column.to_owned(), value.clone());
        }
    }

    /// A row of another table, which lookups may lead to: `campaigns(<id>)`.
    pub fn add_other(&self, path: &str) {
        self.state().others.insert(path.to_owned());
    }

    /// An administrator adds a column, or replaces one of the same name.
    pub fn add_column(&self, column: Column) {
        let mut state = self.state();
        state.columns.retain(|known| known.name != column.name);
        state.columns.push(column);
    }

    /// An administrator removes a column.
    pub fn remove_column(&self, name: &str) {
        self.state().columns.retain(|column| column.name != name);
    }

    /// Duplicate detection for e-mail addresses, which answers with this status: 500 in one place of the documentation, 412 in
    /// another.
    pub fn detect_duplicates(&self, status: u16) {
        self.state().detection = Some(status);
    }

    /// Duplicate rules are asked before it is looked whether the row is there.
    pub fn rules_first(&self) {
        self.state().rules_first = true;
    }

    /// A plug-in refuses rows that have `column`, and quotes its value.
    pub fn forbid(&self, column: &str) {
        self.state().forbidden = Some(column.to_owned());
    }

    /// The next `saves` rows meet a lock.
    pub fn lock_rows(&self, saves: u32) {
        self.state().locks = saves;
    }

    /// The application's user loses a privilege: `prvCreateLead`.
    pub fn take_privilege(&self, name: &str) {
        self.state().privileges.retain(|privilege| privilege != name);
    }

    /// The application's user is disabled.
    pub fn disable_user(&self) {
        self.state().user = UserState::Disabled;
    }

    /// The application's user loses its roles.
    pub fn take_roles(&self) {
        self.state().user = UserState::WithoutRoles;
    }

    /// The application has no user in the environment.
    pub fn remove_user(&self) {
        self.state().user = UserState::Missing;
    }

    /// So many calls in any five minutes are answered.
    pub fn limit(&self, calls: usize) {
        self.state().limits.calls_max = Some(calls);
    }

    /// No call is answered for so long.
    pub fn throttle(&self, pause: Duration) {
        let until = self.clock().now() + pause;
        self.state().limits.begin(until);
    }

    /// Every token ends.
    pub fn end_tokens(&self) {
        self.state().logins.tokens.clear();
    }

    /// The application's secret and certificate are taken back, and every token ends.
    pub fn revoke(&self) {
        let mut state = self.state();
        state.logins.refused_with = Some(7_000_215);
        state.logins.tokens.clear();
    }

    /// Logins are refused with this number: 7000222, the secret has expired. Tokens that were given count on.
    pub fn refuse_logins(&self, aadsts: u64) {
        self.state().logins.refused_with = Some(aadsts);
    }

    /// A second login is refused until the token of the first was used.
    pub fn one_login_at_a_time(&self) {
        self.state().logins.one_at_a_time = true;
    }
}

impl State {
    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column that holds a row's id.
    pub(super) fn key(&self) -> String {
        format!("{}id", self.table)
    }
}
