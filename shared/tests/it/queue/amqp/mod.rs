//! The engine on RabbitMQ: the contract, and what it promises beyond it.

mod acks;
mod broken;
mod confirms;
mod delays;
mod examined;
mod late;
mod opener;
mod processes;
mod returns;
mod tls;
mod topology;

use self::opener::Amqp;
use super::contract;

contract::keeps_the_contract!(Amqp);
