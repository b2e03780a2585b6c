//! Accounts at CRMs: what destinations have in common that work in one org with one credential.
//!
//! They log in once, and what the account may not do, none of them tries: a quota that one has used up, a credential that was
//! refused to one. It holds within a process; the processes of one connector each log in by themselves.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::error::{DeliveryError, ErrorKind};

/// Every account of a process; clones share them. Its `Debug` shows none.
#[derive(Clone, Default)]
pub struct Accounts(Arc<Mutex<HashMap<[u8; 32], Account>>>);

/// One account; clones are the same one. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Account(Arc<Inner>);

struct Inner {
    shared: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
    pause: watch::Sender<Option<Pause>>,
}

/// Why nobody may use an account for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The destination that met it.
    pub met_by: String,
    /// What it met.
    pub error: DeliveryError,
    /// When it is tried again.
    pub until: Timestamp,
}

impl Accounts {
    /// The account that `parts` name together: the connector, the address, who logs in and with which secret. Destinations
    /// whose secrets differ share nothing: one of them may be wrong.
    pub fn of(&self, parts: &[&str]) -> Account {
        let mut name = Sha256::new();
        for part in parts {
            name.update(part.len().to_be_bytes());
            name.update(part);
        }
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.entry(name.finalize().into()).or_insert_with(Account::new).clone()
    }
}

impl Account {
    fn new() -> Self {
        Self(Arc::new(Inner { shared: Mutex::new(None), pause: watch::Sender::new(None) }))
    }

    /// What all who use the account share, made by the first: its tokens. Those of one connector share the same type.
    pub fn shared<T: Clone + Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> T {
        let mut shared = self.lock();
        if let Some(known) = shared.as_ref().and_then(|shared| shared.downcast_ref::<T>()) {
            return known.clone();
        }
        let made = make();
        *shared = Some(Arc::new(made.clone()));
        made
    }

    /// Takes note that `met_by` is paused for what is about the account; whether it is, [`concerns`] tells.
    pub(crate) fn pause(&self, met_by: &str, error: &DeliveryError, until: Timestamp) {
        let is_news = |known: &Option<Pause>| known.as_ref().is_none_or(|known| known.until < until);
        self.0.pause.send_if_modified(|known| {
            let is_news = is_news(known);
            if is_news {
                *known = Some(Pause { met_by: met_by.to_owned(), error: error.clone(), until });
            }
            is_news
        });
    }

    /// Takes note that the account works again.
    pub(crate) fn resume(&self) {
        self.0.pause.send_if_modified(|known| known.take().is_some());
    }

    /// Why it may not be used now; changes are told.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Pause>> {
        self.0.pause.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<dyn Any + Send + Sync>>> {
        self.0.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a failure is about the account, and not only about one table or one setting.
pub(crate) fn concerns(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Throttled | ErrorKind::Unauthorized)
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts")
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_are_the_same_account_and_no_others() {
        let accounts = Accounts::default();
        let shared = |parts: &[&str], make: u32| accounts.of(parts).shared(|| make);
        assert_eq!(shared(&["crm", "a", "b"], 1), 1);
        assert_eq!(shared(&["crm", "a", "b"], 2), 1);
        assert_eq!(shared(&["crm", "ab", ""], 3), 3, "where one part ends counts");
        assert_eq!(Accounts::default().of(&["crm", "a", "b"]).shared(|| 4), 4, "another process is another");
    }

    #[test]
    fn the_longest_pause_counts_until_it_works_again() {
        let account = Accounts::default().of(&["crm"]);
        let told = account.watch();
        let error = DeliveryError::new(ErrorKind::Throttled, "no");
        let at = |second| Timestamp::from_second(second).expect("a time");
        for until in [20, 10] {
            account.pause("sales", &error, at(until));
            assert_eq!(told.borrow().as_ref().map(|pause| pause.until), Some(at(20)));
        }
        account.resume();
        assert_eq!(*told.borrow(), None);
    }
}
