//! `leadrelay import flow`: the definition of a Power Automate flow as routes.
//!
//! What only reads the lead is carried over; whatever is not is named, with its place, beside the route and on standard error.

mod definition;
mod expression;
mod names;
mod print;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::{Value, json};

use crate::cli::{Call, Done, Failure};
use crate::commands::input;
use crate::output::say;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The flow's definition.json, from the package that Power Automate exports; `-` is standard input.
    file: PathBuf,
    /// The destination of the routes.
    #[arg(long, value_name = "NAME", default_value = "crm")]
    to: String,
}

pub(crate) fn run(call: &Call, args: &Args) -> Done {
    let wrong = |what: &str| Failure::Usage(format!("{}: {what}", args.file.display()));
    let bytes = input::read(&args.file)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if bytes.starts_with(b"PK") {
        return Err(wrong("it is a package; unpack it and name the definition.json in it"));
    }
    let file: Value = serde_json::from_slice(bytes).map_err(|e| wrong(&format!("it is not JSON: {e}")))?;
    let flow = definition::read(&file).ok_or_else(|| {
        wrong("it holds no flow: there are no `triggers` and `actions` in it, or in its `definition`")
    })?;
    if flow.rows.is_empty() {
        return Err(Failure::Failed(format!("{}: no action of the flow adds a row", args.file.display())));
    }
    let printed = print::routes(&flow, &args.to);
    if call.output.json {
        call.output.json(&json!({"routes": printed.text, "left": printed.left}))?;
    } else {
        call.output.text(&printed.text);
    }
    printed.left.iter().for_each(|left| say(format!("not carried over: {left}")));
    Ok(())
}
