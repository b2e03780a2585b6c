//! Routes: a lead in, one delivery for each destination out.
//!
//! [`Rules`] are compiled once and applied to one lead at a time, pure, bounded, and without a word of the lead in any
//! failure. [`run`] is the plumbing around them, [`explain`] shows a person what they would do.

mod check;
mod country;
mod explain;
mod filters;
mod outcome;
mod route;
mod rules;
mod run;
mod scope;
mod strays;
mod template;
mod value;

pub use explain::{Explanation, Outcome, RouteExplanation, explain};
pub use rules::{Routing, Rules};
pub use run::run;
