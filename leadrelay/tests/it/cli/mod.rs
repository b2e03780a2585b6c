//! The command line, by running the real program.

mod alerts;
mod check;
mod import;
mod init;
mod ledger;
mod operate;
mod privacy;
mod relay;
mod setup;
mod source;
mod support;
mod top;
mod try_lead;
mod up;
mod words;
