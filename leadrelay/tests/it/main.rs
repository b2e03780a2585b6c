//! Everything that is tested from the outside: whole paths in this process, the real program as a process, the command line, the
//! documents, the shape of the workspace.

mod architecture;
mod chaos;
mod cli;
mod documents;
mod e2e;
mod process;
mod support;
