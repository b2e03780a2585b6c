//! `leadrelay import`: leads of Partner Center, against a running relay.

use serde_json::{Value, json};

use super::support::{Home, Ran, TOKEN};
use super::up::Up;

/// How often something is asked for before it is given up: each time is a process.
const PATIENCE: usize = 1000;

const HEADER: &str =
    "Referral ID,Created date,Customer Name,Contact name,Email,Lead Source,Call to action,Offer name,Notes\n";

fn home() -> Home {
    Home::with(&format!(
        "[sources.addon]\ntokens = ['{TOKEN}']\n[destinations.inbox]\nconnector = 'file'\npath = 'out'\n\
         [[routes]]\nname = 'all'\nto = 'inbox'\n"
    ))
}

fn import(up: &Up, home: &Home, args: &[&str]) -> Ran {
    let to = up.after("listening for leads at ");
    up.ask(home, &[&["import", "partner-center", "leads.csv", "--to", to], args].concat())
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}", ran.told()))
}

/// Waits until the relay shows so many leads, and gives them.
fn until(up: &Up, home: &Home, n: usize) -> Value {
    let all = || json_of(&up.ask(home, &["leads", "list", "--json"]))["items"].clone();
    let found = (0..PATIENCE).map(|_| all()).find(|all| all.as_array().map(Vec::len) == Some(n));
    found.expect("all of them are shown")
}

#[test]
fn what_is_new_is_posted_once_and_what_is_known_is_left_alone() {
    let home = home();
    let up = Up::start(&home);
    // One of them came in by itself.
    let sample = up.ask(&home, &["send", "--sample", "--to", up.after("listening for leads at ")]);
    assert_eq!(sample.code, 0, "{}", sample.told());
    let rows = "r-1,,Contoso,Robin Sample,Robin@Example.com,Azure Marketplace,Get it now,Sample offer,\n\
                r-2,2026-03-04,Contoso,Ann van Lee,ann@example.com,AppSource,Contact me,Add-on,\"first\nsecond\"\n\
                r-3,,,,,,,,nobody\n\
                r-4,,Fabrikam,Bo,bo@example.com,,,,\n";
    home.write("leads.csv", &format!("{HEADER}{rows}"));
    let dry = import(&up, &home, &["--dry-run", "--json"]);
    let fault = json!({"line": 5, "reason": "it names no person and no company"});
    let told = json!({"dry_run": true, "new": [3, 6], "known": [2], "faulty": [fault]});
    assert_eq!((dry.code, json_of(&dry)), (1, told), "{}", dry.told());
    assert_eq!(until(&up, &home, 1).as_array().map(Vec::len), Some(1), "nothing was posted");

    let first = import(&up, &home, &[]);
    insta::assert_snapshot!(first.told(), @r##"
2 rows new, posted: lines 3, 6
1 row known already: line 2
1 row faulty
  line 5: it names no person and no company
exit code 1
"##);
    let leads = until(&up, &home, 3);
    let ann = leads.as_array().and_then(|all| all.iter().find(|lead| lead["email"] == "ann@example.com")).expect("Ann");
    assert_eq!(
        (&ann["name"], &ann["action"], &ann["offer_title"]),
        (&"Ann van Lee".into(), &"PLT".into(), &"Add-on".into())
    );

    // Again, after somebody has worked on one of them in Partner Center.
    let worked_on = rows.replace("\"first\nsecond\"", "closed").replace("r-3,,,,,,,,nobody\n", "");
    home.write("leads.csv", &format!("{HEADER}{worked_on}"));
    let again = import(&up, &home, &["--json"]);
    let told = json!({"dry_run": false, "new": [], "known": [2, 3, 4], "faulty": []});
    assert_eq!((again.code, json_of(&again)), (0, told), "{}", again.told());
    assert_eq!(until(&up, &home, 3).as_array().map(Vec::len), Some(3));
    up.signal(libc::SIGTERM);
    assert_eq!(up.ends_with(), Some(0));
}

#[test]
fn a_flow_is_printed_as_routes_and_what_is_left_is_told() {
    let home = Home::empty();
    let row = json!({"type": "OpenApiConnection", "inputs": {"host": {"operationId": "CreateRecord"}, "parameters": {
        "entityName": "leads", "item/lastname": "@triggerBody()?['UserDetails']?['LastName']", "item/x": "@utcNow()"}}});
    let flow =
        |actions: Value| json!({"definition": {"triggers": {"manual": {"type": "Request"}}, "actions": actions}});
    home.write("definition.json", &flow(json!({"Add_a_row": row})).to_string());
    let ran = home.run(&["import", "flow", "definition.json", "--to", "dynamics"]);
    insta::assert_snapshot!(ran.told(), @r##"
# From a Power Automate flow. Read it through, and try it with `leadrelay try` or `leadrelay compare`.

# The flow adds rows to leads; say so in the destination if that is not its table.
[[routes]]
name = "add-a-row"
to = "dynamics"

[routes.fields]
lastname = "{{ lead.last_name }}"
# not carried over: action Add_a_row, field x: it calls `utcNow`: "@utcNow()"
not carried over: action Add_a_row, field x: it calls `utcNow`: "@utcNow()"
exit code 0
"##);
    let ran = home.run(&["import", "flow", "definition.json", "--json"]);
    assert_eq!(json_of(&ran)["left"], json!([r#"action Add_a_row, field x: it calls `utcNow`: "@utcNow()""#]));
    home.write("none.json", &flow(json!({})).to_string());
    for (file, text, code) in [("none.json", None, 1), ("odd.json", Some("{}"), 2), ("flow.zip", Some("PK.."), 2)] {
        text.into_iter().for_each(|text| home.write(file, text));
        let ran = home.run(&["import", "flow", file]);
        assert!(ran.code == code && ran.err.starts_with(&format!("error: {file}: ")), "{}", ran.told());
    }
}

#[test]
fn another_file_is_refused_before_anything_is_asked() {
    let home = home();
    home.write("leads.csv", "Invoice;Amount\n1;2\n");
    let ran = home.run(&["import", "partner-center", "leads.csv"]);
    insta::assert_snapshot!(ran.told(), @r##"
error: leads.csv: no column names a person or a company; there are Invoice, Amount
exit code 2
"##);
}
