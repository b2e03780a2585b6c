//! Dynamics 365: an environment as a plain struct, with Microsoft Entra's token endpoint and the Dataverse Web API as its faces.
//!
//! A test changes the [`Environment`] (a column is removed, a rule objects, tokens end, a limit is met) and asserts on the rows in
//! it. What is modelled from documentation and what is guessed stands in the README.

mod api;
mod columns;
mod environment;
mod judge;
mod limits;
mod login;
mod metadata;
mod refusal;
mod rows;
mod world;

pub use columns::Column;
pub use environment::{DataverseCalls, DataverseRow, Environment};
pub use world::Dataverse;
