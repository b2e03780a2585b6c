//! The ledger from outside: its store, its recording, its API over HTTP.

mod alerts;
mod api;
mod failpoints;
mod fixtures;
mod harness;
mod recorder;
mod removed;
mod replay;
mod retention;
mod smtp;
mod store;
