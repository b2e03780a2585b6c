//! Everything that is held about a person, found by e-mail address or telephone number.
//!
//! The address is in the lead's row. The number, and whatever stands in a body that could not be read as a lead, is in bodies
//! and in what is parked alone: those are gone through one by one.

use std::fmt;

use leadrelay_shared::id::LeadId;
use leadrelay_shared::lead::{Body, Facts};

use super::db::{Db, values};
use super::filter::escaped;
use super::seal::{Place, Sealer};
use super::{Store, StoreError, rows};

/// Rows gone through at once.
const ROWS: i64 = 500;
/// Numbers of so many digits count as the same although one has a country code and the other has not.
const DIGITS: usize = 9;

/// Whom it is about. At least one of the two is given.
#[derive(Clone, Default)]
pub struct Person {
    /// The e-mail address, in lower case.
    email: Option<String>,
    /// The digits of the telephone number, without zeros before them.
    phone: Option<String>,
}

/// Prints what is known and not what it says.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("email", &self.email.is_some()).field("phone", &self.phone.is_some()).finish()
    }
}

impl Person {
    /// A person by what was typed; `None` where nothing is left of it that could be looked for.
    pub fn new(email: Option<&str>, phone: Option<&str>) -> Option<Self> {
        let email = email.map(|text| text.trim().to_lowercase()).filter(|text| text.contains('@'));
        let phone = phone.map(digits).filter(|digits| digits.len() >= 6);
        (email.is_some() || phone.is_some()).then_some(Self { email, phone })
    }

    fn is(&self, body: &Body) -> bool {
        let facts = Facts::read(body);
        let email = self.email.as_ref().is_some_and(|email| facts.email.to_lowercase() == *email);
        let phone = self.phone.as_ref().is_some_and(|phone| same(&digits(&facts.phone), phone));
        // What could not be read may still say it somewhere.
        let unread = facts.email.is_empty() && facts.phone.is_empty();
        let says = |email: &String| String::from_utf8_lossy(body).to_lowercase().contains(email);
        email || phone || (unread && self.email.as_ref().is_some_and(says))
    }
}

fn digits(text: &str) -> String {
    let all: String = text.chars().filter(char::is_ascii_digit).collect();
    all.trim_start_matches('0').to_owned()
}

fn same(one: &str, other: &str) -> bool {
    let (long, short) = if one.len() >= other.len() { (one, other) } else { (other, one) };
    long == short || (short.len() >= DIGITS && long.ends_with(short))
}

impl Store {
    /// Leads of a person, at most `limit`, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn leads_of(&self, person: Person, limit: usize) -> Result<Vec<LeadId>, StoreError> {
        let sealer = self.sealer.clone();
        self.read(move |db| {
            let mut found = Vec::new();
            if let Some(email) = &person.email {
                by_email(db, email, &mut found)?;
            }
            in_bodies(db, &sealer, &person, &mut found)?;
            in_parked(db, &sealer, &person, &mut found)?;
            found.sort_unstable_by(|a, b| b.cmp(a));
            found.dedup();
            found.truncate(limit);
            found.into_iter().map(|no| id(db, no)).collect()
        })
        .await
    }
}

fn by_email(db: &dyn Db, email: &str, found: &mut Vec<i64>) -> Result<(), StoreError> {
    let pattern = format!("%\n{}\n%", escaped(email));
    for row in db.query(r"SELECT no FROM lead WHERE search LIKE ? ESCAPE '\'", values![pattern])? {
        found.push(row.get(0)?);
    }
    Ok(())
}

fn in_bodies(db: &dyn Db, sealer: &Sealer, person: &Person, found: &mut Vec<i64>) -> Result<(), StoreError> {
    let sql = "SELECT p.lead, p.body, p.sealed, l.id FROM payload p JOIN lead l ON l.no = p.lead WHERE p.lead > ?
               ORDER BY p.lead LIMIT ?";
    let mut last = 0_i64;
    loop {
        let some = db.query(sql, values![last, ROWS])?;
        let Some(end) = some.last() else { return Ok(()) };
        last = end.get(0)?;
        for row in &some {
            let body = sealer.open(Place::Payload(rows::lead_id(row, 3)?), row.get(1)?, row.get(2)?)?;
            if person.is(&Body::from(body)) {
                found.push(row.get(0)?);
            }
        }
    }
}

fn in_parked(db: &dyn Db, sealer: &Sealer, person: &Person, found: &mut Vec<i64>) -> Result<(), StoreError> {
    for row in db.query("SELECT lead, waiting, sealed, key FROM parked", &[])? {
        let waiting = sealer.open_text(Place::Parked(row.get(3)?), row.text(1), row.get(2)?)?;
        let waiting: serde_json::Value = super::read_json(&waiting, "parked message")?;
        if any(&waiting["delivery"]["record"], &|text| {
            let email = person.email.as_ref().is_some_and(|email| text.to_lowercase() == *email);
            email || person.phone.as_ref().is_some_and(|phone| same(&digits(text), phone))
        }) {
            found.push(row.get(0)?);
        }
    }
    Ok(())
}

/// Whether any text in a value is one that is meant.
fn any(value: &serde_json::Value, meant: &dyn Fn(&str) -> bool) -> bool {
    match value {
        serde_json::Value::String(text) => meant(text.trim()),
        serde_json::Value::Array(items) => items.iter().any(|item| any(item, meant)),
        serde_json::Value::Object(members) => members.values().any(|item| any(item, meant)),
        _ => false,
    }
}

fn id(db: &dyn Db, no: i64) -> Result<LeadId, StoreError> {
    let row = db.query_opt("SELECT id FROM lead WHERE no = ?", values![no])?;
    rows::lead_id(&row.ok_or(StoreError::Row { what: "lead" })?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let person = Person::new(None, Some("+1 (425) 555-0100")).expect("a person");
        let body = |phone: &str| Body::from(format!(r#"{{"UserDetails":{{"Phone":"{phone}"}}}}"#));
        for phone in ["+14255550100", "001 425 555 0100", "425-555-0100"] {
            assert!(person.is(&body(phone)), "{phone}");
        }
        for phone in ["+14255550101", "555-0100", ""] {
            assert!(!person.is(&body(phone)), "{phone}");
        }
    }

    #[test]
    fn an_address_is_found_in_what_cannot_be_read() {
        let person = Person::new(Some(" Ann@Example.com "), None).expect("a person");
        assert!(person.is(&Body::from("not json, from ANN@example.com".to_owned())));
        assert!(!person.is(&Body::from(r#"{"UserDetails":{"Email":"joann@example.com"}}"#.to_owned())));
    }

    #[test]
    fn what_could_mean_everybody_means_nobody() {
        for (email, phone) in [(None, None), (Some(""), Some("0000")), (Some("ann"), Some("12345"))] {
            assert!(Person::new(email, phone).is_none());
        }
    }
}
