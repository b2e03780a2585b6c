//! Mistakes in rules: all of them at once, each with its key and the nearest right name.

use crate::support;

fn told(routes: &str) -> String {
    let line = |m: leadrelay_shared::config::Mistake| match m.remedy {
        Some(remedy) => format!("{}: {}; {remedy}", m.key, m.reason),
        None => format!("{}: {}", m.key, m.reason),
    };
    support::mistakes(routes).into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_mistake_of_every_route_is_told_at_once() {
    let routes = r#"
[[routes]]
name = "a"
when = "lead.tst and not lead.do_not_contact"
to = "crm"
[routes.fields]
subject = "{{ lead.offer_titel }}"
first = "{{ lead['frist_name'] | uper }}"
name = "{{ lead.first_name }} {{ lead.last_name"
zip = "{{ zip }}"
mail = "{{ email }}"
nested = { city = ["{{ lead.body.x.y.z }}", "{{ lead.town }}"] }
[[routes]]
name = "b"
when = "{{ lead.test }}"
to = "archive"
[routes.fields]
a = "{% if lead.test is defned %}x{% endif %}"
b = "{{ rnge(3) }}"
c = "{{ lead.email.lower() }}"
d = "{{ lead.country | lookup('regoin') }}"
e = "{{ lead.body.tags | map('uper') | select('strng') | join }}"
f = "{{ [1] * 5 }} {{ '$' ~ lead.body.seats * 100 }}"
g = "{% include 'x' %}"
h = "{{ debug() }}"
i = "{{ lead.email | truncate_to }} {{ lead.email }}"
j = "{{ lead.email | upper(1) }}"
[[routes]]
name = "c"
when = "lead.test and"
to = "partner"
fields = {}
[lookups.region]
US = "Americas"
us = "America"
"#;
    insta::assert_snapshot!(told(routes), @r#"
    lookups.region.us: is there twice: letter case does not count; leave one of them out
    routes[0].when: a lead has no `tst`; did you mean `lead.test`?
    routes[0].fields.subject: a lead has no `offer_titel`; did you mean `lead.offer_title`?
    routes[0].fields.first: there is no filter `uper`; did you mean `upper`?
    routes[0].fields.first: a lead has no `frist_name`; did you mean `lead.first_name`?
    routes[0].fields.name: unexpected end of input, expected end of variable block
    routes[0].fields.zip: there is no `zip` here; all that is known of a lead is under `lead`; a text stands in quotes
    routes[0].fields.mail: there is no `email` here; did you mean `lead.email`?
    routes[0].fields.nested.city[1]: a lead has no `town`; members of what was sent are under `lead.body`; else it is one of id, source, received_at, first_name, last_name, email, phone, company, job_title, country, country_raw, description, offer_title, action, action_name, lead_source, publisher, offer, test, do_not_contact, body
    routes[1].when: is an expression, not a template; write it without `{{` and `}}`
    routes[1].fields.a: there is no test `defned`; did you mean `defined`?
    routes[1].fields.b: there is no function `rnge`; did you mean `range`?
    routes[1].fields.c: values have no methods, and so no `lower`; did you mean the filter `|lower`?
    routes[1].fields.d: there is no table `lookups.regoin`; did you mean `region`?
    routes[1].fields.e: there is no test `strng`; did you mean `string`?
    routes[1].fields.e: there is no filter `uper`; did you mean `upper`?
    routes[1].fields.f: what is multiplied must be a number for sure; put `| int` or `| float` behind it
    routes[1].fields.f: what is multiplied must be a number for sure; put `| int` or `| float` behind it
    routes[1].fields.g: unknown statement include
    routes[1].fields.h: there is no function `debug`
    routes[1].fields.i: missing argument for a filter, test or function
    routes[1].fields.j: too many arguments for a filter, test or function
    routes[2].when: unexpected end of input, expected expression
    routes[2].fields: names no field, so that every record would be empty; name some, or leave `fields` out to send the lead in leadrelay's own names
    "#);
}

#[test]
fn names_that_a_template_binds_are_known() {
    let template = "{% set n = 1 %}{% for a, b in lead.body.map | items %}{{ loop.index }}{{ loop.cycle(1, 2) }}{{ a ~ b ~ n }}{% endfor %}\
        {% macro m(x, y=lead.email) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}{% with w = 2 %}{{ w }}{% endwith %}";
    support::rules(&support::one_field(template));
}

#[test]
fn a_product_of_what_is_surely_a_number_is_fine() {
    let template = "{{ 2 * lead.body.seats | int }} {{ (lead.body.a | float + 1) * (lead.body.b | length - 2) * -lead.body.c }}\
        {% for x in lead.body.list %}{{ loop.index * 10 }}{% endfor %}{{ '=' * 20 }}{{ (3 if lead.test else 4) * 2 }}";
    support::rules(&support::one_field(template));
}

#[test]
fn all_that_is_under_body_is_lenient() {
    support::rules(&support::one_field("{{ lead.body.no['such'].thing | default('x') }}"));
}

#[test]
fn a_version_is_short_and_follows_the_rules() {
    let one = support::rules(&support::one_field("{{ lead.email }}"));
    let two = support::rules(&support::one_field("{{ lead.phone }}"));
    assert_eq!(one.version().len(), 12);
    assert_eq!(one.version(), support::rules(&support::one_field("{{ lead.email }}")).version());
    assert_ne!(one.version(), two.version());
}
