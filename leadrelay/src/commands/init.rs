//! `leadrelay init`: writes a configuration to begin with.

use clap::Args as ClapArgs;
use serde_json::json;

use crate::cli::{Call, Done, Failure};
use crate::sample;
use crate::template::{self, Preset};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Where leads go.
    #[arg(long, value_enum, default_value = "start")]
    preset: Preset,
}

pub(crate) fn run(call: &Call, args: &Args) -> Done {
    let file = call.place.file.display();
    if call.place.exists() {
        let reason =
            format!("{file} is there already, and nothing was written; name another with --config, or move it away");
        return Err(Failure::Usage(reason));
    }
    template::write(&call.place, args.preset)
        .map_err(|error| Failure::Failed(format!("{file} cannot be written: {error}")))?;
    let wanted = args.preset.wanted();
    if call.output.json {
        return call.output.json(&json!({"config": call.place.file, "fill_in": wanted}));
    }
    let command = sample::command(&call.place);
    call.output.line(format!("written: {file}"));
    if !wanted.is_empty() {
        call.output.line(format!("fill in: {}", wanted.join(", ")));
    }
    if args.preset == Preset::Salesforce {
        call.output.line(format!("make the field that keeps a lead from arriving twice: {command} setup salesforce"));
    }
    call.output.line(format!("see whether it works: {command} check --live"));
    call.output.line(format!("start: {command} up"));
    call.output.line(format!("the URL for Partner Center: {command} source url {}", template::SOURCE));
    Ok(())
}
