//! How far long work is, on one line of a terminal that is written over and taken away at the end.

use std::io::{IsTerminal as _, Write as _};

use crate::output::Output;

/// One line on standard error; nothing where that is no terminal or a program reads.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    all: usize,
    shown: bool,
}

impl Progress {
    /// Of `all` things, each a `what` (`rows`).
    pub(crate) fn new(output: Output, what: &'static str, all: usize) -> Self {
        Self { what, all, shown: !output.json && std::io::stderr().is_terminal() }
    }

    /// So many are done.
    pub(crate) fn done(&self, n: usize) {
        if self.shown {
            write(&line(self.what, n, self.all));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            write("\r\u{1b}[K");
        }
    }
}

fn line(what: &str, n: usize, all: usize) -> String {
    format!("\r\u{1b}[K{n} of {all} {what}")
}

fn write(text: &str) {
    let mut stderr = std::io::stderr();
    // It is decoration: where it cannot be written, the work goes on.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_over_the_one_before() {
        assert_eq!(line("rows", 3, 12), "\r\u{1b}[K3 of 12 rows");
    }
}
