//! What a lead says, into columns for lists and search.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use leadrelay_shared::lead::Lead;

use super::db::{Db, Row, Value, values};
use super::rows::format_word;
use super::seal::{Place, Sealer};
use super::{StoreError, json, micros};

/// The longest text of a contact field that a list shows.
const SHOWN_MAX: usize = 200;

/// The acceptances that leads have: of each its round, and when the lead came in.
#[derive(Default)]
pub(super) struct Acceptances(BTreeMap<i64, (u32, i64)>);

impl Acceptances {
    /// Those of these leads.
    pub(super) fn of(db: &dyn Db, leads: &[Vec<Value>]) -> Result<Self, StoreError> {
        let sql = "SELECT no, accepted, received_at FROM lead WHERE no = ? AND accepted IS NOT NULL";
        let found = db.query_each(sql, leads)?;
        let one = |row: &Row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
        Ok(Self(found.iter().flatten().map(one).collect::<Result<_, StoreError>>()?))
    }
}

/// Takes in an acceptance: of two, the higher round wins, and within a round the first.
pub(super) fn accept(
    db: &dyn Db,
    sealer: &Sealer,
    no: i64,
    lead: &Lead,
    known: &mut Acceptances,
) -> Result<(), StoreError> {
    let received_at = micros(lead.received_at);
    let rank = |(round, at): (u32, i64)| (round, Reverse(at));
    let new = (lead.round, received_at);
    if known.0.get(&no).is_some_and(|known| rank(*known) >= rank(new)) {
        return Ok(());
    }
    known.0.insert(no, new);
    let facts = lead.facts();
    let name = shown(&format!("{} {}", facts.first_name, facts.last_name));
    let (email, company, offer) = (shown(&facts.email), shown(&facts.company), shown(&facts.offer_title));
    let search = format!("{name}\n{email}\n{company}\n{offer}").to_lowercase();
    let faults = (!lead.faults.is_empty()).then(|| json(&lead.faults));
    db.change(
        "UPDATE lead SET accepted = ?2, received_at = ?3, source = ?4, format = ?5, test = ?6, dnc = ?7, name = ?8,
           email = ?9, company = ?10, offer_title = ?11, action = ?12, search = ?13, faults = ?14 WHERE no = ?1",
        values![
            no,
            lead.round,
            received_at,
            &lead.source,
            format_word(lead.format),
            facts.test,
            facts.do_not_contact,
            name,
            email,
            company,
            offer,
            shown(&facts.action),
            search,
            faults,
        ],
    )?;
    let (body, sealed) = sealer.seal(Place::Payload(lead.id), &lead.body)?;
    db.change(
        "INSERT INTO payload (lead, sealed, body) VALUES (?, ?, ?)
         ON CONFLICT (lead) DO UPDATE SET sealed = excluded.sealed, body = excluded.body",
        values![no, sealed, &body[..]],
    )
}

/// A text as a list shows it: trimmed, and not longer than a line or two.
fn shown(text: &str) -> String {
    text.trim().chars().take(SHOWN_MAX).collect()
}
