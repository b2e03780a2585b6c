//! The words that leadrelay's services share: Lead, Delivery, Event; Connector; Queue; worker; service.
//!
//! Modules stand in the order of their dependencies, and each is small. What two services need, or a connector author
//! does, may enter; anything else belongs to its service.

pub mod clock;
pub mod id;
pub mod judge;
pub mod lead;

pub mod delivery;
pub mod error;
pub mod event;
pub mod fields;
pub mod retry;
pub mod secrets;

pub mod account;
pub mod config;
pub mod connector;
pub mod control;
pub mod http;
pub mod mapping;
pub mod memory;
pub mod oauth;
pub mod queue;
pub mod service;
pub mod telemetry;
pub mod webhook;
pub mod worker;
