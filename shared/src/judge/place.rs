//! Where a text stops being JSON: line, column, and the member that was being read.

use serde_json::error::Category;

use super::depth;
use super::words::{escaped, fault};
use crate::lead::Fault;

/// Tells the parser's error, whose words hold nothing of the text.
pub(super) fn syntax(text: &str, error: &serde_json::Error, max_depth: usize) -> Fault {
    let said = error.to_string();
    let what = said.split(" at line ").next().unwrap_or_default();
    if what == "recursion limit exceeded" {
        return fault("", depth::told(max_depth));
    }
    let offset = offset(text, error.line(), error.column());
    let before = &text[..text.floor_char_boundary(offset)];
    let mut reason = format!("is not JSON: {what} at line {}, column {}", error.line(), error.column());
    if error.classify() == Category::Eof {
        reason.push_str("; the end is missing");
    } else if what.starts_with("expected `,`") && text.as_bytes().get(offset) == Some(&b'"') {
        reason.push_str("; a comma is missing before the next member");
    }
    fault(&open_path(before), reason)
}

/// The byte offset of a line and a column as the parser counts them, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(n) => text.bytes().enumerate().filter(|(_, b)| *b == b'\n').nth(n).map_or(0, |(at, _)| at + 1),
    };
    (start + column.saturating_sub(1)).min(text.len())
}

/// One array or object that is open at the end of a text.
enum Open {
    Array(usize),
    /// The member that was named last, until a comma ends it.
    Object(Option<String>),
}

/// The pointer to what was being read at the end of `text`, which is JSON up to there.
fn open_path(text: &str) -> String {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        at += 1;
        match byte {
            b'{' => open.push(Open::Object(None)),
            b'[' => open.push(Open::Array(0)),
            b'}' | b']' => drop(open.pop()),
            b',' => match open.last_mut() {
                Some(Open::Array(n)) => *n += 1,
                Some(Open::Object(name)) => *name = None,
                None => {}
            },
            b'"' => {
                let end = string_end(text, at);
                if let Some(Open::Object(name @ None)) = open.last_mut() {
                    *name = text.get(at - 1..end).and_then(|quoted| serde_json::from_str(quoted).ok());
                }
                at = end;
            }
            _ => {}
        }
    }
    let steps = open.iter().filter_map(|open| match open {
        Open::Array(n) => Some(format!("/{n}")),
        Open::Object(name) => name.as_ref().map(|name| format!("/{}", escaped(name))),
    });
    steps.collect()
}

/// The offset behind the string that begins before `from`.
fn string_end(text: &str, from: usize) -> usize {
    let mut skip = false;
    for (n, byte) in text.as_bytes()[from..].iter().enumerate() {
        match byte {
            _ if skip => skip = false,
            b'\\' => skip = true,
            b'"' => return from + n + 1,
            _ => {}
        }
    }
    text.len()
}
