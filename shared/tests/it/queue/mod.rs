//! The queue: its contract, which every engine keeps, and what the embedded engine promises beyond it.

mod amqp;
mod child;
mod contract;
mod copies;
mod crash;
mod disk;
mod embedded;
mod harness;
mod model;
mod opener;
mod removal;
mod told;

use self::opener::Embedded;

contract::keeps_the_contract!(Embedded);
