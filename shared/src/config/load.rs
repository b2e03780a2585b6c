//! Reading the configuration: file, variables, schema, secrets, cross-checks; every mistake at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::positions::{Positions, join, line_of};
use super::{Config, ConfigError, ConnectorInfo, Mistake, check, destination, environment, schema, secret};

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
    /// The directory that relative paths start from. Empty where the file was named without one.
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

/// What reading gave: the parts that are sound, and every mistake in the others.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The sound parts; all of them where there is no mistake.
    pub loaded: Loaded,
    /// Every mistake.
    pub mistakes: Vec<Mistake>,
    /// Where keys stand, for mistakes that are found later.
    places: Places,
}

impl Reading {
    /// Adds mistakes that others found in the sound parts, and says where they stand.
    pub fn add(&mut self, mistakes: impl IntoIterator<Item = Mistake>) {
        let mut mistakes: Vec<Mistake> = mistakes.into_iter().collect();
        self.places.place(&mut mistakes);
        self.mistakes.extend(mistakes);
    }

    /// The configuration, if there is no mistake in it.
    ///
    /// # Errors
    /// Every mistake that there is, in the order of the file.
    pub fn complete(self) -> Result<Loaded, ConfigError> {
        let Self { loaded, mut mistakes, .. } = self;
        if mistakes.is_empty() {
            return Ok(loaded);
        }
        mistakes.sort_by_key(|m| (m.line, m.key.clone()));
        mistakes.dedup();
        Err(ConfigError { file: Some(loaded.file), mistakes })
    }
}

impl Loader {
    /// Reads a file, with the process's environment over it.
    ///
    /// # Errors
    /// Every mistake that there is.
    pub fn load(&self, file: &Path) -> Result<Loaded, ConfigError> {
        self.read(file).complete()
    }

    /// Reads a file as far as it is sound, so that those who judge more than its shape can add their mistakes.
    pub fn read(&self, file: &Path) -> Reading {
        self.read_with(file, None)
    }

    /// As [`read`](Self::read), for a process that runs a part of the relay and is told no more secrets than it needs: those
    /// of these sections alone, and of destinations those of its connectors. The others are withheld.
    pub fn read_part(&self, file: &Path, secrets_of: &[&str]) -> Reading {
        self.read_with(file, Some(secrets_of))
    }

    fn read_with(&self, file: &Path, secrets_of: Option<&[&str]>) -> Reading {
        let base_dir = file.parent().unwrap_or(Path::new("")).to_owned();
        let (config, mistakes, places) = match std::fs::read_to_string(file) {
            Ok(text) => self.sound_parts(&text, &base_dir, std::env::vars(), secrets_of),
            Err(error) => (Config::default(), vec![unreadable(&error)], Places::default()),
        };
        Reading { loaded: Loaded { config, file: file.to_owned(), base_dir }, mistakes, places }
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
        let (config, mistakes, _) = self.sound_parts(text, base_dir, variables, None);
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    fn sound_parts(
        &self,
        text: &str,
        base_dir: &Path,
        variables: impl Iterator<Item = (String, String)>,
        secrets_of: Option<&[&str]>,
    ) -> (Config, Vec<Mistake>, Places) {
        let table: toml::Table = match toml::from_str(text) {
            Ok(table) => table,
            Err(error) => return (Config::default(), vec![syntax(text, &error)], Places::default()),
        };
        let mut root = match serde_json::to_value(table) {
            Ok(Value::Object(root)) => root,
            _ => Map::new(),
        };
        let variables = environment::apply(&mut root, variables);
        let mut root = Value::Object(root);
        destination::plain_dates(&mut root);
        let mut mistakes = schema::mistakes(&root, &self.connectors, self.all_connectors);
        for section in ["sources", "destinations", "queue", "admin", "ingest", "ledger", "alerts"] {
            match root.get_mut(section) {
                Some(Value::Object(destinations)) if section == "destinations" && secrets_of.is_some() => {
                    for (name, value) in destinations.iter_mut().filter(|(_, value)| self.delivers(value)) {
                        fetch_secrets(value, &join(section, name), base_dir, &mut mistakes);
                    }
                }
                Some(value) if secrets_of.is_none_or(|wanted| wanted.contains(&section)) => {
                    fetch_secrets(value, section, base_dir, &mut mistakes);
                }
                _ => {}
            }
        }
        let config = deserialize(&root, &mut mistakes);
        mistakes.extend(check::mistakes(&config, &root));
        let places = Places { lines: Positions::of(text), variables };
        places.place(&mut mistakes);
        (config, mistakes, places)
    }

    /// Whether a destination is one of our connectors'.
    fn delivers(&self, destination: &Value) -> bool {
        let connector = destination.get("connector").and_then(Value::as_str);
        self.connectors.iter().any(|known| Some(known.name) == connector)
    }
}

fn unreadable(error: &std::io::Error) -> Mistake {
    let mistake = Mistake::new("", format!("cannot be read: {error}"));
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            mistake.remedy("`leadrelay up` writes one to begin with, and --config names another")
        }
        _ => mistake,
    }
}

