//! What a lead says, into columns for lists and search.

use leadrelay_shared::lead::Lead;

use super::db::{Db, values};
use super::rows::format_word;
use super::{StoreError, json, micros};

/// The longest text of a contact field that a list shows.
const SHOWN_MAX: usize = 200;

/// Takes in an acceptance: of two, the higher round wins, and within a round the first.
pub(super) fn accept(db: &dyn Db, no: i64, lead: &Lead) -> Result<(), StoreError> {
    let known =
        db.query_opt("SELECT accepted, received_at FROM lead WHERE no = ? AND accepted IS NOT NULL", values![no])?;
    let known: Option<(u32, i64)> = known.map(|row| Ok::<_, StoreError>((row.get(0)?, row.get(1)?))).transpose()?;
    let received_at = micros(lead.received_at);
    if known.is_some_and(|(round, at)| (round, std::cmp::Reverse(at)) >= (lead.round, std::cmp::Reverse(received_at))) {
        return Ok(());
    }
    let facts = lead.facts();
    let name = shown(&format!("{} {}", facts.first_name, facts.last_name));
    let (email, company, offer) = (shown(&facts.email), shown(&facts.company), shown(&facts.offer_title));
    let search = format!("{name}\n{email}\n{company}\n{offer}").to_lowercase();
    let faults = (!lead.faults.is_empty()).then(|| json(&lead.faults));
    db.execute(
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
    db.execute(
        "INSERT INTO payload (lead, body) VALUES (?, ?) ON CONFLICT (lead) DO UPDATE SET body = excluded.body",
        values![no, &lead.body[..]],
    )?;
    Ok(())
}

/// A text as a list shows it: trimmed, and not longer than a line or two.
fn shown(text: &str) -> String {
    text.trim().chars().take(SHOWN_MAX).collect()
}
