//! The real program, as a process: stopped, killed, crossed at its failure points, and searched for what it must not say.

mod canary;
mod crms;
mod disk;
mod failpoints;
mod kill;
mod moving;
mod services;
mod signals;
