//! What rules cannot do: run for ever, fill the memory, overflow the stack, or say what a lead says when they fail.

use leadrelay_shared::delivery::ParkReason;
use leadrelay_shared::mapping::Routing;
use serde_json::json;

use crate::support;

const MARK: &str = "canary-5f3a";

fn route(template: &str) -> Routing {
    let body = json!({
        "UserDetails": {"LastName": MARK, "Email": format!("{MARK}@example.com")},
        "big": "x".repeat(200_000), "zero": 0, "word": MARK, "n": 1_000_000_000,
    });
    support::rules(&support::one_field(template)).route(&support::lead(body.to_string()))
}

/// Every one of these fails, soon, in the words of the kind of failure and not of the lead.
#[test]
fn bombs_are_stopped() {
    for template in [
        "{% for i in range(100000) %}{% for i in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10**9 }}",
        "{{ lead.body.word | string * lead.body.n | int }}",
        "{{ [1] | batch(10**9, 'x') | list }}",
        "{{ [1] | slice(10**9) | list }}",
        "{{ 'x\ny' | indent(10**9) }}",
        "{{ lead.body.big | replace('', lead.body.big) }}",
        "{{ '%s%s' | format(lead.body.big, lead.body.big) }}",
        "{{ lead.body.big | list | tojson }}",
        "{{ [lead.body.big, lead.body.big] | join }}",
        "{{ range(10**9) | list }}",
        "{{ range(99999) | list }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 9223372036854775807 * 9223372036854775807 * 9223372036854775807 }}",
        "{{ 2 ** 100 }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ lead.body.big | replace('x', lead.body.big) }}",
        "{{ lead.body.big ~ lead.body.big }}",
        "{{ lead.body.big }}{{ lead.body.big }}",
        "{% set ten = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] %}{% for i in ten %}{{ lead.body.big }}{% endfor %}",
        "{{ lead.body | tojson | tojson }}{{ lead.body | tojson }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{% for i in [[[[]]]] recursive %}{{ loop([[i, i]]) }}{% endfor %}",
        "{{ 1 / lead.body.zero }}",
        "{{ lead.body.word + 1 }}",
        "{{ lead.body.word | int }}",
        "{{ lead.body.word | round }}",
        "{{ lead.last_name | batch(0) }}",
        "{{ range(0, 5, 0) }}",
        "{{ 1 // 0 }}",
        "{{ 1e308 * 10 }}",
    ] {
        let routing = route(template);
        assert_eq!(routing.deliveries.len(), 0, "{template}");
        let [ParkReason::MappingFailed { route, key, reason }] = routing.failed.as_slice() else {
            panic!("{template}")
        };
        assert_eq!((route.as_str(), key.as_str()), ("one", "fields.value"));
        assert!(!reason.contains(MARK) && !reason.is_empty(), "{template}: {reason}");
    }
}

#[test]
fn deep_and_long_rules_are_read_or_refused() {
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(2000), ")".repeat(2000));
    assert!(!support::mistakes(&support::one_field(&deep)).is_empty());
    let chain = |length: usize| format!("{{{{ {}lead.body.n }}}}", "lead.body.n+".repeat(length));
    assert_eq!(route(&chain(330)).deliveries[0].record["value"], 331_000_000_000_u64);
    let chain = format!("{{{{ {}1 }}}}", "1+".repeat(990));
    assert_eq!(route(&chain).deliveries[0].record["value"], 991);
    let chain = format!("{{{{ {}1 }}}}", "1+".repeat(7000));
    assert_eq!(support::mistakes(&support::one_field(&chain))[0].reason, "has more than 2000 words and signs");
    let long = format!("{{{{ '{}' }}}}", "x".repeat(20_000));
    assert_eq!(support::mistakes(&support::one_field(&long))[0].reason, "is longer than 16384 bytes");
}

#[test]
fn a_record_is_bounded_as_a_whole() {
    let fields: String = (0..8).map(|n| format!("f{n} = '{{{{ lead.body.big }}}}'\n")).collect();
    let rules = support::rules(&format!("[[routes]]\nname = \"one\"\nto = \"crm\"\n[routes.fields]\n{fields}"));
    let body = json!({"big": "x".repeat(200_000)}).to_string();
    let failed = rules.route(&support::lead(body)).failed;
    let [ParkReason::MappingFailed { key, reason, .. }] = failed.as_slice() else { panic!("it fails") };
    assert_eq!((key.as_str(), reason.as_str()), ("fields.f5", "the record is larger than 1 MiB with it"));
}

#[test]
fn a_fresh_budget_for_every_value() {
    let template = "{% for i in range(2000) %}{{ lead.email | length }}{% endfor %}";
    assert_eq!(route(template).deliveries.len(), 1);
}
