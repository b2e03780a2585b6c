//! `leadrelay try`: what would become of a lead. Sends nothing and asks nobody.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{ConfigError, Loaded, TooLong, nearest};
use leadrelay_shared::delivery::Record;
use leadrelay_shared::fields::{Fields, Note};
use leadrelay_shared::id::LeadId;
use leadrelay_shared::judge::Judge;
use leadrelay_shared::lead::{Body, Lead};
use leadrelay_shared::mapping::{Explanation, Outcome, RouteExplanation, Rules, explain};
use serde::Serialize;

use super::check::sound;
use super::input;
use super::leads::at;
use crate::cli::{Call, Done, Failure};
use crate::connectors::connector;
use crate::output::Output;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The lead's body; `-`, or nothing, is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The source that it would come from; may be left out where there is one alone.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// What would become of a lead.
#[derive(Debug, Serialize)]
struct Told {
    source: String,
    #[serde(flatten)]
    explanation: Explanation,
    /// The record of each destination as it would be sent.
    deliveries: Vec<Sent>,
}

/// What one destination would get.
#[derive(Debug, Serialize)]
struct Sent {
    destination: String,
    route: String,
    /// It would be parked instead, because a value is too long for this field.
    #[serde(skip_serializing_if = "Option::is_none")]
    too_long: Option<String>,
    record: Record,
    /// What was cut or left out.
    notes: Vec<Note>,
}

pub(crate) fn run(call: &Call, args: Args) -> Done {
    let loaded = sound(call)?;
    let source = only_source(&loaded, args.source)?;
    let body = input::read(&args.file)?;
    let lead = lead(&loaded, &source, body)?;
    let rules =
        Rules::compile(&loaded.config).map_err(|mistakes| ConfigError { file: Some(loaded.file.clone()), mistakes })?;
    let explanation = explain(&rules, &lead);
    let deliveries = explanation.routes.iter().filter_map(|route| sent(&loaded, route)).collect();
    let told = Told { source, explanation, deliveries };
    if call.output.json {
        return call.output.json(&told);
    }
    show(call.output, &told);
    Ok(())
}

/// The source that was named, or the only one that there is.
pub(crate) fn only_source(loaded: &Loaded, named: Option<String>) -> Result<String, Failure> {
    let sources = &loaded.config.sources;
    let names = || sources.keys().cloned().collect::<Vec<_>>().join(", ");
    match named {
        Some(name) if sources.contains_key(&name) => Ok(name),
        Some(name) if sources.is_empty() => {
            Err(Failure::Usage(format!("there is no source `{name}`; `leadrelay source add {name}` adds it")))
        }
        Some(name) => Err(Failure::Usage(match nearest(&name, sources.keys().map(String::as_str)) {
            Some(right) => format!("there is no source `{name}`; did you mean `{right}`?"),
            None => format!("there is no source `{name}`, only {}", names()),
        })),
        None => match sources.keys().next() {
            Some(only) if sources.len() == 1 => Ok(only.clone()),
            Some(_) => Err(Failure::Usage(format!("name the source with --source: {}", names()))),
            None => Err(Failure::Usage("there is no source; `leadrelay source add NAME` adds one".to_owned())),
        },
    }
}

fn lead(loaded: &Loaded, source: &str, body: Vec<u8>) -> Result<Lead, Failure> {
    let judge = Judge::for_source(loaded, source)
        .map_err(|mistake| ConfigError { file: Some(loaded.file.clone()), mistakes: vec![mistake] })?;
    let faults = judge.judge(&body).err().unwrap_or_default();
    let format = loaded.config.sources.get(source).map(|s| s.format).unwrap_or_default();
    Ok(Lead {
        // Any id will do: nothing of this lead is kept.
        id: LeadId::derive(&[b"try", &body]),
        source: source.to_owned(),
        format,
        received_at: Clock::real().now(),
        body: Body::from(body),
        faults,
        round: 0,
    })
}

