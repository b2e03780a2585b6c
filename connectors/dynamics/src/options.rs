//! Choices: their options by label, so that a mapping can say `Web` where the API wants 8.
//!
//! Labels are told in every language that the environment has; each of them counts, in upper and lower case alike. A number
//! is left as it is.

use std::collections::HashMap;

use jiff::Timestamp;
use leadrelay_shared::delivery::Record;
use serde::Deserialize;
use serde_json::Value;

/// The choices of a table by column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    choices: HashMap<String, Choice>,
    /// When they were told.
    at: Timestamp,
}

#[derive(Clone, Debug, Default)]
struct Choice {
    /// It takes several at once, as a text of numbers.
    several: bool,
    /// A label of each option, for people.
    shown: Vec<String>,
    by_label: HashMap<String, i64>,
    numbers: Vec<i64>,
}

/// A column that has options, as Dataverse tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ChoiceColumn {
    logical_name: String,
    #[serde(default)]
    option_set: Option<OptionSet>,
    #[serde(default)]
    global_option_set: Option<OptionSet>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OptionSet {
    #[serde(default)]
    options: Vec<Told>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    value: i64,
    label: Label,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Label {
    #[serde(default)]
    user_localized_label: Option<Words>,
    #[serde(default)]
    localized_labels: Vec<Words>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Words {
    label: String,
}

impl Options {
    /// None yet, told at this time.
    pub(crate) fn at(at: Timestamp) -> Self {
        Self { choices: HashMap::new(), at }
    }

    /// When they were told.
    pub(crate) fn told_at(&self) -> Timestamp {
        self.at
    }

    pub(crate) fn add(&mut self, columns: Vec<ChoiceColumn>, several: bool) {
        for column in columns {
            // Those of a choice that tables share stand in the global one.
            let sets = [column.option_set, column.global_option_set];
            let set = sets.into_iter().flatten().find(|set| !set.options.is_empty());
            let mut choice = Choice { several, ..Choice::default() };
            set.iter().flat_map(|set| &set.options).for_each(|told| choice.add(told));
            self.choices.insert(column.logical_name, choice);
        }
    }

    /// What a constant for this column may be: labels and numbers. Empty where it is no choice, or takes several at once.
    pub(crate) fn words(&self, column: &str) -> Vec<String> {
        let Some(choice) = self.choices.get(column).filter(|choice| !choice.several) else { return Vec::new() };
        choice.shown.iter().cloned().chain(choice.numbers.iter().map(i64::to_string)).collect()
    }

    /// Replaces labels by numbers.
    ///
    /// # Errors
    /// The column whose value is none of its options.
    pub(crate) fn translate(&self, record: &mut Record) -> Result<(), String> {
        for (column, value) in record.iter_mut() {
            let Some(choice) = self.choices.get(column) else { continue };
            match choice.number(value) {
                Some(number) => *value = number,
                None if value.is_null() => {}
                None => return Err(column.clone()),
            }
        }
        Ok(())
    }
}

impl Choice {
    fn add(&mut self, told: &Told) {
        let labels = || told.label.user_localized_label.iter().chain(&told.label.localized_labels);
        self.shown.extend(labels().next().map(|words| words.label.clone()));
        for words in labels() {
            self.by_label.entry(words.label.trim().to_lowercase()).or_insert(told.value);
        }
        self.numbers.push(told.value);
    }

    /// The value as the API takes it.
    fn number(&self, value: &Value) -> Option<Value> {
        match (self.several, value) {
            (true, Value::Array(several)) => self.numbers_of(several.iter().filter_map(Value::as_str)),
            (true, Value::String(text)) => self.numbers_of(text.split(',')),
            (_, Value::String(text)) => self.one(text).map(Value::from),
            (_, Value::Number(_)) => Some(value.clone()),
            _ => None,
        }
    }

    fn numbers_of<'t>(&self, several: impl Iterator<Item = &'t str>) -> Option<Value> {
        let numbers: Option<Vec<String>> = several.map(|text| Some(self.one(text)?.to_string())).collect();
        Some(numbers?.join(",").into())
    }

    fn one(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        let number = || text.parse().ok().filter(|number| self.numbers.contains(number));
        self.by_label.get(&text.to_lowercase()).copied().or_else(number)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options() -> Options {
        let label = |words: &[&str]| {
            let all: Vec<Value> = words.iter().map(|words| json!({"Label": words, "LanguageCode": 1033})).collect();
            json!({"UserLocalizedLabel": all[0], "LocalizedLabels": all})
        };
        let set = json!({"Options": [
            {"Value": 8, "Label": label(&["Web", "Netz"])},
            {"Value": 10, "Label": label(&["Other"])},
            {"Value": 100, "Label": label(&["8"])},
        ]});
        let mut options = Options::default();
        let column = |name: &str, of: &str| json!({"LogicalName": name, of: set});
        let one = json!([column("leadsourcecode", "OptionSet")]);
        let several = json!([column("contoso_interests", "GlobalOptionSet")]);
        options.add(serde_json::from_value(one).expect("columns"), false);
        options.add(serde_json::from_value(several).expect("columns"), true);
        options
    }

    fn translated(column: &str, value: &Value) -> Result<Value, String> {
        let mut record = json!({"lastname": "Web", column: value}).as_object().cloned().expect("a record");
        options().translate(&mut record)?;
        assert_eq!(record["lastname"], "Web");
        Ok(record[column].clone())
    }

    #[test]
    fn labels_of_every_language_and_numbers_are_taken() {
        for (value, number) in [
            (json!("Web"), json!(8)),
            (json!(" netz "), json!(8)),
            (json!(10), json!(10)),
            (json!("10"), json!(10)),
            (json!("8"), json!(100)),
            (json!(99), json!(99)),
            (json!(null), json!(null)),
        ] {
            assert_eq!(translated("leadsourcecode", &value), Ok(number), "{value}");
        }
        assert_eq!(translated("leadsourcecode", &json!("Radio")), Err("leadsourcecode".to_owned()));
        assert_eq!(translated("leadsourcecode", &json!(true)), Err("leadsourcecode".to_owned()));
    }

    #[test]
    fn several_become_one_text() {
        for value in [json!(["Web", "Other"]), json!("Web, Other"), json!("8x, 10")] {
            let expected =
                if value == json!("8x, 10") { Err("contoso_interests".to_owned()) } else { Ok(json!("8,10")) };
            assert_eq!(translated("contoso_interests", &value), expected, "{value}");
        }
    }

    #[test]
    fn a_mapping_may_say_either() {
        assert_eq!(options().words("leadsourcecode"), ["Web", "Other", "8", "8", "10", "100"]);
        assert!(options().words("lastname").is_empty() && options().words("contoso_interests").is_empty());
    }
}
