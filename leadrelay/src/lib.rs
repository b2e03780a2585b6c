//! leadrelay: all services in one process, and the operator's command line.
//!
//! [`relay`] composes the services; [`commands`](cli) are thin: those that look at or change leads speak to the admin API
//! of the running relay, the others read or edit the configuration file.

mod client;
mod commands;
mod operator;
mod output;
mod place;
mod progress;
mod sample;
mod template;

pub mod cli;
pub mod connectors;
pub mod relay;
