//! Secrets: `{ env = ".." }`, `{ file = ".." }` or, for trying out, a plain string. Never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error;
use serde_json::{Value, json};

/// A secret and where it came from. Its value is reached by [`Secret::expose`] alone; `Debug` shows the origin.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// `None` where it was not fetched.
    value: Option<String>,
    origin: Origin,
}

/// Where a secret came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the configuration itself.
    Plain,
    /// An environment variable.
    Env(String),
    /// A file; the trailing line end is not part of the secret.
    File(PathBuf),
}

impl Secret {
    /// A secret given in words.
    pub fn plain(value: impl Into<String>) -> Self {
        Self { value: Some(value.into()), origin: Origin::Plain }
    }

    /// Reads a secret from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is empty; the text names it.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let value = read_file(path)?;
        Ok(Self { value: Some(value), origin: Origin::File(path.to_owned()) })
    }

    /// The secret itself; empty where it is withheld. Do not log it.
    pub fn expose(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }

    /// Whether this process was not told it, because it is another's.
    pub fn is_withheld(&self) -> bool {
        self.value.is_none()
    }

    /// Its lines that are not blank: a token file may hold a newer and an older one.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.expose().lines().map(str::trim).filter(|line| !line.is_empty())
    }

    /// Where it came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Plain => f.write_str("Secret(plain)"),
            Origin::Env(name) => write!(f, "Secret(env {name})"),
            Origin::File(path) => write!(f, "Secret(file {})", path.display()),
        }
    }
}

/// If `value` is a reference to a secret, fetches it: the reference becomes what [`Secret`] deserializes from.
///
/// # Errors
/// Names the variable or file, and the remedy.
pub(super) fn resolve(value: &Value, base_dir: &Path) -> Option<Result<Value, String>> {
    let object = value.as_object().filter(|o| o.len() == 1)?;
    if let Some(Value::String(name)) = object.get("env") {
        return Some(match std::env::var(name) {
            Ok(value) if !value.trim().is_empty() => Ok(json!({"value": value, "env": name})),
            Ok(_) => Err(format!("the environment variable {name} is empty; put the secret there")),
            Err(_) => Err(format!("the environment variable {name} is not set; set it to the secret")),
        });
    }
    let path = base_dir.join(object.get("file")?.as_str()?);
    Some(read_file(&path).map(|value| json!({"value": value, "file": path})))
}

fn read_file(path: &Path) -> Result<String, String> {
    let text =
        std::fs::read_to_string(path).map_err(|e| format!("the secret file {} cannot be read: {e}", path.display()))?;
    if text.trim().is_empty() {
        return Err(format!("the secret file {} is empty; put the secret there", path.display()));
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolved {
    value: Option<String>,
    env: Option<String>,
    file: Option<PathBuf>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(value) => Ok(Self::plain(value)),
            // The error of a shape says nothing of the values, and the value is a secret: a text of our own.
            other => {
                let Resolved { value, env, file } = serde_json::from_value(other)
                    .map_err(|_| D::Error::custom("a secret is { env = \"..\" } or { file = \"..\" }"))?;
                let origin = env.map(Origin::Env).or(file.map(Origin::File)).unwrap_or(Origin::Plain);
                if value.is_none() && origin == Origin::Plain {
                    return Err(D::Error::custom("a secret is { env = \"..\" } or { file = \"..\" }"));
                }
                Ok(Self { value, origin })
            }
        }
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let reference = |key: &str, description: &str| {
            json!({
                "type": "object",
                "properties": {key: {"type": "string", "description": description}},
                "required": [key],
                "additionalProperties": false
            })
        };
        json_schema!({
            "description": "A secret: { env = \"NAME\" }, { file = \"path\" } or, for trying out, a plain string.",
            "format": "secret",
            "anyOf": [
                {"type": "string"},
                reference("env", "The environment variable that holds it."),
                reference("file", "The file that holds it, relative to the configuration file."),
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::plain("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(plain)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn one_that_was_not_fetched_is_withheld_and_empty() {
        let secret: Secret = serde_json::from_value(json!({"env": "ANOTHERS"})).expect("a reference");
        assert!(secret.is_withheld() && secret.expose().is_empty() && secret.lines().next().is_none());
        assert!(serde_json::from_value::<Secret>(json!({})).is_err());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error =
            resolve(&json!({"file": "nowhere.token"}), Path::new("conf")).expect("a reference").expect_err("missing");
        assert!(error.contains("conf/nowhere.token"), "{error}");
    }

    #[test]
    fn other_tables_are_left_alone() {
        assert!(resolve(&json!({"env": "A", "file": "b"}), Path::new(".")).is_none());
        assert!(resolve(&json!("plain"), Path::new(".")).is_none());
    }
}
