//! Where each key of a TOML file stands, so that a mistake can name its line.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};

/// Lines by key path (`sources.contoso.format`, `routes[0].name`).
#[derive(Clone, Debug, Default)]
pub(super) struct Positions(HashMap<String, usize>);

impl Positions {
    /// Reads the positions of all keys; of a text that is not TOML, none.
    pub(super) fn of(text: &str) -> Self {
        let mut positions = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            positions.table(text, "", table.get_ref());
        }
        positions
    }

    /// The line of `key`, or of the nearest table that would hold it.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }

    fn table(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = join(prefix, key.get_ref());
            self.0.insert(path.clone(), line_of(text, key.span().start));
            self.value(text, &path, value.get_ref());
        }
    }

    fn value(&mut self, text: &str, path: &str, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.table(text, path, table),
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    let path = format!("{path}[{n}]");
                    self.0.insert(path.clone(), line_of(text, item.span().start));
                    self.value(text, &path, item.get_ref());
                }
            }
            _ => {}
        }
    }
}

/// A key path and one more key.
pub(super) fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// The line, from 1, of a byte offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_tables_and_arrays() {
        let text = "data_dir = 'd'\n[sources.a]\nformat = 'json'\n\n[[routes]]\nname = 'x'\n[[routes]]\nname = 'y'\n";
        let positions = Positions::of(text);
        assert_eq!(positions.line("sources.a.format"), Some(3));
        assert_eq!(positions.line("sources.a.missing"), Some(2));
        assert_eq!(positions.line("routes[1].name"), Some(8));
        assert_eq!(positions.line("nothing"), None);
    }
}
