//! Whether the relay knows a lead already.

use jiff::SignedDuration;
use leadrelay_ledger::api::types::{LeadDetail, LeadSummary, Page};
use leadrelay_shared::id::LeadId;
use serde_json::Value;

use super::columns::Column;
use super::lead::Lead;
use crate::cli::Failure;
use crate::client::Api;

/// Times of one lead, as Partner Center and the relay saw it, are nearer than this: an export may leave out the hour, and the
/// place that its days are counted in.
const NEAR: SignedDuration = SignedDuration::from_hours(48);
/// So many leads of one person are looked at.
const LEADS: &str = "200";

/// Asks by the id that it would get, and by its address.
pub(super) async fn is_known(api: &Api, lead: &Lead, id: LeadId) -> Result<bool, Failure> {
    let there: Option<LeadDetail> = api.find(&["leads", &id.to_string()]).await?;
    if there.is_some() {
        return Ok(true);
    }
    if lead.email.is_empty() {
        return Ok(false);
    }
    let query = [("q", lead.email.as_str()), ("limit", LEADS)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let page: Page<LeadSummary> = api.get(&["leads"], &query).await?;
    for summary in page.items.iter().filter(|summary| same(&summary.email, &lead.email)) {
        if is_same(lead, summary) {
            return Ok(true);
        }
        // An earlier import of a row that somebody has worked on since.
        let detail: Option<LeadDetail> = api.find(&["leads", &summary.id.to_string()]).await?;
        if detail.is_some_and(|detail| has_id(lead, detail.body.as_deref().unwrap_or_default())) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a lead of the same address is this one: what can be compared must agree, and offer or time must be comparable.
fn is_same(lead: &Lead, summary: &LeadSummary) -> bool {
    let both = |a: &str, b: &str| (!a.is_empty() && !b.is_empty()).then(|| same(a, b));
    let offer = both(&lead.offer, &summary.offer_title);
    let action = both(&lead.action, &summary.action);
    let near = |at: &jiff::Timestamp| summary.received_at.duration_since(*at).abs() <= NEAR;
    let time = (!lead.created.is_empty()).then(|| lead.created.iter().any(near));
    let agree = [offer, action, time].into_iter().all(|agrees| agrees != Some(false));
    agree && (offer.is_some() || time.is_some())
}

fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// Whether this body was made from the row of the same id.
fn has_id(lead: &Lead, body: &str) -> bool {
    let Ok(Value::Object(members)) = serde_json::from_str(body) else { return false };
    let Some(id) = &lead.id else { return false };
    members.iter().any(|(name, value)| Column::of(name) == Column::Id && value.as_str() == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(offer: &str, action: &str) -> LeadSummary {
        let json = serde_json::json!({
            "id": LeadId::derive(&[b"x"]), "state": "delivered", "source": "addon", "received_at": "2026-03-04T12:00:00Z",
            "name": "Ann", "email": "ann@example.com", "company": "", "offer_title": offer, "action": action, "test": false,
            "do_not_contact": false, "destinations": [], "duplicates": 0, "round": 0,
        });
        serde_json::from_value(json).expect("a lead")
    }

    fn row(offer: &str, action: &str, created: &str) -> Lead {
        let cells =
            [("Email", "ann@example.com"), ("Offer name", offer), ("Action", action), ("Created date", created)];
        Lead::of(cells.into_iter().chain([("Referral ID", "r-1")])).expect("a lead")
    }

    #[test]
    fn what_can_be_compared_must_agree() {
        let there = summary("Add-on", "PLT");
        assert!(is_same(&row("add-on", "Contact me", "2026-03-05"), &there));
        assert!(is_same(&row("Add-on", "", ""), &there));
        assert!(is_same(&row("", "", "2026-03-04"), &there));
        assert!(!is_same(&row("Add-on", "Contact me", "2026-05-04"), &there), "another time");
        assert!(!is_same(&row("Add-on", "Get it now", "2026-03-04"), &there), "another act");
        assert!(!is_same(&row("Other", "Contact me", "2026-03-04"), &there), "another offer");
        assert!(!is_same(&row("", "Contact me", ""), &there), "the address alone is not enough");
    }

    #[test]
    fn a_row_is_known_by_its_id_in_an_earlier_body() {
        let lead = row("Add-on", "", "");
        assert!(has_id(&lead, r#"{"referral id": "r-1", "Status": "Closed"}"#));
        assert!(!has_id(&lead, r#"{"Referral ID": "r-2"}"#));
        assert!(!has_id(&lead, "r-1"));
    }
}
