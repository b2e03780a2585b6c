//! Who calls, for the relay's audit log. Everybody has the same token, so this is what they say of themselves.

use std::str::FromStr;

use leadrelay_shared::http::header::HeaderValue;

/// The longest name that the relay takes down, in characters.
const MAX: usize = 60;

/// A name that fits a header: 1 to 60 visible ASCII characters and blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator(HeaderValue);

impl Operator {
    /// The name as the relay reads it.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// A name that was not typed for this and so is made to fit rather than refused.
    fn fitted(name: &str) -> Option<Self> {
        let fit = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        name.trim().chars().map(fit).take(MAX).collect::<String>().parse().ok()
    }
}

/// The user of this machine.
impl Default for Operator {
    fn default() -> Self {
        let user = ["USER", "LOGNAME"].into_iter().find_map(|name| Self::fitted(&std::env::var(name).ok()?));
        user.unwrap_or(Self(HeaderValue::from_static("unknown")))
    }
}

impl FromStr for Operator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let fits = (1..=MAX).contains(&text.len()) && text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        let header = HeaderValue::try_from(text).ok().filter(|_| fits);
        header.map(Self).ok_or_else(|| format!("a name has 1 to {MAX} letters, digits and signs, without accents"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_typed_must_fit_and_a_users_name_is_made_to() {
        assert_eq!(" Robin S. ".parse::<Operator>().expect("a name").header(), "Robin S.");
        for wrong in ["", " ", "J\u{f6}rg", "a\nb", &"x".repeat(61)] {
            assert!(wrong.parse::<Operator>().is_err(), "{wrong:?}");
        }
        let fitted = |name: &str| Operator::fitted(name).map(|name| name.header());
        assert_eq!(fitted("j\u{f6}rg\n"), Some(HeaderValue::from_static("j?rg")));
        assert_eq!(fitted(&"x".repeat(99)).map(|name| name.len()), Some(60));
        assert_eq!(fitted(" "), None);
    }
}
