//! The ledger from outside: its store, its recording, its API over HTTP.

mod fixtures;
mod store;
