//! Where services say how they are and where they listen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::queue::{Health, Queue, TopicStats};

/// How one part of a process is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "snake_case")]
pub enum State {
    /// Not yet working.
    Starting,
    /// Working.
    Ready,
    /// Not working, and this is why. The text is bland: it is shown without a token.
    Blocked(String),
}

/// The part that only reads. Leads flow without it, so whether a process is ready does not depend on whether it works.
pub const LEDGER: &str = "ledger";

/// The state of a process; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Status(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    parts: watch::Sender<BTreeMap<String, State>>,
    addresses: watch::Sender<BTreeMap<String, SocketAddr>>,
    spool: watch::Sender<Option<Result<Queue, String>>>,
}

/// How the spool is, which is what keeps leads on this machine's disk while the queue takes none.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SpoolStatus {
    /// The messages that wait in it for the queue.
    pub waiting: u64,
    /// Why it takes nothing; absent while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
}

impl Status {
    /// Says how `part` is.
    pub fn set(&self, part: &str, state: State) {
        self.0.parts.send_if_modified(|parts| parts.insert(part.to_owned(), state.clone()) != Some(state));
    }

    /// How every part is.
    pub fn parts(&self) -> BTreeMap<String, State> {
        self.0.parts.borrow().clone()
    }

    /// Whether every part is ready; the ledger need only have said how it is.
    pub fn is_ready(&self) -> bool {
        let parts = self.0.parts.borrow();
        !parts.is_empty() && parts.iter().all(|(part, state)| is_enough(part, state))
    }

    /// Waits until every part of `parts` has said that it is ready; the ledger need only say how it is.
    pub async fn ready(&self, parts: &[&str]) {
        let all = |now: &BTreeMap<String, State>| parts.iter().all(|p| now.get(*p).is_some_and(|s| is_enough(p, s)));
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.0.parts.subscribe().wait_for(all).await;
    }

    /// Says that there is a spool, or why there is none although there should be one.
    pub fn set_spool(&self, spool: Result<Queue, String>) {
        self.0.spool.send_replace(Some(spool));
    }

    /// How the spool is; `None` where there is none by intention.
    pub async fn spool(&self) -> Option<SpoolStatus> {
        let spool = self.0.spool.borrow().clone()?;
        let spool = match spool {
            Ok(spool) => spool,
            Err(reason) => return Some(SpoolStatus { waiting: 0, blocked: Some(reason) }),
        };
        let blocked = match &*spool.health().borrow() {
            Health::Ready => None,
            Health::Blocked(reason) => Some(reason.clone()),
        };
        Some(match spool.stats().await {
            Ok(topics) => SpoolStatus { waiting: topics.iter().map(TopicStats::total).sum(), blocked },
            // It is being closed.
            Err(error) => SpoolStatus { waiting: 0, blocked: Some(error.to_string()) },
        })
    }

    /// Says where `part` listens: with port 0 in the configuration nobody else knows.
    pub fn listens(&self, part: &str, address: SocketAddr) {
        self.0.addresses.send_modify(|a| {
            a.insert(part.to_owned(), address);
        });
    }

    /// Where every part listens that has said so.
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        self.0.addresses.borrow().clone()
    }

    /// Waits until `part` has said where it listens.
    pub async fn address(&self, part: &str) -> SocketAddr {
        let mut addresses = self.0.addresses.subscribe();
        loop {
            if let Some(address) = addresses.borrow_and_update().get(part) {
                return *address;
            }
            if addresses.changed().await.is_err() {
                // The sender lives as long as `self`.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Whether leads can flow as far as this part is concerned.
fn is_enough(part: &str, state: &State) -> bool {
    match state {
        State::Ready => true,
        State::Starting => false,
        State::Blocked(_) => part == LEDGER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_without_the_ledger_and_not_without_the_others() {
        let status = Status::default();
        let blocked = || State::Blocked("the disk is full".to_owned());
        assert!(!status.is_ready(), "nobody has said anything");
        status.set("router", State::Ready);
        status.set(LEDGER, State::Starting);
        assert!(!status.is_ready(), "it has not yet said how it is");
        status.set(LEDGER, blocked());
        assert!(status.is_ready());
        assert_eq!(status.parts()[LEDGER], blocked(), "and it still is told");
        status.set("router", blocked());
        assert!(!status.is_ready());
    }
}