/// Where each key stands: on a line of the file, or in a variable.
#[derive(Clone, Debug, Default)]
struct Places {
    lines: Positions,
    /// Variables by the keys that they set.
    variables: BTreeMap<String, String>,
}

impl Places {
    /// Says of each mistake where it stands.
    fn place(&self, mistakes: &mut [Mistake]) {
        for mistake in mistakes {
            let over = |key: &str| {
                mistake.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            match self.variables.iter().find(|(key, _)| over(key)) {
                Some((_, name)) => mistake.reason = format!("{} (it comes from the variable {name})", mistake.reason),
                None => mistake.line = mistake.line.or_else(|| self.lines.line(&mistake.key)),
            }
        }
    }
}

/// The configuration from those sections, sources and destinations that are sound. The schema has told what is wrong
/// with the others; should it have missed something, that is told here, without serde's own words: they can hold a value.
fn deserialize(root: &Value, mistakes: &mut Vec<Mistake>) -> Config {
    let mut sound = Map::new();
    for (section, value) in root.as_object().into_iter().flatten() {
        let parts: Vec<(String, Value)> = match (section.as_str(), value) {
            ("sources" | "destinations", Value::Object(entries)) => {
                entries.iter().map(|(name, entry)| (join(section, name), table(name, entry.clone()))).collect()
            }
            _ => vec![(section.clone(), value.clone())],
        };
        for (key, part) in parts {
            match serde_json::from_value::<Config>(table(section, part.clone())) {
                Ok(_) => match (sound.entry(section.clone()).or_insert_with(|| Value::Object(Map::new())), part) {
                    (Value::Object(whole), Value::Object(part)) => whole.extend(part),
                    (whole, part) => *whole = part,
                },
                Err(_) if mistakes.iter().any(|m| m.key.starts_with(&key)) => {}
                Err(_) => mistakes.push(
                    Mistake::new(key, "has not the form that is expected here").remedy("`leadrelay schema` prints it"),
                ),
            }
        }
    }
    serde_json::from_value(Value::Object(sound)).unwrap_or_default()
}

fn table(key: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value)]))
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
        Some(Err(reason)) => {
            let of_source = key.strip_prefix("sources.").and_then(|rest| rest.split_once(".tokens"));
            let mistake = Mistake::new(key, reason);
            mistakes.push(match of_source {
                Some((name, _)) if value.get("file").is_some() => {
                    mistake.remedy(format!("`leadrelay source rotate {name}` makes one"))
                }
                _ => mistake,
            });
        }
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
        insta::assert_snapshot!(shown, @r##"
leadrelay.toml:1: data_dri: unknown key; did you mean `data_dir`?
leadrelay.toml:3: ingest.listen: must be an IP address and a port, such as "127.0.0.1:8080", not a number
leadrelay.toml:6: sources.addon.formt: unknown key; did you mean `format`?
leadrelay.toml:8: sources.addon.on_invalid: must be "quarantine" or "refuse"; did you mean `quarantine`?
leadrelay.toml:10: sources.other.tokens[0]: the environment variable LEADRELAY_TEST_NO_SUCH_VARIABLE is not set; set it to the secret
leadrelay.toml:11: routes[0]: `to` is missing
"##);
    }

    #[test]
    fn a_syntax_error_names_its_line_and_shows_no_value() {
        assert_eq!(shown("[a]\nb = 'secret"), "leadrelay.toml:2: not TOML: invalid literal string, expected `'`");
    }

    #[test]
    fn each_value_of_the_wrong_shape_is_told_by_its_own_key() {
        let shown = shown(
            r#"
[ingest]
listen = "localhost"
read_timeout = "soon"
max_depth = 100000
public_url = "leads.example.com"
tls = { cert = "cert.pem" }
[admin]
token = { evn = "X" }
[ledger]
keep_history = 30
[log]
format = "yaml"
[sources.addon]
tokens = "0123456789abcdef0123"
"#,
        );
        insta::assert_snapshot!(shown, @r##"
leadrelay.toml:3: ingest.listen: must be an IP address and a port, such as "127.0.0.1:8080"
leadrelay.toml:4: ingest.read_timeout: must be a duration, such as "5s", "15m", "72h" or "30d"
leadrelay.toml:5: ingest.max_depth: must be a whole number between 1 and 100
leadrelay.toml:6: ingest.public_url: must be a URL that begins with http:// or https://
leadrelay.toml:7: ingest.tls: `key` is missing
leadrelay.toml:9: admin.token: must be a secret: { env = "NAME" }, { file = "path" } or a string
leadrelay.toml:11: ledger.keep_history: must be a duration, such as "5s", "15m", "72h" or "30d", not a number
leadrelay.toml:13: log.format: must be "human" or "json"
leadrelay.toml:15: sources.addon.tokens: must be an array: [ .. ], not a string
"##);
    }

    #[test]
    fn no_message_shows_a_value() {
        let secret = "hunter2-hunter2-hunter2";
        let places = [
            format!("data_dir = ['{secret}']"),
            format!(
                "[ingest]\nlisten = '{secret}'\nread_timeout = '{secret}'\nmax_body = '{secret}'\npublic_url = '{secret}'"
            ),
            format!("[ingest]\nmax_depth = '{secret}'\ntls = '{secret}'"),
            format!("[admin]\ntoken = ['{secret}']"),
            format!("[admin]\ntoken = {{ env = '{secret}', file = '{secret}' }}"),
            format!("[log]\nformat = '{secret}'"),
            format!("[sources.a]\ntokens = '{secret}'\non_invalid = '{secret}'"),
            format!("[sources.a]\ntokens = ['{secret}', '{secret}', '{secret} ?']"),
            format!("[queue]\nurl = '{secret}'"),
            format!("[ledger]\nurl = '{secret}'\nca = 7"),
            format!("[ledger]\nurl = 'postgres://u:{secret}@db/d'\npassword = ['{secret}']"),
            format!("[destinations.a]\nconnector = ['{secret}']\nretry = '{secret}'\ntimeout = '{secret}'"),
            format!("[destinations.a]\nconnector = 'x'\nretry.first_delay = '{secret}'"),
            format!("[admin]\ntoken = '{secret}"),
            format!("[admin]\ntoken = {secret}"),
            format!("[admin]\ntoken = '{secret}' '{secret}'"),
        ];
        for text in places {
            let shown = shown(&text);
            assert!(!shown.contains("hunter2"), "{text}\n{shown}");
        }
    }

    #[test]
    fn what_the_schema_lets_pass_and_serde_does_not_shows_no_value_either() {
        // To JSON Schema 37.0 is an integer.
        assert_eq!(
            shown("[ingest]\nmax_depth = 37.0"),
            "leadrelay.toml:1: ingest: has not the form that is expected here; `leadrelay schema` prints it"
        );
    }

    #[test]
    fn a_mistake_in_a_variable_names_the_variable() {
        let variables = [("LEADRELAY_INGEST__LISTEN".to_owned(), "8080".to_owned())];
        let found = Loader::default().parse("", Path::new("."), variables.into_iter()).expect_err("a mistake");
        insta::assert_snapshot!(found[0].reason, @r##"must be an IP address and a port, such as "127.0.0.1:8080", not a number (it comes from the variable LEADRELAY_INGEST__LISTEN)"##);
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let config = parse("").expect("defaults");
        assert!(config.queue.url.is_embedded());
    }
}
