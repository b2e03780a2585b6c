//! Whether routes fit the fields of their destination, as far as can be told without a lead.

use serde_json::Value;

use super::{Mistake, RouteConfig};
use crate::fields::{Field, Fields, utf16_len};

/// What of the routes to `destination` does not fit its fields. A destination that told none takes any.
pub fn unfit(routes: &[RouteConfig], destination: &str, fields: &Fields) -> Vec<Mistake> {
    let routes = routes.iter().enumerate().filter(|(_, route)| route.to == destination);
    routes.flat_map(|(n, route)| of_route(n, route, fields)).collect()
}

fn of_route(n: usize, route: &RouteConfig, fields: &Fields) -> Vec<Mistake> {
    let (false, Some(mapped)) = (fields.0.is_empty(), &route.fields) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in mapped {
        let key = format!("routes[{n}].fields.{name}");
        match fields.0.get(name) {
            None => {
                let mistake = Mistake::new(key, format!("`{}` has no such field", route.to));
                found.push(mistake.nearest(name, fields.0.keys().map(String::as_str)));
            }
            Some(field) if !field.writable => {
                found.push(Mistake::new(key, format!("`{}` does not let it be set", route.to)).remedy("leave it out"));
            }
            Some(field) => found.extend(wrong_constant(field, value).map(|reason| Mistake::new(key, reason))),
        }
    }
    let missing = fields.0.iter().filter(|(name, field)| field.required && !mapped.contains_key(*name));
    found.extend(missing.map(|(name, _)| {
        Mistake::new(format!("routes[{n}].fields"), format!("`{}` wants `{name}` in every record", route.to))
            .remedy(format!("give `{name}` a value"))
    }));
    found
}

/// Why a value that is the same for every lead does not fit its field.
fn wrong_constant(field: &Field, value: &Value) -> Option<String> {
    if value.as_str().is_some_and(|text| text.contains("{{") || text.contains("{%")) {
        return None;
    }
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if !field.allowed.is_empty() {
        let is_allowed = field.allowed.contains(&text);
        return (!is_allowed)
            .then(|| format!("is none of the values that the field takes: {}", field.allowed.join(", ")));
    }
    if let Some(max) = field.max_length.filter(|max| value.is_string() && utf16_len(&text) > *max) {
        return Some(format!("is longer than the {max} characters of the field"));
    }
    let (fits, wanted) = match field.kind.as_str() {
        "boolean" => (value.is_boolean(), "true or false"),
        "integer" | "int" | "long" | "bigint" | "double" | "decimal" | "money" | "currency" | "percent" => {
            (value.is_number(), "a number")
        }
        "string" | "memo" | "textarea" | "email" | "phone" | "url" => (value.is_string(), "a text"),
        // What a vendor's other types take is not known here.
        _ => return None,
    };
    (!fits).then(|| format!("is no value for the field, which wants {wanted}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(required: bool, writable: bool, max_length: Option<usize>) -> Field {
        Field { kind: "string".to_owned(), required, writable, max_length, allowed: Vec::new() }
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_key() {
        let fields = Fields(
            [
                ("lastname", field(true, true, Some(5))),
                ("createdon", field(false, false, None)),
                ("subject", field(true, true, None)),
            ]
            .map(|(name, field)| (name.to_owned(), field))
            .into(),
        );
        let mapped = json!({"lastname": "too long", "lastnam": "x", "createdon": "{{ lead.received_at }}"});
        let route: RouteConfig =
            serde_json::from_value(json!({"name": "a", "to": "crm", "fields": mapped})).expect("a route");
        let told: Vec<String> = of_route(3, &route, &fields)
            .into_iter()
            .map(|m| format!("{}: {}; {}", m.key, m.reason, m.remedy.unwrap_or_default()))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r##"
routes[3].fields.lastname: is longer than the 5 characters of the field; 
routes[3].fields.lastnam: `crm` has no such field; did you mean `lastname`?
routes[3].fields.createdon: `crm` does not let it be set; leave it out
routes[3].fields: `crm` wants `subject` in every record; give `subject` a value
"##);
        assert!(of_route(0, &route, &Fields::any()).is_empty());
    }

    #[test]
    fn a_constant_of_another_type_is_told_and_a_template_is_not() {
        for (kind, value, fits) in [
            ("boolean", json!(true), true),
            ("boolean", json!("yes"), false),
            ("integer", json!(8), true),
            ("integer", json!("8"), false),
            ("string", json!("8"), true),
            ("string", json!(8), false),
            ("integer", json!("{{ lead.offer }}"), true),
            ("uniqueidentifier", json!(8), true),
        ] {
            let field = Field { kind: kind.to_owned(), ..field(false, true, None) };
            assert_eq!(wrong_constant(&field, &value).is_none(), fits, "{kind} {value}");
        }
        let choice = Field { allowed: vec!["Web".to_owned(), "8".to_owned()], ..field(false, true, None) };
        for (value, fits) in [(json!("Web"), true), (json!(8), true), (json!("Radio"), false), (json!(9), false)] {
            assert_eq!(wrong_constant(&choice, &value).is_none(), fits, "{value}");
        }
    }
}
