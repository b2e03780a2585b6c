//! The real program, as a process: stopped, killed, crossed at its failure points.

mod kill;
