//! The command line, by running the real program.

mod check;
mod relay;
mod source;
mod support;
mod try_lead;
mod up;
mod words;