/// What the destination of a route would get, cut to its fields as they are documented.
fn sent(loaded: &Loaded, route: &RouteExplanation) -> Option<Sent> {
    let destination = loaded.config.destinations.get(&route.to)?;
    let fields = (connector(&destination.common.connector)?.documented_fields)();
    fitted(route, &fields, destination.common.too_long)
}

/// The record of a route as these fields take it.
fn fitted(route: &RouteExplanation, fields: &Fields, setting: TooLong) -> Option<Sent> {
    let mut record = route.record.clone()?;
    let mut notes = route.notes.clone();
    let parks = setting == TooLong::Park;
    let too_long = fields.too_long(&record).filter(|_| parks).map(str::to_owned);
    if too_long.is_none() {
        notes.extend(fields.fit(&mut record));
    }
    Some(Sent { destination: route.to.clone(), route: route.name.clone(), too_long, record, notes })
}

fn show(output: Output, told: &Told) {
    let explanation = &told.explanation;
    output.line(format!("from {}: {}", told.source, outcome(explanation.outcome)));
    for fault in &explanation.faults {
        output.line(format!("  {}: {}", at(&fault.pointer), fault.reason));
    }
    for route in &explanation.routes {
        output.line(format!("route {} to {}: {}", route.name, route.to, verdict(route)));
    }
    for sent in &told.deliveries {
        output.line(match &sent.too_long {
            None => format!("\n{} would get", sent.destination),
            Some(field) => format!(
                "\n{} would get nothing: {field} is too long, and it is set to park such a lead",
                sent.destination
            ),
        });
        output.line(serde_json::to_string_pretty(&sent.record).unwrap_or_default());
        sent.notes.iter().for_each(|note| output.line(format!("  {}: {}", note.about, note.text)));
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Routed => "it is a lead and would be delivered",
        Outcome::Parked => "it is a lead, but a route fails on it and would park it",
        Outcome::Unmatched => "it is a lead, but no route matches it and it would be parked",
        Outcome::Quarantined => "it is not a lead and would be parked for repair",
    }
}

fn verdict(route: &RouteExplanation) -> String {
    let mut told = route.verdict.clone();
    match (&route.key, &route.reason) {
        (Some(key), Some(reason)) => told.push_str(&format!(" ({key}: {reason})")),
        (Some(key), None) => told.push_str(&format!(" ({key})")),
        (None, Some(reason)) => told.push_str(&format!(" ({reason})")),
        (None, None) => {}
    }
    told
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::fields::Field;
    use serde_json::json;

    use super::*;

    fn told(setting: TooLong) -> Sent {
        let route = RouteExplanation {
            name: "all".to_owned(),
            to: "crm".to_owned(),
            verdict: "delivers".to_owned(),
            key: None,
            reason: None,
            record: json!({"lastname": "Leeuwenhoek", "city": "Delft"}).as_object().cloned(),
            notes: vec![Note::new("phone", "empty, left out")],
        };
        let fields = Fields([("lastname".to_owned(), Field { max_length: Some(5), ..Field::default() })].into());
        fitted(&route, &fields, setting).expect("a record")
    }

    #[test]
    fn what_would_be_cut_is_cut_and_told() {
        let sent = told(TooLong::Cut);
        assert_eq!(sent.too_long, None);
        assert_eq!(Some(&sent.record), json!({"lastname": "Leeu…", "city": "Delft"}).as_object());
        let cut = Note::new("lastname", "cut from 11 to 5 characters");
        assert_eq!(sent.notes, [Note::new("phone", "empty, left out"), cut]);
    }

    #[test]
    fn what_would_be_parked_for_its_length_is_told_whole() {
        let sent = told(TooLong::Park);
        assert_eq!(sent.too_long.as_deref(), Some("lastname"));
        assert_eq!(sent.record["lastname"], "Leeuwenhoek");
        assert_eq!(sent.notes.len(), 1);
    }
}
