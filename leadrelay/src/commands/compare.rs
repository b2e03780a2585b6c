//! `leadrelay compare`: what other routes would change for the leads that came in last. Sends nothing.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use leadrelay_ledger::api::types::{Compare, Comparison, Difference};
use leadrelay_shared::fields::cut;
use toml::{Table, Value};

use super::input;
use crate::cli::{Call, Done, Failure};
use crate::client::Remote;
use crate::output::{Output, count, short};

/// The widest that a column of values may be.
const WIDTH: usize = 32;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// A file with [[routes]], which may be a whole configuration; `-` is standard input.
    file: PathBuf,
    /// On how many of the latest leads.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    last: u16,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let routes = routes(&args.file, &input::read(&args.file)?)?;
    let asked = Compare { routes, last: args.last.into() };
    let comparison: Comparison = args.remote.api(call)?.post(&["compare"], &asked).await?;
    if call.output.json {
        return call.output.json(&comparison);
    }
    show(call.output, &comparison);
    Ok(())
}

/// The routes of a file, and nothing else of it: a configuration also holds secrets.
fn routes(file: &Path, bytes: &[u8]) -> Result<String, Failure> {
    let wrong = |what: String| Failure::Usage(format!("{}: {what}", file.display()));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    // The error shows lines of the file, and one of them may hold a secret.
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| wrong(place(text, &e)))?;
    let routes = table.remove("routes").filter(|routes| matches!(routes, Value::Array(all) if !all.is_empty()));
    let routes = routes.ok_or_else(|| wrong("it holds no [[routes]]".to_owned()))?;
    let written = toml::to_string(&Table::from_iter([("routes".to_owned(), routes)]));
    written.map_err(|e| wrong(format!("its routes cannot be written as TOML: {e}")))
}

fn place(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1)).unwrap_or_default();
    format!("{line}{}", error.message())
}

fn show(output: Output, comparison: &Comparison) {
    let rows: Vec<_> = comparison
        .told
        .iter()
        .flat_map(|changed| changed.differences.iter().map(|difference| row(&short(&changed.lead), difference)))
        .collect();
    if !rows.is_empty() {
        output.table(["LEAD", "DESTINATION", "FIELD", "NOW", "THEN"], &rows);
    }
    let tried = count(comparison.leads, "lead");
    output.line(match comparison.changed {
        0 => format!("nothing would be different for {tried}"),
        changed => format!("{changed} of {tried} would be different"),
    });
    let rest = comparison.changed.saturating_sub(comparison.told.len() as u64);
    if rest > 0 {
        output.line(format!("{} more are not shown", count(rest, "lead")));
    }
}

fn row(lead: &str, difference: &Difference) -> [String; 5] {
    let side = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), |text| cut(text, WIDTH));
    let field = difference.field.clone().unwrap_or_else(|| "the whole record".to_owned());
    [lead.to_owned(), difference.destination.clone(), field, side(&difference.before), side(&difference.after)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        routes(Path::new("new.toml"), text.as_bytes()).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn routes_are_taken_out_of_a_whole_configuration() {
        let whole = "[sources.a]\ntokens = ['s3cret']\n[[routes]]\nname = 'all'\nto = 'crm'\nfields = { a = '{{ lead.id }}' }\n";
        let routes = read(whole).expect("routes");
        assert!(routes.contains("[[routes]]") && routes.contains("lead.id") && !routes.contains("s3cret"), "{routes}");
    }

    #[test]
    fn what_cannot_be_compared_is_told_with_its_line_and_without_its_text() {
        let wrong = read("a = 1\npassword = s3cret\n").expect_err("no TOML");
        assert!(wrong.contains("new.toml: line 2: ") && !wrong.contains("s3cret"), "{wrong}");
        assert!(read("a = 1").expect_err("no routes").contains("it holds no [[routes]]"));
        assert!(read("routes = []").expect_err("no routes").contains("it holds no [[routes]]"));
    }
}
