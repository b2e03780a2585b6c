//! A mistake in the configuration: where, what, and the remedy.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One mistake. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The key, as `sources.contoso.format` or `routes[0].fields.subject`.
    pub key: String,
    /// The line of the file, from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
    /// What to do, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Mistake {
    /// A mistake at `key`.
    pub fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), line: None, reason: reason.into(), remedy: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// With `did you mean ..?`, where one of `candidates` is near to `wrong`.
    #[must_use]
    pub fn nearest<'a>(self, wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(wrong, candidates) {
            Some(right) => self.remedy(format!("did you mean `{right}`?")),
            None => self,
        }
    }
}

/// The candidate that `wrong` was probably meant to be.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&wrong, &candidate.to_lowercase());
    let limit = (wrong.chars().count() / 3).clamp(1, 4);
    let best = candidates.into_iter().map(|c| (distance(c), c)).min_by_key(|(d, _)| *d)?;
    (best.0 <= limit).then_some(best.1)
}

/// Every mistake of one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, where there is one.
    pub file: Option<PathBuf>,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_ref().map_or("configuration".to_owned(), |p| p.display().to_string());
        for (n, mistake) in self.mistakes.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{file}")?;
            if let Some(line) = mistake.line {
                write!(f, ":{line}")?;
            }
            if !mistake.key.is_empty() {
                write!(f, ": {}", mistake.key)?;
            }
            write!(f, ": {}", mistake.reason)?;
            if let Some(remedy) = &mistake.remedy {
                write!(f, "; {remedy}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_offered_only_when_it_is_near() {
        let keys = ["format", "tokens", "on_invalid"];
        assert_eq!(nearest("formt", keys), Some("format"));
        assert_eq!(nearest("Token", keys), Some("tokens"));
        assert_eq!(nearest("colour", keys), None);
    }
}
