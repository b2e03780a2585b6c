//! Editing the sources of the configuration file, and the files that hold their secrets.
//!
//! Invariant: everything else in the file stays as it was written, comments and order included. The secret is written
//! before the configuration names it, so that a relay which reads both never misses one.

use std::path::{Path, PathBuf};

use leadrelay_shared::secrets::{self, RotateError, Rotated};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use super::FormatName;
use crate::cli::Failure;
use crate::place::Place;

/// Adds a source and its secret.
pub(super) fn add(place: &Place, name: &str, format: FormatName) -> Result<(), Failure> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(sound) {
        return Err(Failure::Usage("a name has 1 to 64 of the characters a-z 0-9 - _".to_owned()));
    }
    let mut document = open(place)?;
    let reference = format!("{}/sources/{name}.token", data_dir(&document));
    let mut table = table(&reference, format);
    if !document.contains_key("sources") {
        // It comes last, and so after the comments at the end.
        let end = document.trailing().as_str().unwrap_or_default().to_owned();
        table.decor_mut().set_prefix(format!("{end}\n"));
        document.set_trailing("");
    }
    let sources = document.entry("sources").or_insert_with(|| {
        let mut sources = Table::new();
        sources.set_implicit(true);
        Item::Table(sources)
    });
    let Some(sources) = sources.as_table_mut() else {
        return Err(Failure::Usage(format!("`sources` is written on one line; write [sources.{name}] by hand")));
    };
    if sources.contains_key(name) {
        return Err(Failure::Usage(format!(
            "there is a source `{name}` already; `leadrelay source url {name}` prints its URL"
        )));
    }
    sources.insert(name, Item::Table(table));
    let file = place.base_dir().join(&reference);
    if file.exists() {
        return Err(Failure::Usage(format!(
            "{} is there already, of a source that was; remove it first",
            file.display()
        )));
    }
    let made = secrets::new_token().and_then(|token| secrets::write_private(&file, &format!("{token}\n")));
    made.map_err(|e| failed(&file, &e))?;
    secrets::rewrite(&place.file, &document.to_string()).map_err(|e| failed(&place.file, &e))
}

fn table(reference: &str, format: FormatName) -> Table {
    let mut token = InlineTable::new();
    token.insert("file", reference.into());
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    table.insert(
        "format",
        value(match format {
            FormatName::Marketplace => "marketplace",
            FormatName::Json => "json",
        }),
    );
    table.insert("tokens", value(Array::from_iter([Value::InlineTable(token)])));
    table
}

/// Puts a new secret before the old one.
pub(super) fn rotate(place: &Place, name: &str) -> Result<Rotated, Failure> {
    let file = token_file(place, name)?;
    secrets::rotate(&file).map_err(|error| match error {
        RotateError::Io(error) => failed(&file, &error),
        RotateError::Begun | RotateError::NotBegun => Failure::Usage(format!(
            "`{name}` has two secrets already; when its sender uses the new one, `leadrelay source rotate {name} --finish` drops the old"
        )),
    })
}

/// Drops the old secret.
pub(super) fn finish(place: &Place, name: &str) -> Result<Rotated, Failure> {
    let file = token_file(place, name)?;
    secrets::finish_rotation(&file).map_err(|error| match error {
        RotateError::Io(error) => failed(&file, &error),
        RotateError::Begun | RotateError::NotBegun => {
            Failure::Usage(format!("`{name}` is not being rotated; `leadrelay source rotate {name}` begins it"))
        }
    })
}

/// The file that holds the secrets of a source. Read from the text of the configuration and not through its loader, which
/// cannot load it while the file is missing.
fn token_file(place: &Place, name: &str) -> Result<PathBuf, Failure> {
    let document = open(place)?;
    let Some(source) = document.get("sources").and_then(|s| s.get(name)) else {
        return Err(Failure::Usage(format!(
            "there is no source `{name}`; `leadrelay source list` shows those there are"
        )));
    };
    let tokens: Vec<&Value> = source.get("tokens").and_then(Item::as_array).into_iter().flatten().collect();
    let reference = |token: &Value, key: &str| token.as_inline_table()?.get(key)?.as_str().map(str::to_owned);
    let Some(token) = tokens.first().filter(|_| tokens.len() == 1) else {
        let reason =
            format!("`{name}` has {} entries in `tokens`, and only one file can be rotated for you", tokens.len());
        return Err(Failure::Usage(format!("{reason}; {}", by_file(&document, name))));
    };
    if let Some(file) = reference(token, "file") {
        return Ok(place.base_dir().join(file));
    }
    let place = match reference(token, "env") {
        Some(variable) => {
            format!("the secret of `{name}` comes from the variable {variable}, which is not ours to change")
        }
        None => format!("the secret of `{name}` stands in the configuration itself"),
    };
    Err(Failure::Usage(format!("{place}; put a second one beside it in `tokens`, or {}", by_file(&document, name))))
}

fn by_file(document: &DocumentMut, name: &str) -> String {
    format!("write tokens = [{{ file = \"{}/sources/{name}.token\" }}] and run this again", data_dir(document))
}

fn open(place: &Place) -> Result<DocumentMut, Failure> {
    let text = std::fs::read_to_string(&place.file).map_err(|e| {
        Failure::Usage(format!("{} cannot be read: {e}; `leadrelay up` writes one to begin with", place.file.display()))
    })?;
    // The parser's own picture of the place shows the line, which may hold a secret; `check` tells it without.
    text.parse()
        .map_err(|_| Failure::Usage(format!("{} is not TOML; `leadrelay check` says where", place.file.display())))
}

fn data_dir(document: &DocumentMut) -> &str {
    document.get("data_dir").and_then(Item::as_str).unwrap_or("data").trim_end_matches('/')
}

fn failed(file: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", file.display()))
}
