//! OAuth 2.0, as much of it as every CRM needs alike: tokens that are asked for by one at a time, and signed assertions.
//!
//! What is sent to a token endpoint, and what its refusals mean, is each connector's own.

mod assertion;
mod skew;
mod tokens;

pub use assertion::{Algorithm, Signer, der_in};
pub use skew::clock_in_words;
pub use tokens::{Token, Tokens};
