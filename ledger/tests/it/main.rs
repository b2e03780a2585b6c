//! The ledger from outside: its store, its recording, its API over HTTP.

mod api;
mod browser;
mod console;
mod failpoints;
mod fixtures;
mod harness;
mod recorder;
mod removed;
mod replay;
mod retention;
mod store;
