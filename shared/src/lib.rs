//! The words that leadrelay's services share: Lead, Delivery, Event; Connector; Queue; worker; service.
//!
//! Modules stand in the order of their dependencies, and each is small. What two services need, or a connector author
//! does, may enter; anything else belongs to its service.

pub mod clock;
pub mod id;
pub mod lead;
pub mod judge;

pub mod error;
pub mod fields;
pub mod delivery;
pub mod event;
pub mod retry;

pub mod http;
pub mod connector;
pub mod control;
pub mod telemetry;
pub mod queue;
pub mod config;
pub mod service;
pub mod worker;
