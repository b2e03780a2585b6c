//! Reading the configuration: file, variables, schema, secrets, cross-checks; every mistake at once.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::positions::{Positions, join, line_of};
use super::{Config, ConfigError, ConnectorInfo, Mistake, check, environment, schema, secret};

/// How to read a configuration.
#[derive(Clone, Debug, Default)]
pub struct Loader {
    /// The connectors that this process knows.
    pub connectors: Vec<ConnectorInfo>,
    /// Whether these are all there are, so that any other name is a mistake.
    pub all_connectors: bool,
}

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The file.
    pub file: PathBuf,
    /// The directory that relative paths start from.
    pub base_dir: PathBuf,
}

impl Loaded {
    /// A path of the configuration, made absolute or relative to the working directory.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.base_dir.join(path)
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.path(&self.config.data_dir)
    }

    /// The file that holds the admin token where the configuration names none.
    pub fn admin_token_file(&self) -> PathBuf {
        self.data_dir().join("admin.token")
    }
}

impl Loader {
    /// Reads a file, with the process's environment over it.
    ///
    /// # Errors
    /// Every mistake that there is.
    pub fn load(&self, file: &Path) -> Result<Loaded, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError {
            file: Some(file.to_owned()),
            mistakes: vec![Mistake::new("", format!("cannot be read: {e}"))],
        })?;
        let base_dir = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let config = self.parse(&text, &base_dir, std::env::vars()).map_err(|mut mistakes| {
            mistakes.sort_by_key(|m| (m.line, m.key.clone()));
            mistakes.dedup();
            ConfigError { file: Some(file.to_owned()), mistakes }
        })?;
        Ok(Loaded { config, file: file.to_owned(), base_dir })
    }

    /// Reads a text, with these variables over it.
    ///
    /// # Errors
    /// Every mistake that there is.
    pub fn parse(
        &self,
        text: &str,
        base_dir: &Path,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, Vec<Mistake>> {
        let table: toml::Table = toml::from_str(text).map_err(|e| vec![syntax(text, &e)])?;
        let mut root = match serde_json::to_value(table) {
            Ok(Value::Object(root)) => root,
            _ => Map::new(),
        };
        environment::apply(&mut root, variables);
        let mut root = Value::Object(root);
        let mut mistakes = schema::mistakes(&root, &self.connectors, self.all_connectors);
        for section in ["sources", "destinations", "queue", "admin", "ingest"] {
            if let Some(value) = root.get_mut(section) {
                fetch_secrets(value, section, base_dir, &mut mistakes);
            }
        }
        let config = if mistakes.is_empty() { deserialize(&root, &mut mistakes) } else { None };
        if let Some(config) = &config {
            mistakes.extend(check::mistakes(config));
        }
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => {
                let positions = Positions::of(text);
                for mistake in &mut mistakes {
                    mistake.line = mistake.line.or_else(|| positions.line(&mistake.key));
                }
                Err(mistakes)
            }
        }
    }
}

/// What is not TOML at all. The parser's own picture of the place would show the line, which may hold a secret.
fn syntax(text: &str, error: &toml::de::Error) -> Mistake {
    let mut mistake = Mistake::new("", format!("not TOML: {}", error.message()));
    mistake.line = error.span().map(|span| line_of(text, span.start));
    mistake
}

fn fetch_secrets(value: &mut Value, key: &str, base_dir: &Path, mistakes: &mut Vec<Mistake>) {
    match secret::resolve(value, base_dir) {
        Some(Ok(resolved)) => *value = resolved,
        Some(Err(reason)) => mistakes.push(Mistake::new(key, reason)),
        None => match value {
            Value::Object(table) => {
                for (name, below) in table {
                    fetch_secrets(below, &join(key, name), base_dir, mistakes);
                }
            }
            Value::Array(items) => {
                for (n, below) in items.iter_mut().enumerate() {
                    fetch_secrets(below, &format!("{key}[{n}]"), base_dir, mistakes);
                }
            }
            _ => {}
        },
    }
}

/// The schema has passed by now; what can still fail is a text with a meaning: a duration, a size, an address. Sections are
/// tried one by one so that each reports its own.
fn deserialize(root: &Value, mistakes: &mut Vec<Mistake>) -> Option<Config> {
    let Value::Object(sections) = root else { return None };
    for (name, value) in sections {
        let parts: Vec<(String, Value)> = match (name.as_str(), value) {
            ("sources" | "destinations", Value::Object(entries)) => entries
                .iter()
                .map(|(entry, v)| {
                    (
                        join(name, entry),
                        Value::from_iter([(name.clone(), Value::from_iter([(entry.clone(), v.clone())]))]),
                    )
                })
                .collect(),
            _ => vec![(name.clone(), Value::from_iter([(name.clone(), value.clone())]))],
        };
        for (key, part) in parts {
            if let Err(error) = serde_json::from_value::<Config>(part) {
                mistakes.push(Mistake::new(key, error.to_string()));
            }
        }
    }
    if mistakes.is_empty() { serde_json::from_value(root.clone()).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
        Loader::default().parse(text, Path::new("."), std::iter::empty())
    }

    fn shown(text: &str) -> String {
        let mut mistakes = parse(text).expect_err("mistakes");
        mistakes.sort_by_key(|m| (m.line, m.key.clone()));
        ConfigError { file: Some("leadrelay.toml".into()), mistakes }.to_string()
    }

    #[test]
    fn every_mistake_is_told_at_once_with_line_key_and_remedy() {
        let shown = shown(
            r#"data_dri = "data"
[ingest]
listen = 8080
max_body = "256KiB"
[sources.addon]
formt = "marketplace"
tokens = ["0123456789abcdef0123"]
on_invalid = "quarantin"
[sources.other]
tokens = [{ env = "LEADRELAY_TEST_NO_SUCH_VARIABLE" }]
[[routes]]
name = "all"
"#,
        );
        insta::assert_snapshot!(shown, @r"");
    }

    #[test]
    fn a_syntax_error_names_its_line_and_shows_no_value() {
        assert_eq!(shown("[a]\nb = 'secret"), "leadrelay.toml:2: not TOML: invalid literal string, expected `'`");
    }

    #[test]
    fn durations_are_told_with_their_table() {
        let shown = shown("[ledger]\nkeep_history = \"soon\"\n[ingest]\nread_timeout = \"x\"");
        assert!(shown.contains("ledger: \"soon\" is not a duration"), "{shown}");
        assert!(shown.contains("ingest: \"x\" is not a duration"), "{shown}");
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let config = parse("").expect("defaults");
        assert_eq!(config.queue.url, "embedded");
    }
}
