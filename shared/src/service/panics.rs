//! What the log says of a panic: where it was, and never what it said, because a panic's text can quote a lead.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{Location, PanicHookInfo};

/// From now on panics of this process are logged by their place alone; RUST_BACKTRACE adds how it was come to.
pub(super) fn install() {
    std::panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    tracing::error!("{}", told(panic.location(), std::thread::current().name(), &Backtrace::capture()));
}

fn told(location: Option<&Location<'_>>, thread: Option<&str>, backtrace: &Backtrace) -> String {
    let place = location.map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
    let told = format!("a panic at {place} on thread {}", thread.unwrap_or("without a name"));
    match backtrace.status() {
        BacktraceStatus::Captured => format!("{told}\n{backtrace}"),
        _ => format!("{told}; RUST_BACKTRACE=1 tells more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_by_its_place() {
        let here = Location::caller();
        assert_eq!(
            told(Some(here), Some("worker"), &Backtrace::disabled()),
            format!("a panic at {}:{} on thread worker; RUST_BACKTRACE=1 tells more", here.file(), here.line())
        );
        assert_eq!(
            told(None, None, &Backtrace::disabled()),
            "a panic at an unknown place on thread without a name; RUST_BACKTRACE=1 tells more"
        );
        assert!(told(None, None, &Backtrace::force_capture()).contains("a_panic_is_told_by_its_place"));
    }
}
