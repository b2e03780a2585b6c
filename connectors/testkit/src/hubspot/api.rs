//! The face: which request is which call, and who may make it.

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

use super::portal::{HubSpotRecord, Object, Portal, State};
use super::property::Property;
use super::refusal::Refusal;
use crate::Simulated;
use crate::answers::{answer, bearer, decoded, fields_of};

impl Simulated for Portal {
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().trim_start_matches('/');
        let mut state = self.state();
        if path == "records" {
            return state.show();
        }
        let path: Vec<String> = path.split('/').map(decoded).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let answered = state.admit(request).and_then(|()| match path.as_slice() {
            ["crm", "v3", rest @ ..] => state.call(request, rest),
            _ => Err(Refusal::new(404, "", "resource not found")),
        });
        answered.unwrap_or_else(|refusal| refusal.answer())
    }
}

impl State {
    /// What is in it, for people: no part of HubSpot.
    fn show(&self) -> Response<Bytes> {
        let shown = |record: &HubSpotRecord| json!({"id": record.id, "contact": record.contact, "properties": record.properties});
        let all = |records: &[HubSpotRecord]| records.iter().map(shown).collect::<Vec<_>>();
        answer(200, &json!({"contacts": all(&self.contacts), "records": all(&self.leads)}))
    }

    /// Whether whoever calls may call at all.
    fn admit(&mut self, request: &Request<Bytes>) -> Result<(), Refusal> {
        if bearer(request) != self.token {
            return Err(Refusal::new(401, "INVALID_AUTHENTICATION", "Authentication credentials not found."));
        }
        if let Some((policy, calls)) = &mut self.limit
            && *calls > 0
        {
            *calls -= 1;
            return Err(Refusal::throttled(policy));
        }
        match &self.missing_scope {
            Some(scope) if request.method() != Method::GET => Err(Refusal::missing_scope(scope)),
            _ => Ok(()),
        }
    }

    fn call(&mut self, request: &Request<Bytes>, path: &[&str]) -> Result<Response<Bytes>, Refusal> {
        let object = match path.get(1) {
            Some(&"contacts") => Object::Contact,
            Some(&"leads") => Object::Lead,
            _ => return Err(Refusal::new(404, "", "resource not found")),
        };
        match (request.method(), path) {
            (&Method::GET, ["properties", _]) => {
                self.calls.properties += 1;
                let results: Vec<Value> = self.of(object).1.iter().map(Property::told).collect();
                Ok(answer(200, &json!({"results": results})))
            }
            (&Method::GET, ["objects", _, which]) => {
                self.calls.reads += 1;
                let by = fields_of(request.uri().query().unwrap_or_default().as_bytes()).remove("idProperty");
                self.find(object, which, by.as_deref()).map(|found| answer(200, &found.told(object)))
            }
            (&Method::POST, ["objects", _]) => {
                self.calls.writes += 1;
                let body = object_of(request)?;
                let made = match object {
                    Object::Contact => self.new_contact(&body),
                    Object::Lead => self.new_lead(body),
                };
                made.map(|made| answer(201, &made.told(object)))
            }
            (&Method::PATCH, ["objects", "contacts", which]) => {
                self.calls.writes += 1;
                self.change(which, properties_of(&object_of(request)?)).map(|it| answer(200, &it.told(object)))
            }
            _ => Err(Refusal::new(405, "", "method not allowed")),
        }
    }

    fn find(&mut self, object: Object, which: &str, by: Option<&str>) -> Result<HubSpotRecord, Refusal> {
        let (records, known) = self.of(object);
        let is_key = |by: &str| by == "email" || known.iter().any(|property| property.name == by && property.unique);
        if let Some(by) = by.filter(|by| !is_key(by)) {
            return Err(Refusal::new(400, "VALIDATION_ERROR", format!("{by} is not a unique property")));
        }
        let is_it = |record: &&HubSpotRecord| match by {
            Some(by) => {
                record.properties.get(by).and_then(Value::as_str).is_some_and(|v| v.eq_ignore_ascii_case(which))
            }
            None => record.id == which,
        };
        records.iter().find(is_it).cloned().ok_or_else(|| Refusal::no_such_object(which))
    }

    fn new_contact(&mut self, body: &Map<String, Value>) -> Result<HubSpotRecord, Refusal> {
        let properties = properties_of(body);
        self.judge(Object::Contact, &properties)?;
        let email = properties.get("email").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Ok(known) = self.find(Object::Contact, &email, Some("email")) {
            return Err(Refusal::contact_exists(&known.id));
        }
        self.create(Object::Contact, properties, None)
    }

    fn new_lead(&mut self, body: Map<String, Value>) -> Result<HubSpotRecord, Refusal> {
        let body = Value::Object(body);
        let link = &body["associations"][0];
        let contact = link["to"]["id"].as_str().filter(|_| link["types"][0]["associationTypeId"] == 578);
        let contact = contact.ok_or_else(|| Refusal::new(400, "VALIDATION_ERROR", "A lead must have a contact"))?;
        self.find(Object::Contact, contact, None)?;
        let properties = properties_of(body.as_object().unwrap_or(&Map::new()));
        if !properties.contains_key("hs_lead_name") {
            return Err(Refusal::property("REQUIRED_FIELD", "hs_lead_name", ""));
        }
        self.create(Object::Lead, properties, Some(contact.to_owned()))
    }

    fn change(&mut self, which: &str, properties: Map<String, Value>) -> Result<HubSpotRecord, Refusal> {
        self.judge(Object::Contact, &properties)?;
        let found = self.contacts.iter_mut().find(|contact| contact.id == which);
        let found = found.ok_or_else(|| Refusal::no_such_object(which))?;
        found.properties.extend(properties);
        found.updates += 1;
        Ok(found.clone())
    }
}

fn object_of(request: &Request<Bytes>) -> Result<Map<String, Value>, Refusal> {
    let wrong = |_| Refusal::new(400, "VALIDATION_ERROR", "Invalid input JSON");
    serde_json::from_slice(request.body()).map_err(wrong)
}

fn properties_of(body: &Map<String, Value>) -> Map<String, Value> {
    body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}
