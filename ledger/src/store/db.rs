//! What the store's functions say to a database: a statement and its values in, rows out.
//!
//! Statements are written once, in the SQL that both databases understand; what only one of them can do is a method here.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use leadrelay_shared::id::LeadId;

use super::StoreError;
use super::retention::Step;

/// One transaction on a database.
pub(super) trait Db {
    /// Changes rows, and says how many. A value stands where `?` or `?1` stands; a statement has one kind of them.
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, StoreError>;

    /// Changes rows before anything that is asked later. Should it fail, that is told then, or when the transaction ends.
    fn change(&self, sql: &str, values: &[Value]) -> Result<(), StoreError> {
        self.execute(sql, values).map(drop)
    }

    /// The rows that are found.
    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// The first row that is found.
    fn query_opt(&self, sql: &str, values: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// The rows that are found for each of these values.
    fn query_each(&self, sql: &str, sets: &[Vec<Value>]) -> Result<Vec<Vec<Row>>, StoreError> {
        sets.iter().map(|values| self.query(sql, values)).collect()
    }

    /// The numbers of leads, whose rows are made where there are none. Nobody else changes what is known of them until the
    /// transaction ends. Until its acceptance is told, a lead counts from the earliest fact, which stands beside its id.
    fn claim(&self, leads: &BTreeMap<LeadId, Timestamp>) -> Result<BTreeMap<LeadId, i64>, StoreError>;

    /// Those of these leads that are still there. Nobody else changes what is known of them until the transaction ends.
    fn hold(&self, leads: Vec<i64>) -> Result<Vec<i64>, StoreError>;

    /// Forgets all that is known of these leads.
    fn forget(&self, leads: &[i64]) -> Result<(), StoreError>;

    /// Forgets some leads that came in before `before` in a way of its own, where that is better than row by row.
    fn forget_at_once(&self, before: Timestamp) -> Result<Option<Step>, StoreError>;

    /// Gives some room back to the disk, and says whether there may be more.
    fn give_back_room(&self) -> Result<bool, StoreError>;
}

/// A value for a statement, or of a column. `Debug` does not show it: it may be what a person wrote.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}

/// The values of a statement, each as it is.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::store::db::Value::from($value)),*] };
}
pub(super) use values;

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.to_vec())
    }
}

impl From<[u8; 16]> for Value {
    fn from(value: [u8; 16]) -> Self {
        Self::Blob(value.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row. Its columns are asked for by their numbers.
pub(super) struct Row(pub(super) Vec<Value>);

impl Row {
    /// What is in a column.
    pub(super) fn get<T: Column>(&self, column: usize) -> Result<T, StoreError> {
        self.0.get(column).and_then(T::of).ok_or(StoreError::Row { what: "value of another type" })
    }

    /// The text in a column; empty where there is none.
    pub(super) fn text(&self, column: usize) -> &str {
        match self.0.get(column) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }
}

/// What a column may be read as.
pub(super) trait Column: Sized {
    /// `None` where the value is of another type.
    fn of(value: &Value) -> Option<Self>;
}

impl Column for i64 {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Int(value) = value { Some(*value) } else { None }
    }
}

impl Column for u32 {
    fn of(value: &Value) -> Option<Self> {
        i64::of(value)?.try_into().ok()
    }
}

impl Column for bool {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(*value),
            Value::Int(value) => Some(*value != 0),
            _ => None,
        }
    }
}

impl Column for String {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Text(value) = value { Some(value.clone()) } else { None }
    }
}

impl Column for Vec<u8> {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Blob(value) = value { Some(value.clone()) } else { None }
    }
}

impl Column for [u8; 16] {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Blob(value) = value { value.as_slice().try_into().ok() } else { None }
    }
}

impl<T: Column> Column for Option<T> {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::of(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_what_it_is_and_as_nothing_else() {
        let row = Row(vec![Value::from(7_i64), Value::from("x"), Value::from(None::<i64>), Value::from([1; 16])]);
        assert!(matches!(row.get::<u32>(0), Ok(7)) && matches!(row.get::<bool>(0), Ok(true)));
        assert!(row.get::<String>(0).is_err() && row.get::<i64>(1).is_err() && row.get::<i64>(2).is_err());
        assert!(matches!(row.get::<Option<i64>>(2), Ok(None)) && matches!(row.get::<[u8; 16]>(3), Ok([1, ..])));
        assert!(row.get::<i64>(4).is_err() && row.text(1) == "x" && row.text(0).is_empty());
    }
}
