//! Whole paths through a relay in this process. Each test says what is in the world afterwards.

mod accounts;
mod faults;
mod fields;
mod operate;
mod path;
mod restart;
