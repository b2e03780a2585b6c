//! Reading the file: with or without a byte order mark, with commas, semicolons or tabs, and line ends inside quotes.

use super::columns::Column;
use super::lead::Lead;

/// A row that says something.
#[derive(Debug)]
pub(super) struct Row {
    /// The line that it begins at.
    pub(super) line: u64,
    /// The lead, or why it is none.
    pub(super) lead: Result<Lead, String>,
}

/// Every row under the first.
///
/// # Errors
/// When it is no table of leads.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8; save it as \"CSV UTF-8\"".to_owned())?;
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter(text)).flexible(true).from_reader(text.as_bytes());
    let names: Vec<String> =
        reader.headers().map_err(|e| told(&e))?.iter().map(|name| name.trim().to_owned()).collect();
    let columns = || names.iter().map(|name| Column::of(name));
    if !columns().any(|column| matches!(column, Column::Person(_) | Column::FullName)) {
        return Err(format!("no column names a person or a company; there are {}", names.join(", ")));
    }
    let mut rows = Vec::new();
    let mut lines = Lines { bytes: text.as_bytes(), at: 0, line: 1 };
    for record in reader.records() {
        let record = record.map_err(|e| told(&e))?;
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let lead = if record.len() == names.len() {
            Lead::of(names.iter().map(String::as_str).zip(record.iter()))
        } else {
            Err(format!("it has {} cells, and there are {} columns", record.len(), names.len()))
        };
        rows.push(Row { line, lead });
    }
    Ok(rows)
}

/// Counts lines on the way through a file. The reader's own count stands still before empty lines and the second half of a
/// line end.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the row that begins at or after this byte, which is behind the one before.
    fn at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).clamp(self.at, self.bytes.len());
        let ends = self.bytes[byte..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let passed = &self.bytes[self.at..byte + ends];
        self.line += passed.iter().filter(|b| **b == b'\n').count() as u64;
        self.at = byte + ends;
        self.line
    }
}

/// What stands most often between the names of the first row.
fn delimiter(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(sign, _)| *sign == byte).for_each(|(_, n)| *n += 1),
        }
    }
    // Of equals the last is the greatest; a file of one column has a comma.
    counts.into_iter().rev().max_by_key(|(_, n)| *n).map_or(b',', |(sign, _)| sign)
}

fn told(error: &csv::Error) -> String {
    let line = error.position().map(|at| format!("line {}: ", at.line())).unwrap_or_default();
    format!("{line}it cannot be read as CSV: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(u64, Result<String, String>)> {
        let rows = read(text.as_bytes()).expect("rows");
        rows.into_iter().map(|row| (row.line, row.lead.map(|lead| lead.body.to_string()))).collect()
    }

    #[test]
    fn marks_signs_and_line_ends_are_read() {
        let text =
            "\u{feff}Email;\"Notes; more\"\r\nann@example.com;\"one\r\ntwo; three\"\r\n\r\n;\r\nbo@example.com\r\n";
        let faulty = "it has 1 cells, and there are 2 columns".to_owned();
        let ann = r#"{"UserDetails":{"Email":"ann@example.com"},"Notes; more":"one\r\ntwo; three"}"#.to_owned();
        assert_eq!(lines(text), [(2, Ok(ann)), (6, Err(faulty))]);
        assert_eq!(lines("Email\na@example.com"), [(2, Ok(r#"{"UserDetails":{"Email":"a@example.com"}}"#.to_owned()))]);
        let tabs = "Email\tCompany\na@example.com\tContoso, Ltd.\n";
        let told = r#"{"UserDetails":{"Email":"a@example.com","Company":"Contoso, Ltd."}}"#;
        assert_eq!(lines(tabs), [(2, Ok(told.to_owned()))]);
    }

    #[test]
    fn another_file_is_refused_with_the_remedy() {
        assert!(read(b"\xff\xfeE\0").expect_err("UTF-16").contains("CSV UTF-8"));
        let wrong = read(b"Invoice,Amount\n1,2\n").expect_err("no leads");
        assert_eq!(wrong, "no column names a person or a company; there are Invoice, Amount");
    }
}
