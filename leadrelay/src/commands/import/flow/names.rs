//! What the members of a lead are called in leadrelay's rules.

/// The expression that reads a member of the lead's body.
pub(super) fn of(path: &[String]) -> String {
    let folded: Vec<String> = path.iter().map(|name| name.to_ascii_lowercase()).collect();
    let steps: Vec<&str> = folded.iter().map(String::as_str).collect();
    let known = match steps.as_slice() {
        ["userdetails", "firstname"] => "first_name",
        ["userdetails", "lastname"] => "last_name",
        ["userdetails", "email"] => "email",
        ["userdetails", "phone"] => "phone",
        ["userdetails", "country"] => "country_raw",
        ["userdetails", "company"] => "company",
        ["userdetails", "title"] => "job_title",
        ["offertitle"] => "offer_title",
        ["actioncode"] => "action",
        ["description"] => "description",
        _ => "",
    };
    if known.is_empty() {
        path.iter().fold("lead.body".to_owned(), |before, name| step(&before, name))
    } else {
        format!("lead.{known}")
    }
}

fn step(before: &str, name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let index = !name.is_empty() && name.len() < 10 && name.bytes().all(|b| b.is_ascii_digit());
    match (plain, index) {
        (true, _) => format!("{before}.{name}"),
        (false, true) => format!("{before}[{name}]"),
        (false, false) => format!("{before}[{}]", quoted(name)),
    }
}

/// A text as the mapping language writes it.
pub(super) fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\r', "\\r");
    format!("'{escaped}'")
}
