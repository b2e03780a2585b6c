//! The API's own description: OpenAPI 3.1, with the schemas of the very types that it answers with.

use std::any::TypeId;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::query;
use super::types::{
    AlertTested, Alerts, AuditEntry, Compare, Comparison, DestinationStatus, Erased, Erasure, Held, LeadDetail,
    LeadSummary, Page, ParkedDetail, ParkedItem, Pause, Repair, Repaired, Replay, Replayed, SourceStatus, Stats, Whom,
};

pub(super) async fn document() -> HttpResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi().to_string());
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT.as_str())
}

fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let paths = paths(&mut schemas);
    let mut definitions = schemas.take_definitions(true);
    definitions.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {"title": "leadrelay admin API", "version": env!("CARGO_PKG_VERSION")},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn paths(s: &mut SchemaGenerator) -> Map<String, Value> {
    let mut all = reading(s);
    all.extend(acting(s));
    all.into_iter().map(|(path, operation)| (format!("/api/v1/{path}"), operation)).collect()
}

fn reading(s: &mut SchemaGenerator) -> Vec<(&'static str, Value)> {
    let no = || json!([]);
    let mut lead = get::<LeadDetail>(s, "A lead with its story, by its id or the beginning of it", &path("id"));
    lead["delete"] = operation::<Erasure>(s, "Erase a lead, by its whole id", &path("id"));
    vec![
        ("leads", get::<Page<LeadSummary>>(s, "Leads, the newest first", &list(&query::LEADS))),
        ("leads/{id}", lead),
        ("parked", get::<Page<ParkedItem>>(s, "What waits for a person, the latest first", &list(&query::PARKED))),
        ("parked/{id}", get::<ParkedDetail>(s, "A parked item with what waits", &path("id"))),
        (
            "audit",
            get::<Page<AuditEntry>>(s, "What operators have done, the latest first", &list(&["limit", "cursor"])),
        ),
        ("destinations", get::<Vec<DestinationStatus>>(s, "How the destinations are", &no())),
        ("sources", get::<Vec<SourceStatus>>(s, "How the sources are", &no())),
        ("stats", get::<Stats>(s, "Numbers for an overview", &no())),
        ("alerts", get::<Alerts>(s, "What is wrong, what was, and who is told", &no())),
    ]
}

fn acting(s: &mut SchemaGenerator) -> Vec<(&'static str, Value)> {
    let release = "Send it on its way again, as it is; a quarantined lead is mapped as far as it can be read";
    let repair = "Send a parked lead on its way again with a new body, judged as at the door; 422 with the faults";
    let replay = "Send on their way again: a parked item as it is, of anything else the lead, by today's rules; \
                  or all parked items that match";
    let check = "Ask a destination for its fields at once; what it says is in its status a moment later";
    let pause = "Pause a destination; what is for it waits";
    vec![
        ("parked/{id}/release", post::<(), Replayed>(s, release, &path("id"))),
        ("parked/{id}/repair", post::<Repair, Repaired>(s, repair, &path("id"))),
        ("replay", post::<Replay, Replayed>(s, replay, &json!([]))),
        ("destinations/{name}/pause", post::<Pause, DestinationStatus>(s, pause, &path("name"))),
        ("destinations/{name}/check", post::<(), DestinationStatus>(s, check, &path("name"))),
        ("compare", post::<Compare, Comparison>(s, "What other routes would change for the latest leads", &json!([]))),
        ("erase", post::<Whom, Erased>(s, "Erase every lead of a person", &json!([]))),
        ("export", post::<Whom, Held>(s, "Everything that is held about a person", &json!([]))),
        ("alerts/test", post::<(), Vec<AlertTested>>(s, "Send one message to every channel now", &json!([]))),
        ("destinations/{name}/resume", post::<(), DestinationStatus>(s, "End a pause by hand", &path("name"))),
    ]
}

fn get<T: JsonSchema>(s: &mut SchemaGenerator, summary: &str, parameters: &Value) -> Value {
    json!({"get": operation::<T>(s, summary, parameters)})
}

/// `()` stands for no body.
fn post<B: JsonSchema + 'static, T: JsonSchema>(s: &mut SchemaGenerator, summary: &str, parameters: &Value) -> Value {
    let mut operation = operation::<T>(s, summary, parameters);
    if TypeId::of::<B>() != TypeId::of::<()>() {
        operation["requestBody"] = json!({"content": {"application/json": {"schema": s.subschema_for::<B>()}}});
    }
    json!({"post": operation})
}

fn operation<T: JsonSchema>(s: &mut SchemaGenerator, summary: &str, parameters: &Value) -> Value {
    let schema = s.subschema_for::<T>();
    let refused = json!({"$ref": "#/components/schemas/Problem"});
    json!({
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done", "content": {"application/json": {"schema": schema}}},
            "default": {"description": "Not done, and why", "content": {"application/problem+json": {"schema": refused}}},
        },
    })
}

fn path(name: &str) -> Value {
    json!([{"name": name, "in": "path", "required": true, "schema": {"type": "string"}}])
}

fn list(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}})).collect()
}

/// RFC 9457, and the faults of a body that is no lead.
fn problem() -> Value {
    let properties: Map<String, Value> = [
        ("type", json!({"type": "string"})),
        ("title", json!({"type": "string"})),
        ("status", json!({"type": "integer"})),
        ("detail", json!({"type": "string"})),
        ("faults", json!({"type": "array", "items": {"$ref": "#/components/schemas/Fault"}})),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect();
    json!({"type": "object", "properties": properties, "required": ["title", "status", "detail"]})
}
