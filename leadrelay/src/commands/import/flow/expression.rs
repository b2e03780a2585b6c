//! Expressions of flows as templates of the mapping language: those that read the lead, and join or change what they read.

use std::collections::BTreeSet;

use super::names;

/// The deepest nesting that is read.
const DEPTH: usize = 32;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Code(String),
}

/// What an expression gives.
enum Made {
    /// A member of the lead's body; none of its steps is the body itself.
    Body(Vec<String>),
    /// The trigger's outputs, of which the body is one.
    Outputs,
    Parts(Vec<Part>),
}

/// The template of a text as it stands in a flow.
///
/// # Errors
/// Why it cannot be one.
pub(super) fn template(text: &str, readers: &BTreeSet<&str>) -> Result<String, String> {
    if let Some(rest) = text.strip_prefix("@@") {
        return Ok(written(&[Part::Text(format!("@{rest}"))]));
    }
    if text.starts_with('@') && !text.starts_with("@{") {
        return Parser { rest: &text[1..], readers }.whole().map(|parts| written(&parts));
    }
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("@{") {
        parts.push(Part::Text(before.to_owned()));
        let mut parser = Parser { rest: after, readers };
        parts.extend(parser.parts(DEPTH)?);
        parser.expect('}')?;
        rest = parser.rest;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(written(&parts))
}

fn written(parts: &[Part]) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) if text.contains("{{") || text.contains("{%") || text.contains("{#") => {
            format!("{{{{ {} }}}}", names::quoted(text))
        }
        Part::Text(text) => text.clone(),
        Part::Code(code) => format!("{{{{ {code} }}}}"),
    };
    parts.iter().map(part).collect()
}

/// Pieces as one expression.
fn code(parts: &[Part]) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => names::quoted(text),
        Part::Code(code) => code.clone(),
    };
    match parts {
        [] => names::quoted(""),
        [one] => part(one),
        several => format!("({})", several.iter().map(part).collect::<Vec<_>>().join(" ~ ")),
    }
}

/// Reads one expression from its left end.
struct Parser<'a> {
    rest: &'a str,
    readers: &'a BTreeSet<&'a str>,
}

impl<'a> Parser<'a> {
    fn whole(mut self) -> Result<Vec<Part>, String> {
        let parts = self.parts(DEPTH)?;
        if self.rest.trim().is_empty() { Ok(parts) } else { Err("more follows where it should end".to_owned()) }
    }

    fn parts(&mut self, left: usize) -> Result<Vec<Part>, String> {
        match self.made(left)? {
            Made::Body(path) => Ok(vec![Part::Code(names::of(&path))]),
            Made::Outputs => Err("it takes the trigger's outputs as a whole".to_owned()),
            Made::Parts(parts) => Ok(parts),
        }
    }

