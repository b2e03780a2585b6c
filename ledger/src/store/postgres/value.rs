//! Values as PostgreSQL takes and gives them.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::super::StoreError;
use super::super::db::{Row, Value};

/// The sign that PostgreSQL keeps in no text; a body may hold it, and a body is kept as bytes.
const NUL: char = '\0';

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Bool(value), &Type::BOOL) => value.to_sql(ty, out),
            (Self::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Self::Text(text), &Type::TEXT) if text.contains(NUL) => text.replace(NUL, "\u{fffd}").to_sql(ty, out),
            (Self::Text(text), &Type::TEXT) => text.to_sql(ty, out),
            (Self::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            _ => Err("a value of another type than its column".into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A row as it came.
pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let value = |n: usize| -> Result<Value, tokio_postgres::Error> {
        Ok(match *row.columns()[n].type_() {
            Type::BOOL => row.try_get::<_, Option<bool>>(n)?.into(),
            Type::INT8 => row.try_get::<_, Option<i64>>(n)?.into(),
            Type::BYTEA => row.try_get::<_, Option<&[u8]>>(n)?.into(),
            _ => row.try_get::<_, Option<String>>(n)?.into(),
        })
    };
    let values = (0..row.len()).map(value).collect::<Result<_, _>>();
    Ok(Row(values.map_err(|_| StoreError::Row { what: "value of another type" })?))
}

/// A statement with `$1` where `?1` stands, or where the first `?` does. No text within a statement holds a question mark.
pub(super) fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (n, part) in parts.enumerate() {
        out.push('$');
        if !part.starts_with(|c: char| c.is_ascii_digit()) {
            out.push_str(&(n + 1).to_string());
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_become_numbers() {
        assert_eq!(numbered("a = ? AND b IN (?, ?)"), "a = $1 AND b IN ($2, $3)");
        assert_eq!(numbered("VALUES (?1, ?2) .. x > ?1"), "VALUES ($1, $2) .. x > $1");
        assert_eq!(numbered("no values"), "no values");
    }

    #[test]
    fn a_text_loses_the_one_sign_that_no_text_may_hold_there() {
        let mut out = BytesMut::new();
        Value::from("a\0b").to_sql(&Type::TEXT, &mut out).expect("a text");
        assert_eq!(out, "a\u{fffd}b");
        assert!(Value::from(7_i64).to_sql(&Type::TEXT, &mut out).is_err());
    }
}
