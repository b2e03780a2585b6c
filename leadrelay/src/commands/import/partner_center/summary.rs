//! What became of the rows.

use serde::Serialize;

use crate::cli::Done;
use crate::output::{Output, count};

/// What became of one row.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It was posted, or would be.
    New,
    /// The relay has it.
    Known,
    /// It is no lead, and why.
    Faulty(String),
}

/// What became of all; each row by its line.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    dry_run: bool,
    new: Vec<u64>,
    known: Vec<u64>,
    pub(super) faulty: Vec<Fault>,
}

/// A row that is no lead.
#[derive(Debug, Serialize)]
pub(super) struct Fault {
    line: u64,
    reason: String,
}

impl Summary {
    pub(super) fn new(dry_run: bool) -> Self {
        Self { dry_run, new: Vec::new(), known: Vec::new(), faulty: Vec::new() }
    }

    pub(super) fn add(&mut self, line: u64, verdict: Verdict) {
        match verdict {
            Verdict::New => self.new.push(line),
            Verdict::Known => self.known.push(line),
            Verdict::Faulty(reason) => self.faulty.push(Fault { line, reason }),
        }
    }

    pub(super) fn tell(&self, output: Output) -> Done {
        if output.json {
            return output.json(self);
        }
        output.text(&self.text());
        Ok(())
    }

    fn text(&self) -> String {
        let new = if self.dry_run { "new, not posted" } else { "new, posted" };
        let mut text = told(&self.new, new) + &told(&self.known, "known already");
        text.push_str(&format!("{} faulty\n", rows(self.faulty.len())));
        for Fault { line, reason } in &self.faulty {
            text.push_str(&format!("  line {line}: {reason}\n"));
        }
        text
    }
}

fn rows(n: usize) -> String {
    count(n as u64, "row")
}

fn told(lines: &[u64], what: &str) -> String {
    let noun = if lines.len() == 1 { "line" } else { "lines" };
    let at = if lines.is_empty() { String::new() } else { format!(": {noun} {}", ranges(lines)) };
    format!("{} {what}{at}\n", rows(lines.len()))
}

/// `2-4, 7`: lines that follow each other are told together.
fn ranges(lines: &[u64]) -> String {
    let mut parts: Vec<(u64, u64)> = Vec::new();
    for line in lines {
        match parts.last_mut() {
            Some((_, end)) if *end + 1 == *line => *end = *line,
            _ => parts.push((*line, *line)),
        }
    }
    let part = |(from, to): &(u64, u64)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_in_ranges() {
        let mut summary = Summary::new(true);
        [2, 3, 4, 7].into_iter().for_each(|line| summary.add(line, Verdict::New));
        summary.add(5, Verdict::Known);
        summary.add(6, Verdict::Faulty("it names no person and no company".to_owned()));
        insta::assert_snapshot!(summary.text(), @r##"
4 rows new, not posted: lines 2-4, 7
1 row known already: line 5
1 row faulty
  line 6: it names no person and no company
"##);
    }
}