    fn made(&mut self, left: usize) -> Result<Made, String> {
        let left = left.checked_sub(1).ok_or("it is nested too deep")?;
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('\'') {
            return Ok(Made::Parts(vec![Part::Text(self.literal()?)]));
        }
        let word = self.word(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if word.parse::<f64>().is_ok() {
            return Ok(Made::Parts(vec![Part::Text(word.to_owned())]));
        }
        self.expect('(').map_err(|_| format!("`{word}` is not known"))?;
        let made = self.call(word, left)?;
        self.members(made)
    }

    fn call(&mut self, name: &str, left: usize) -> Result<Made, String> {
        let mut args = Vec::new();
        self.rest = self.rest.trim_start();
        while !self.rest.starts_with(')') {
            if !args.is_empty() {
                self.expect(',')?;
            }
            args.push(self.parts(left)?);
            self.rest = self.rest.trim_start();
        }
        self.expect(')')?;
        let filter = |args: &[Vec<Part>], filter: &str| match args {
            [one] => Ok(Made::Parts(vec![Part::Code(format!("{} | {filter}", code(one)))])),
            _ => Err(format!("`{name}` has another number of arguments than one")),
        };
        match (name.to_ascii_lowercase().as_str(), args.as_slice()) {
            ("triggerbody", []) => Ok(Made::Body(Vec::new())),
            ("triggeroutputs", []) => Ok(Made::Outputs),
            ("body", [reader]) if matches!(reader.as_slice(), [Part::Text(name)] if self.readers.contains(name.as_str())) => {
                Ok(Made::Body(Vec::new()))
            }
            ("concat", _) => Ok(Made::Parts(args.concat())),
            ("coalesce", [_, ..]) => {
                let all: Vec<String> = args.iter().map(|parts| code(parts)).collect();
                Ok(Made::Parts(vec![Part::Code(format!("({})", all.join(" or ")))]))
            }
            ("string", _) => filter(&args, "string"),
            ("trim", _) => filter(&args, "trim"),
            ("tolower", _) => filter(&args, "lower"),
            ("toupper", _) => filter(&args, "upper"),
            _ => Err(format!("it calls `{name}`")),
        }
    }

    /// What stands behind: `?['name']`, `['name']`, `[0]`.
    fn members(&mut self, mut made: Made) -> Result<Made, String> {
        loop {
            let rest = self.rest.trim_start();
            let rest = rest.strip_prefix('?').unwrap_or(rest);
            let Some(rest) = rest.strip_prefix('[') else { return Ok(made) };
            self.rest = rest.trim_start();
            let name = match self.rest.starts_with('\'') {
                true => self.literal()?,
                false => self.word(|c| c.is_ascii_digit()).to_owned(),
            };
            self.expect(']')?;
            made = match made {
                Made::Body(path) => Made::Body(path.into_iter().chain([name]).collect()),
                // `body/UserDetails/FirstName` is a path in one name.
                Made::Outputs if name == "body" => Made::Body(Vec::new()),
                Made::Outputs => match name.strip_prefix("body/") {
                    Some(path) => Made::Body(path.split('/').map(str::to_owned).collect()),
                    None => return Err(format!("it reads `{name}` of the request, which is not kept")),
                },
                Made::Parts(_) => return Err("it takes a part of a text".to_owned()),
            };
        }
    }

    /// A text in single quotes, where two of them stand for one.
    fn literal(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut rest = self.rest.strip_prefix('\'').ok_or("a text is missing")?;
        loop {
            let (part, after) = rest.split_once('\'').ok_or("a text has no end")?;
            text.push_str(part);
            match after.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    rest = more;
                }
                None => {
                    self.rest = after;
                    return Ok(text);
                }
            }
        }
    }

    fn word(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        self.rest = self.rest.trim_start().strip_prefix(sign).ok_or_else(|| format!("`{sign}` is missing"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        template(text, &BTreeSet::from(["Parse_JSON"]))
    }

    #[test]
    fn what_reads_the_lead_becomes_a_template() {
        for (flow, wanted) in [
            ("@triggerBody()?['UserDetails']?['FirstName']", "{{ lead.first_name }}"),
            ("@triggerOutputs()?['body/UserDetails/Email']", "{{ lead.email }}"),
            ("@triggerOutputs()?['body']?['OfferTitle']", "{{ lead.offer_title }}"),
            ("@body('Parse_JSON')?['LeadSource']", "{{ lead.body.LeadSource }}"),
            ("@triggerBody()['odd name'][0]", "{{ lead.body['odd name'][0] }}"),
            ("Lead: @{triggerBody()?['OfferTitle']}, new", "Lead: {{ lead.offer_title }}, new"),
            ("@concat('it''s ', triggerBody()?['ActionCode'])", "it's {{ lead.action }}"),
            ("@coalesce(triggerBody()?['Description'], 'none')", "{{ (lead.description or 'none') }}"),
            ("@toLower(concat('a', triggerBody()?['ActionCode']))", "{{ ('a' ~ lead.action) | lower }}"),
            ("@@home", "@home"),
            ("a {{ b", "{{ 'a {{ b' }}"),
            ("plain", "plain"),
        ] {
            assert_eq!(read(flow).as_deref(), Ok(wanted), "{flow}");
        }
    }

    #[test]
    fn what_does_more_is_refused_with_the_reason() {
        for (flow, reason) in [
            ("@utcNow()", "it calls `utcNow`"),
            ("@variables('x')", "it calls `variables`"),
            ("@body('Other')?['x']", "it calls `body`"),
            ("@triggerOutputs()?['headers']", "it reads `headers` of the request, which is not kept"),
            ("@triggerBody()?['x", "a text has no end"),
            ("@triggerBody() and more", "more follows where it should end"),
            ("@{triggerBody()", "`}` is missing"),
            ("@x", "`x` is not known"),
        ] {
            assert_eq!(read(flow), Err(reason.to_owned()), "{flow}");
        }
        let deep = format!("@{}", "concat(".repeat(100));
        assert_eq!(read(&deep), Err("it is nested too deep".to_owned()));
    }
}
