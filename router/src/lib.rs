//! Routes: a lead in, one delivery for each destination out.
//!
//! The rules themselves are [`leadrelay_shared::mapping`], because an operator's console tries them too; [`run`] is the plumbing
//! around them.

mod outcome;
mod run;
mod strays;

pub use run::run;
