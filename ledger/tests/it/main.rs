//! The ledger from outside: its store, its recording, its API over HTTP.
#![expect(clippy::duplicate_mod, reason = "what holds on both stores is tried on both")]

mod browser;
mod file;
mod fixtures;
mod harness;
mod on_postgres;
mod on_sqlite;
mod postgres;
mod recorder;
mod smtp;
mod stand;
mod transfer;
