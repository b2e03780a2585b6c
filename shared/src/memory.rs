//! The allocator of leadrelay's own programs.
//!
//! A lead on RabbitMQ is many small pieces, made by one thread and freed by another. jemalloc takes a fifth less time for them than
//! glibc, and gives back what a burst has taken. Each program names it in its `main.rs`, and whoever writes another may choose anew.

pub use tikv_jemallocator::Jemalloc as Allocator;
