//! What a destination's fields are, and fitting a record into them.
//!
//! A lead is never refused by a CRM for its 51st character: the worker cuts just before the attempt, because it alone
//! knows the live fields. Cutting is by grapheme, so a letter and its combining marks stay together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use crate::delivery::Record;

/// One field of a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The CRM's own word for its type: `string`, `boolean`, `picklist`.
    pub kind: String,
    /// A record without it is refused.
    pub required: bool,
    /// It can be set on create.
    pub writable: bool,
    /// The longest text it takes, in UTF-16 code units (how Dataverse and Salesforce count).
    pub max_length: Option<usize>,
    /// The values it takes; empty means any.
    pub allowed: Vec<String>,
}

/// The fields of a destination by name. Empty means that it takes any field, of any length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields(pub BTreeMap<String, Field>);

/// Something the mapping or the fitting did to a value, for the ledger. Holds no value of the lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// The field, or the route, that it is about.
    pub about: String,
    /// What was done, in words.
    pub text: String,
}

impl Note {
    /// A note about `about`.
    pub fn new(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { about: about.into(), text: text.into() }
    }
}

impl Fields {
    /// Any field, of any length.
    pub fn any() -> Self {
        Self::default()
    }

    /// Cuts every text that is too long for its field, ending it with `…`, and says so.
    pub fn fit(&self, record: &mut Record) -> Vec<Note> {
        let mut notes = Vec::new();
        for (name, value) in record.iter_mut() {
            let (Some(max), Value::String(text)) = (self.0.get(name).and_then(|f| f.max_length), value) else {
                continue;
            };
            let length = utf16_len(text);
            if length > max {
                *text = cut(text, max);
                notes.push(Note::new(name, format!("cut from {length} to {max} characters")));
            }
        }
        notes
    }

    /// The first field whose value is too long, if there is one.
    pub fn too_long<'r>(&self, record: &'r Record) -> Option<&'r str> {
        record.iter().find_map(|(name, value)| {
            let max = self.0.get(name)?.max_length?;
            (utf16_len(value.as_str()?) > max).then_some(name.as_str())
        })
    }
}

/// The length of a text as Dataverse and Salesforce count it.
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The longest prefix of whole graphemes that fits into `max` UTF-16 units together with a final `…`.
/// A text that fits is returned as it is.
pub fn cut(text: &str, max: usize) -> String {
    if utf16_len(text) <= max {
        return text.to_owned();
    }
    let mut room = max.saturating_sub(1);
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let width = utf16_len(grapheme);
        if width > room {
            break;
        }
        room -= width;
        end = at + grapheme.len();
    }
    let mut short = text[..end].trim_end().to_owned();
    if max > 0 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn letters_keep_their_marks_and_emoji_stay_whole() {
        assert_eq!(cut("Ångström", 4), "Ång…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 4), "e\u{301}…");
        assert_eq!(cut("👩‍👩‍👧‍👦 family", 8), "…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn only_what_is_too_long_is_cut_and_noted() {
        let field = Field { max_length: Some(5), ..Field::default() };
        let fields = Fields(BTreeMap::from([("lastname".to_owned(), field)]));
        let mut record = json!({"lastname": "abcdefgh", "other": "abcdefgh"}).as_object().cloned().expect("an object");
        assert_eq!(fields.too_long(&record), Some("lastname"));
        let notes = fields.fit(&mut record);
        assert_eq!(record["lastname"], "abcd…");
        assert_eq!(record["other"], "abcdefgh");
        assert_eq!(notes, [Note::new("lastname", "cut from 8 to 5 characters")]);
    }

    proptest! {
        #[test]
        fn a_cut_text_fits(text in "\\PC{0,40}", max in 0usize..30) {
            prop_assert!(utf16_len(&cut(&text, max)) <= max);
        }
    }
}
