//! Any body at all: routing never panics, says the same twice, and its ids depend on lead and destination alone.

use leadrelay_shared::id::DeliveryId;
use leadrelay_shared::mapping::explain;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::support;

const ROUTES: &str = r#"
[[routes]]
name = "mapped"
when = "lead.country != 'FR' or lead.body.x.y"
to = "crm"
[routes.fields]
name = "{{ lead.first_name | title | truncate_to(7) }} {{ lead.last_name | upper }}"
phone = "{{ lead.phone | phone_e164 }}"
country = "{{ lead.country_raw | country_name }}"
region = "{{ lead.country_raw | lookup('region', lead.body) }}"
list = "{{ lead.body | items | list }}"
text = "{% for k in lead.body %}{{ k }}={{ lead.body[k] }};{% endfor %}"
email = "{{ lead.email | replace('@', ' at ') | capitalize }}"
[[routes]]
name = "whole"
to = "archive"
[lookups.region]
US = "Americas"
"#;

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[+0-9 ()\\-.x]{0,24}".prop_map(Value::from),
        prop::sample::select(vec!["US", "Deutschland", "日本", "{{ lead }}", "{% raw %}"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..8)
                .prop_map(|m| Value::from(m.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    let known = [
        "UserDetails",
        "FirstName",
        "LastName",
        "Email",
        "Phone",
        "Country",
        "LeadSource",
        "ActionCode",
        "Description",
    ];
    prop_oneof![3 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,8}"]
}

proptest! {
    #[test]
    fn any_json_is_routed(body in json()) {
        check(body.to_string().into_bytes());
    }

    #[test]
    fn any_bytes_are_routed(body in prop::collection::vec(any::<u8>(), 0..200)) {
        check(body);
    }

    #[test]
    fn any_phone_is_left_or_told(phone in "\\PC{0,40}", country in "[A-Z]{2}") {
        let body = serde_json::json!({"UserDetails": {"Phone": phone, "Country": country}});
        check(body.to_string().into_bytes());
    }
}

fn check(body: Vec<u8>) {
    let rules = support::rules(ROUTES);
    let lead = support::lead(body);
    let routing = rules.route(&lead);
    let again = rules.route(&lead);
    assert_eq!(routing.deliveries, again.deliveries);
    assert_eq!(routing.failed, again.failed);
    assert_eq!(routing.deliveries.len() + routing.failed.len() + routing.skipped.len(), 2);
    for delivery in &routing.deliveries {
        assert_eq!(delivery.id, DeliveryId::of(lead.id, &delivery.destination));
        assert_eq!((delivery.lead, delivery.accepted_at, delivery.attempt), (lead.id, lead.received_at, 0));
    }
    assert_eq!(explain(&rules, &lead).routes.len(), 2);
}
