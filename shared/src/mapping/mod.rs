//! Rules: which leads go where, and as what. Pure.
//!
//! [`Rules`] are compiled once and applied to one lead at a time, bounded, and without a word of the lead in any failure.
//! [`explain`] shows a person what they would do. The router applies them; the ledger and the command line try them.

mod check;
mod country;
mod explain;
mod filters;
mod route;
mod rules;
mod scope;
mod template;
mod value;

pub use explain::{Explanation, Outcome, RouteExplanation, explain};
pub use rules::{Routing, Rules};
