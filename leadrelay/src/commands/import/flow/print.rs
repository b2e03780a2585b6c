//! Routes as TOML, with what they lack beside them.

use serde_json::Value;
use toml_edit::Key;

use super::definition::{Flow, Row};
use super::expression::template;

/// What is printed.
#[derive(Debug, Default)]
pub(super) struct Printed {
    pub(super) text: String,
    /// What is not carried over, with its place.
    pub(super) left: Vec<String>,
}

/// A route for each action that adds a row.
pub(super) fn routes(flow: &Flow<'_>, to: &str) -> Printed {
    let mut printed = Printed::default();
    printed.text.push_str(
        "# From a Power Automate flow. Read it through, and try it with `leadrelay try` or `leadrelay compare`.\n",
    );
    flow.left.iter().for_each(|left| printed.left(left.clone()));
    for (n, row) in flow.rows.iter().enumerate() {
        printed.route(flow, row, n, to);
    }
    printed
}

impl Printed {
    /// Names what is not carried over.
    fn left(&mut self, what: String) {
        // A comment ends with its line, whatever the file says.
        let line: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.text.push_str(&format!("# not carried over: {line}\n"));
        self.left.push(what);
    }

    fn route(&mut self, flow: &Flow<'_>, row: &Row<'_>, n: usize, to: &str) {
        self.text.push('\n');
        if !row.within.is_empty() {
            let within = row.within.join(" > ");
            self.left(format!("action {}: it happens only as {within} says; write that as `when`", row.name));
        }
        let table = if row.table.is_empty() { "a table that is not named" } else { row.table };
        let table: String = table.chars().filter(|c| !c.is_control()).collect();
        self.text.push_str(&format!(
            "# The flow adds rows to {table}; say so in the destination if that is not its table.\n"
        ));
        self.text.push_str(&format!(
            "[[routes]]\nname = {}\nto = {}\n\n[routes.fields]\n",
            quoted(&name(row.name, n)),
            quoted(to)
        ));
        for (field, value) in &row.fields {
            match written(value, flow) {
                Ok(Some(value)) => self.text.push_str(&format!("{} = {value}\n", Key::new(*field).display_repr())),
                Ok(None) => {}
                Err(reason) => self.left(format!("action {}, field {field}: {reason}: {value}", row.name)),
            }
        }
    }
}

/// A value in TOML; nothing where the flow gives none.
fn written(value: &Value, flow: &Flow<'_>) -> Result<Option<String>, String> {
    Ok(match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(quoted(&template(text, &flow.readers)?)),
        Value::Bool(is) => Some(is.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) | Value::Object(_) => return Err("it is a list or a table".to_owned()),
    })
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A route's name: the action's, and its number where it is not the first.
fn name(action: &str, n: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = action.chars().map(plain).collect();
    if n == 0 { name } else { format!("{name}-{}", n + 1) }
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::config::{Config, RouteConfig};
    use leadrelay_shared::mapping::Rules;
    use serde_json::json;

    use super::*;
    use crate::commands::import::flow::definition;

    #[derive(serde::Deserialize)]
    struct Routes {
        routes: Vec<RouteConfig>,
    }

    fn create(parameters: &Value) -> Value {
        json!({"type": "OpenApiConnection", "inputs": {"host": {"operationId": "CreateRecord"}, "parameters": parameters}})
    }

    fn printed(actions: &Value) -> Printed {
        let file = json!({"properties": {"definition": {
            "triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}}});
        let printed = routes(&definition::read(&file).expect("a flow"), "crm");
        let Routes { routes } = toml::from_str(&printed.text).unwrap_or_else(|e| panic!("{e}: {}", printed.text));
        Rules::compile(&Config { routes, ..Config::default() }).unwrap_or_else(|e| panic!("{e:?}: {}", printed.text));
        printed
    }

    #[test]
    fn microsofts_own_recipe_becomes_a_route() {
        let printed = printed(&json!({"Add_a_new_row": create(&json!({
            "entityName": "leads",
            "item/subject": "@{triggerBody()?['OfferTitle']}: new",
            "item/firstname": "@triggerBody()?['UserDetails']?['FirstName']",
            "item/emailaddress1": "@toLower(trim(triggerBody()?['UserDetails']?['Email']))",
            "item/leadsourcecode": 8,
            "item/donotphone": false,
            "item/jobtitle": "",
            "item/estimatedclosedate": "@utcNow()",
            "item/ownerid@odata.bind": "teams(00000000-0000-0000-0000-000000000000)",
        }))}));
        insta::assert_snapshot!(printed.text, @r##"
# From a Power Automate flow. Read it through, and try it with `leadrelay try` or `leadrelay compare`.

# The flow adds rows to leads; say so in the destination if that is not its table.
[[routes]]
name = "add-a-new-row"
to = "crm"

[routes.fields]
subject = "{{ lead.offer_title }}: new"
firstname = "{{ lead.first_name }}"
emailaddress1 = "{{ lead.email | trim | lower }}"
leadsourcecode = 8
donotphone = false
# not carried over: action Add_a_new_row, field estimatedclosedate: it calls `utcNow`: "@utcNow()"
"ownerid@odata.bind" = "teams(00000000-0000-0000-0000-000000000000)"
"##);
        assert_eq!(printed.left, [r#"action Add_a_new_row, field estimatedclosedate: it calls `utcNow`: "@utcNow()""#]);
    }

    #[test]
    fn what_stands_around_the_rows_is_named() {
        let row = create(
            &json!({"entityName": "leads", "item": {"lastname": "@body('Parse')?['UserDetails']?['LastName']"}}),
        );
        let mail = json!({"type": "OpenApiConnection", "inputs": {"host": {"operationId": "SendEmailV2"}}});
        let printed = printed(&json!({
            "Parse": {"type": "ParseJson", "inputs": {"content": "@triggerBody()"}},
            "If": {"type": "If", "actions": {"Row": row.clone()}, "else": {"actions": {"Mail\nx = 1": mail}}},
            "Try": {"type": "Scope", "actions": {"Row": row}},
        }));
        assert_eq!(
            printed.left,
            ["action Mail\nx = 1 (SendEmailV2)", "action Row: it happens only as If says; write that as `when`",]
        );
        assert!(printed.text.contains("# not carried over: action Mail x = 1 (SendEmailV2)\n"), "{}", printed.text);
        assert!(
            printed.text.contains("name = \"row\"\n") && printed.text.contains("name = \"row-2\"\n"),
            "{}",
            printed.text
        );
        assert_eq!(printed.text.matches("lastname = \"{{ lead.last_name }}\"").count(), 2, "{}", printed.text);
    }
}
