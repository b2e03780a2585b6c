//! One file for each command. Commands are thin: they read, ask, and print.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod destinations;
pub(crate) mod erase;
pub(crate) mod export;
pub(crate) mod filter;
pub(crate) mod init;
pub(crate) mod input;
pub(crate) mod leads;
pub(crate) mod ledger;
pub(crate) mod parked;
pub(crate) mod person;
pub(crate) mod queue;
pub(crate) mod replay;
pub(crate) mod schema;
pub(crate) mod secrets;
pub(crate) mod send;
pub(crate) mod setup;
pub(crate) mod source;
pub(crate) mod try_lead;
pub(crate) mod up;
