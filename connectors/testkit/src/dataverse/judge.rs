//! Whether a row can be as somebody wants to write it.

use leadrelay_shared::fields::utf16_len;
use serde_json::{Map, Value};

use super::columns::Column;
use super::environment::State;
use super::refusal::Refusal;

impl State {
    /// The values that a row gets. What may not be set is left out, as Dataverse leaves it out.
    pub(super) fn read(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
        let mut values = Map::new();
        for (name, value) in given {
            match name.strip_suffix("@odata.bind") {
                Some(navigation) => self.judge_lookup(navigation, value)?,
                None => {
                    let column = self.column(name).ok_or_else(|| self.no_such_property(name))?;
                    if column.is_lookup() {
                        let message = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.";
                        return Err(Refusal::new(400, "0x80060888", message));
                    }
                    if !column.createable {
                        continue;
                    }
                    self.judge_value(column, value)?;
                }
            }
            values.insert(name.clone(), value.clone());
        }
        Ok(values)
    }

    fn no_such_property(&self, name: &str) -> Refusal {
        let table = &self.table;
        let why = format!(
            "The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{table}'. Make sure to only use property names that are defined by the type."
        );
        Refusal::payload(&self.entity_set, &why)
    }

    fn judge_lookup(&self, navigation: &str, value: &Value) -> Result<(), Refusal> {
        let mut known = self.columns.iter().flat_map(|column| &column.navigation);
        if !known.any(|(name, _)| name == navigation) {
            let why = format!(
                "An undeclared property '{navigation}' which only has property annotations in the payload but no property value was found in the payload."
            );
            return Err(Refusal::payload(&self.entity_set, &why));
        }
        let path = value.as_str().unwrap_or_default().trim_start_matches('/');
        if self.others.contains(path) {
            return Ok(());
        }
        Err(Refusal::new(404, "0x80040217", format!("{path} With Ids = {path} Do Not Exist")))
    }

    fn judge_value(&self, column: &Column, value: &Value) -> Result<(), Refusal> {
        let wrong_type = |expected: &str| {
            let why = format!("Cannot convert the literal '{value}' to the expected type '{expected}'.");
            Refusal::payload(&self.entity_set, &why)
        };
        let fits = |fits: bool, expected: &str| if fits { Ok(()) } else { Err(wrong_type(expected)) };
        match (column.kind, value) {
            (_, Value::Null) => Ok(()),
            ("String" | "Memo", Value::String(text)) => self.judge_length(column, text),
            ("String" | "Memo" | "DateTime" | "Uniqueidentifier", _) => fits(value.is_string(), "Edm.String"),
            ("Boolean", _) => fits(value.is_boolean(), "Edm.Boolean"),
            ("Integer", _) => fits(value.is_i64(), "Edm.Int32"),
            ("Picklist" | "State" | "Status", _) => {
                fits(value.is_i64(), "Edm.Int32")?;
                self.judge_options(column, value.as_i64().into_iter())
            }
            ("MultiSelectPicklist", Value::String(text)) => {
                let numbers: Result<Vec<i64>, _> = text.split(',').map(str::parse).collect();
                self.judge_options(column, numbers.map_err(|_| wrong_type("Edm.String"))?.into_iter())
            }
            ("MultiSelectPicklist", _) => Err(wrong_type("Edm.String")),
            _ => fits(value.is_number(), "Edm.Decimal"),
        }
    }

    fn judge_length(&self, column: &Column, text: &str) -> Result<(), Refusal> {
        if column.length == 0 || utf16_len(text) <= column.length {
            return Ok(());
        }
        let (name, table, max) = (&column.name, &self.table, column.length);
        let message = format!(
            "A validation error occurred.  The length of the '{name}' attribute of the '{table}' entity exceeded the maximum allowed length of '{max}'."
        );
        Err(Refusal::new(400, "0x80044331", message))
    }

    fn judge_options(&self, column: &Column, mut numbers: impl Iterator<Item = i64>) -> Result<(), Refusal> {
        let is_option = |number: &i64| column.options.iter().any(|(option, _)| option == number);
        let Some(number) = numbers.find(|number| !is_option(number)) else { return Ok(()) };
        let (name, table) = (&column.name, &self.table);
        let message = format!(
            "A validation error occurred.  The value {number} of '{name}' on record of type '{table}' is outside the valid range."
        );
        Err(Refusal::new(400, "0x8004431A", message))
    }

    /// What rules, plug-ins and keys say of values that fit.
    pub(super) fn judge_rules(&self, values: &Map<String, Value>) -> Result<(), Refusal> {
        if let Some(value) = self.forbidden.as_ref().and_then(|column| values.get(column)) {
            return Err(Refusal::new(400, "0x80040265", format!("Contoso does not take '{value}' here")));
        }
        for column in self.columns.iter().filter(|column| column.is_key) {
            let value = values.get(&column.name).filter(|value| !value.is_null());
            if value.is_some() && self.rows.iter().any(|row| row.values.get(&column.name) == value) {
                let message = format!(
                    "Entity Key {} violated. A record with the same value for it already exists. A duplicate record cannot be created.",
                    column.name
                );
                return Err(Refusal::new(412, "0x80060892", message));
            }
        }
        Ok(())
    }

    /// The rows that a rule for e-mail addresses takes for the same.
    pub(super) fn duplicates_of(&self, values: &Map<String, Value>) -> Vec<usize> {
        let email =
            |values: &Map<String, Value>| values.get("emailaddress1").and_then(Value::as_str).map(str::to_lowercase);
        let Some(wanted) = email(values) else { return Vec::new() };
        let is_same = |at: &usize| email(&self.rows[*at].values).is_some_and(|found| found == wanted);
        (0..self.rows.len()).filter(is_same).collect()
    }
}
