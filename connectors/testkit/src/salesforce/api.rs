//! The face: which request is which call, who may make it, and what it counts.

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

use super::fields::describe;
use super::org::{Org, SalesforceRecord, State};
use super::refusal::{Refusal, saved};
use super::save::Wishes;
use crate::Simulated;
use crate::answers::{answer, bearer, decoded, fields_of};

impl Simulated for Org {
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        if request.uri().path() == "/services/oauth2/token" {
            return self.log_in(request.body());
        }
        if request.uri().path() == "/records" {
            return self.show();
        }
        let wishes = Wishes::of(request, self.clock().now());
        let mut state = self.state();
        let answered = state.admit(request).and_then(|()| state.call(request, &wishes));
        let mut answer = answered.unwrap_or_else(|refusal| refusal.answer());
        let usage = format!("api-usage={}/{}", state.limit.0, state.limit.1);
        if let Ok(usage) = usage.parse() {
            answer.headers_mut().insert("Sforce-Limit-Info", usage);
        }
        answer
    }
}

impl Org {
    /// What is in it, for people: no part of Salesforce.
    fn show(&self) -> Response<Bytes> {
        let shown = |record: &SalesforceRecord| json!({"id": record.id, "created_at": record.created_at, "updates": record.updates, "values": record.values});
        let records: Vec<Value> = self.state().records.iter().map(shown).collect();
        answer(200, &json!({"records": records}))
    }
}

impl Wishes {
    fn of(request: &Request<Bytes>, now: jiff::Timestamp) -> Self {
        let header = |name: &str| request.headers().get(name)?.to_str().ok().map(str::to_owned);
        let may_save = header("Sforce-Duplicate-Rule-Header").is_some_and(|wish| wish.contains("allowSave=true"));
        Self { may_save, auto_assign: header("Sforce-Auto-Assign"), now }
    }
}

impl State {
    /// Whether whoever calls may call at all.
    fn admit(&mut self, request: &Request<Bytes>) -> Result<(), Refusal> {
        if !self.logins.is_open(bearer(request)) {
            return Err(Refusal::new(401, "INVALID_SESSION_ID", "Session expired or invalid"));
        }
        if self.limit.0 >= self.limit.1 {
            return Err(Refusal::new(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
        }
        self.limit.0 += 1;
        self.calls.counted += 1;
        Ok(())
    }

    fn call(&mut self, request: &Request<Bytes>, wishes: &Wishes) -> Result<Response<Bytes>, Refusal> {
        let path = request.uri().path().trim_start_matches('/').trim_end_matches('/');
        let path: Vec<&str> = path.split('/').collect();
        let ["services", "data", version, rest @ ..] = path.as_slice() else { return Err(Refusal::not_found()) };
        if !version.strip_prefix('v').is_some_and(|number| number.parse::<f32>().is_ok_and(|n| n >= 46.0)) {
            return Err(Refusal::not_found());
        }
        match (request.method(), rest) {
            (&Method::GET, ["sobjects", object, "describe"]) => {
                self.knows(object)?;
                Ok(answer(200, &describe(&self.object, &self.fields)))
            }
            (&Method::GET, ["limits"]) => {
                let (used, total) = self.limit;
                Ok(answer(200, &json!({"DailyApiRequests": {"Max": total, "Remaining": total.saturating_sub(used)}})))
            }
            (&Method::GET, ["query"]) => {
                self.calls.queries += 1;
                let length = request.uri().to_string().len();
                let query = fields_of(request.uri().query().unwrap_or_default().as_bytes());
                self.query(query.get("q").map(String::as_str).unwrap_or_default(), length)
            }
            (&Method::POST, ["composite", "sobjects"]) => {
                self.calls.collections += 1;
                self.save_all(&json_of(request)?, None, wishes)
            }
            (&Method::PATCH, ["composite", "sobjects", object, field]) => {
                self.knows(object)?;
                self.calls.collections += 1;
                self.save_all(&json_of(request)?, Some(field), wishes)
            }
            (&Method::POST, ["tooling", "sobjects", "CustomField"]) => self.made(request, Self::make_field),
            (&Method::POST, ["sobjects", "PermissionSet"]) => self.made(request, Self::make_set),
            (&Method::POST, ["sobjects", "FieldPermissions"]) => self.made(request, Self::grant),
            (&Method::POST, ["sobjects", "PermissionSetAssignment"]) => self.made(request, Self::assign),
            (&Method::POST, ["sobjects", object]) => {
                self.knows(object)?;
                self.calls.saves += 1;
                let id = self.create(&object_of(request)?, wishes)?;
                Ok(answer(201, &saved(&id)))
            }
            (&Method::PATCH, ["sobjects", object, field, key]) => {
                self.knows(object)?;
                self.calls.saves += 1;
                let (id, created) = self.upsert(field, &decoded(key), &object_of(request)?, wishes)?;
                let mut outcome = saved(&id);
                outcome["created"] = created.into();
                Ok(answer(if created { 201 } else { 200 }, &outcome))
            }
            _ => Err(Refusal::not_found()),
        }
    }

    fn knows(&self, object: &str) -> Result<(), Refusal> {
        if object.eq_ignore_ascii_case(&self.object) { Ok(()) } else { Err(Refusal::not_found()) }
    }

    fn made(
        &mut self,
        request: &Request<Bytes>,
        make: fn(&mut Self, &Map<String, Value>) -> Result<String, Refusal>,
    ) -> Result<Response<Bytes>, Refusal> {
        let id = make(self, &object_of(request)?)?;
        Ok(answer(201, &saved(&id)))
    }
}

fn json_of(request: &Request<Bytes>) -> Result<Value, Refusal> {
    let refused = |_| Refusal::new(400, "JSON_PARSER_ERROR", "Unexpected character in the request's body");
    serde_json::from_slice(request.body()).map_err(refused)
}

fn object_of(request: &Request<Bytes>) -> Result<Map<String, Value>, Refusal> {
    match json_of(request)? {
        Value::Object(object) => Ok(object),
        _ => Err(Refusal::new(400, "JSON_PARSER_ERROR", json!("an object is expected").to_string())),
    }
}
