//! Erasing, telling a person what is held about them, and the audit log.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use leadrelay_shared::id::LeadId;

use super::problem::Problem;
use super::types::{Erased, Held, Whom};
use super::{Api, Received, leads, query, read, received};
use crate::acts::Operator;
use crate::store::{PAGE_MAX, Person};

type Pairs = Query<Vec<(String, String)>>;

/// The most leads of a person that are found at once.
const LEADS_MAX: usize = 1000;
/// Entries of the audit log on one page, unless another number is asked for.
const ACTS: usize = 50;

pub(super) async fn erase_one(
    api: Data<Api>,
    id: Path<String>,
    pairs: Pairs,
    by: Operator,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    // What cannot be undone is not done for the beginning of an id.
    let id: LeadId = id.parse().map_err(|_| Problem::bad_request("write the lead's id in full to erase it"))?;
    Ok(HttpResponse::Ok().json(api.acts.erase(&by, id).await?))
}

pub(super) async fn erase(api: Data<Api>, pairs: Pairs, by: Operator, body: Received) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let whom: Whom = read(&received(body)?)?;
    Ok(HttpResponse::Ok().json(erase_person(&api, &by, &whom).await?))
}

pub(super) async fn export(
    api: Data<Api>,
    pairs: Pairs,
    by: Operator,
    body: Received,
) -> Result<HttpResponse, Problem> {
    query::none(&pairs)?;
    let whom: Whom = read(&received(body)?)?;
    Ok(HttpResponse::Ok().json(held(&api, &by, &whom).await?))
}

pub(super) async fn audit(api: Data<Api>, pairs: Pairs) -> Result<HttpResponse, Problem> {
    let (mut limit, mut before) = (ACTS, None);
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        match (name.as_str(), value.parse::<i64>()) {
            ("limit", Ok(n)) if usize::try_from(n).is_ok_and(|n| (1..=PAGE_MAX).contains(&n)) => {
                limit = usize::try_from(n).unwrap_or(ACTS);
            }
            ("cursor", Ok(n)) => before = Some(n),
            ("limit", _) => return Err(Problem::bad_request(format!("`limit` is a number from 1 to {PAGE_MAX}"))),
            ("cursor", _) => return Err(Problem::bad_request("`cursor` is not a cursor that a list has given")),
            _ => return Err(Problem::bad_request("this list takes `limit` and `cursor` alone")),
        }
    }
    Ok(HttpResponse::Ok().json(api.store.acts(limit, before).await?))
}

/// Who is meant, as something that can be looked for.
pub(crate) fn person(whom: &Whom) -> Result<Person, Problem> {
    Person::new(whom.email.as_deref(), whom.phone.as_deref()).ok_or_else(|| {
        Problem::bad_request("say who is meant: `email` with an @, or `phone` with at least 6 digits, or both")
    })
}

/// Ids of the leads of a person.
pub(crate) async fn leads_of(api: &Api, whom: &Whom) -> Result<Vec<LeadId>, Problem> {
    Ok(api.store.leads_of(person(whom)?, LEADS_MAX).await?)
}

/// Erases every lead of a person.
pub(crate) async fn erase_person(api: &Api, by: &Operator, whom: &Whom) -> Result<Erased, Problem> {
    let mut erased = Erased::default();
    // What was erased is no longer found, and so each round finds others.
    loop {
        let leads = leads_of(api, whom).await?;
        let most = leads.len() == LEADS_MAX;
        for lead in leads {
            erased.leads.push(api.acts.erase(by, lead).await?);
        }
        if !most {
            return Ok(erased);
        }
    }
}

/// Everything that is held about a person.
pub(crate) async fn held(api: &Api, by: &Operator, whom: &Whom) -> Result<Held, Problem> {
    let found = leads_of(api, whom).await?;
    api.acts.note(by, "export", &format!("{} leads of a person", found.len())).await?;
    let mut held =
        Held { at: api.ctx.clock.now(), leads: Vec::with_capacity(found.len()), more: found.len() == LEADS_MAX };
    for lead in found {
        held.leads.push(leads::whole(api, lead).await?);
    }
    Ok(held)
}
