//! The faces: which request is which call, and who may make it.

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

use super::environment::{DataverseRow, Environment, State, UserState};
use super::refusal::Refusal;
use super::rows::Wishes;
use crate::Simulated;
use crate::answers::{answer, bearer, decoded};

impl Simulated for Environment {
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().trim_start_matches('/');
        if let Some(tenant) = path.strip_suffix("/oauth2/v2.0/token") {
            let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
            let url = format!("http://{}/{path}", host.unwrap_or_default());
            return self.log_in(tenant, request.body(), &url);
        }
        if path == "records" {
            return self.show();
        }
        let path: Vec<String> = path.split('/').map(decoded).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let now = self.clock().now();
        let mut state = self.state();
        let answered = state.admit(request, now).and_then(|()| match path.as_slice() {
            ["api", "data", version, rest @ ..] if version.starts_with("v9.") => {
                state.call(self.address(), request, rest, Wishes::of(request.headers(), now))
            }
            _ => Err(Refusal::new(404, "", "")),
        });
        answered.unwrap_or_else(|refusal| refusal.answer())
    }
}

impl Environment {
    /// What is in it, for people: no part of Dataverse.
    fn show(&self) -> Response<Bytes> {
        let shown = |row: &DataverseRow| json!({"id": row.id, "created_at": row.created_at, "updates": row.updates, "values": row.values});
        let records: Vec<Value> = self.state().rows.iter().map(shown).collect();
        answer(200, &json!({"records": records}))
    }
}

impl State {
    /// Whether whoever calls may call at all.
    fn admit(&mut self, request: &Request<Bytes>, now: jiff::Timestamp) -> Result<(), Refusal> {
        if !self.logins.counts(bearer(request), now) {
            return Err(Refusal::new(401, "", ""));
        }
        if let Err(throttled) = self.limits.admit(now) {
            self.calls.into_pause += u64::from(throttled.was_told);
            return Err(Refusal::throttled(throttled.wait_s));
        }
        let user = "the user with SystemUserId=9d3e6f10";
        match self.user {
            UserState::Active => Ok(()),
            UserState::Disabled => Err(Refusal::new(403, "0x80041d1f", format!("{user} is disabled."))),
            UserState::WithoutRoles => Err(Refusal::new(403, "0x80042f09", format!("{user} has no roles assigned."))),
            UserState::Missing => Err(Refusal::new(403, "0x80072560", "The user is not a member of the organization.")),
        }
    }

    fn call(
        &mut self,
        address: &str,
        request: &Request<Bytes>,
        path: &[&str],
        wishes: Wishes,
    ) -> Result<Response<Bytes>, Refusal> {
        let me = format!("systemusers({})", Self::USER_ID);
        match (request.method(), path) {
            (&Method::GET, ["WhoAmI"]) => Ok(self.who_am_i()),
            (&Method::GET, [user, "Microsoft.Dynamics.CRM.RetrieveUserPrivileges"]) if *user == me => {
                Ok(self.user_privileges())
            }
            (&Method::GET, [definition, rest @ ..]) if definition.starts_with("EntityDefinitions(") => {
                let name =
                    definition.strip_prefix("EntityDefinitions(LogicalName='").and_then(|d| d.strip_suffix("')"));
                if name != Some(self.table.as_str()) {
                    let message = "Could not find an entity with the specified name";
                    return Err(Refusal::new(404, "0x80060888", message));
                }
                self.describe(rest)
            }
            (&Method::GET, [function]) if function.starts_with("RetrieveDuplicates(") => {
                self.retrieve_duplicates(request)
            }
            (&Method::GET, [row]) => {
                let which = self.which(row)?;
                self.show(&which)
            }
            (&Method::PATCH, [row]) => {
                let which = self.which(row)?;
                self.write(address, &which, &object_of(request)?, wishes)
            }
            (_, [.., segment]) => Err(Refusal::no_such_segment(segment)),
            (_, []) => Err(Refusal::no_such_segment("")),
        }
    }

    /// What stands between the brackets after the name of the entity set.
    fn which(&self, row: &str) -> Result<String, Refusal> {
        let (set, rest) = row.split_once('(').ok_or_else(|| Refusal::no_such_segment(row))?;
        let which = rest.strip_suffix(')').filter(|_| set == self.entity_set);
        which.map(str::to_owned).ok_or_else(|| Refusal::no_such_segment(set))
    }
}

fn object_of(request: &Request<Bytes>) -> Result<Map<String, Value>, Refusal> {
    let wrong = |_| Refusal::new(400, "0x80048d19", "Error identified in Payload provided by the user: no JSON object");
    serde_json::from_slice(request.body()).map_err(wrong)
}
