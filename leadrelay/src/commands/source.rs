//! `leadrelay source add|rotate|url|list`: who may send leads.

use clap::{Args as ClapArgs, Subcommand};
use leadrelay_shared::config::{Loaded, Origin, Secret, SourceConfig};
use leadrelay_shared::lead::Format;
use leadrelay_shared::secrets::Rotated;
use leadrelay_shared::service::reachable;
use serde_json::json;

use super::try_lead::only_source;
use crate::cli::{Call, Done, Failure};
use crate::output::Output;

mod edit;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a source with a fresh secret, and print its URL.
    Add {
        /// Its name: part of the URL, and of everything that is told about its leads.
        name: String,
        /// What it sends.
        #[arg(long, value_enum, default_value = "marketplace")]
        format: FormatName,
    },
    /// Give a source a new secret; the old one works until it is finished.
    Rotate {
        /// Its name.
        name: String,
        /// Drop the old secret: the sender uses the new one now.
        #[arg(long)]
        finish: bool,
    },
    /// Print the URL to paste into Partner Center. It holds the secret.
    Url {
        /// Its name; may be left out where there is one alone.
        name: Option<String>,
    },
    /// List the sources of the configuration.
    List,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum FormatName {
    /// Leads of Microsoft's commercial marketplace.
    Marketplace,
    /// Any JSON object.
    Json,
}

pub(crate) fn run(call: &Call, args: Args) -> Done {
    match args.what {
        What::Add { name, format } => {
            edit::add(&call.place, &name, format)?;
            added(call, &name)
        }
        What::Rotate { name, finish: false } => {
            let made = edit::rotate(&call.place, &name)?;
            rotated(call, &name, made)
        }
        What::Rotate { name, finish: true } => {
            edit::finish(&call.place, &name)?;
            told(call.output, &name, "the old URL of this source works no longer")
        }
        What::Url { name } => {
            let loaded = call.place.read().loaded;
            let name = only_source(&loaded, name)?;
            let url = public_url(&loaded, &name)?;
            if call.output.json {
                return call.output.json(&json!({"source": name, "url": url}));
            }
            call.output.line(url);
            Ok(())
        }
        What::List => list(call.output, &call.place.load()?),
    }
}

fn added(call: &Call, name: &str) -> Done {
    let loaded = call.place.read().loaded;
    let url = public_url(&loaded, name)?;
    if call.output.json {
        return call.output.json(&json!({"source": name, "url": url}));
    }
    call.output.line(format!("{name}: {url}"));
    if !loaded.config.routes.iter().any(|r| takes(r.from.as_deref(), name)) {
        call.output.line(format!(
            "No route takes its leads yet: add \"{name}\" to the `from` of a route, or they will be parked."
        ));
    }
    call.output.line("A relay that is running takes it up when it is restarted.");
    Ok(())
}

fn rotated(call: &Call, name: &str, made: Rotated) -> Done {
    let url = public_url(&call.place.read().loaded, name)?;
    if call.output.json {
        return call.output.json(&json!({"source": name, "url": url}));
    }
    call.output.line(format!("{name}: {url}"));
    if made == Rotated::BesideTheOld {
        call.output.line(format!(
            "The old URL works as well, until `leadrelay source rotate {name} --finish`: change the sender first, and publish there."
        ));
    }
    Ok(())
}

fn told(output: Output, name: &str, what: &str) -> Done {
    if output.json {
        return output.json(&json!({"source": name, "done": what}));
    }
    output.line(format!("{name}: {what}"));
    Ok(())
}

/// Whether a route with this `from` takes the leads of `source`.
fn takes(from: Option<&[String]>, source: &str) -> bool {
    from.is_none_or(|from| from.iter().any(|s| s == source))
}

/// The URL of a source as the world sees it.
pub(crate) fn public_url(loaded: &Loaded, source: &str) -> Result<String, Failure> {
    let ingest = &loaded.config.ingest;
    let scheme = if ingest.tls.is_some() { "https" } else { "http" };
    let here = || format!("{scheme}://{}", reachable(ingest.listen));
    url_at(loaded, source, &ingest.public_url.clone().unwrap_or_else(here))
}

/// The URL of a source at `base`.
pub(crate) fn url_at(loaded: &Loaded, source: &str, base: &str) -> Result<String, Failure> {
    let token = loaded.config.sources.get(source).and_then(|s| s.tokens.iter().flat_map(Secret::lines).next());
    let token =
        token.ok_or_else(|| Failure::Usage(format!("source `{source}` has no token; see `leadrelay check`")))?;
    Ok(format!("{}/v1/leads/{source}/{token}", base.trim_end_matches('/')))
}

fn list(output: Output, loaded: &Loaded) -> Done {
    let sources = &loaded.config.sources;
    let routes = |name: &str| -> Vec<&str> {
        loaded.config.routes.iter().filter(|r| takes(r.from.as_deref(), name)).map(|r| r.name.as_str()).collect()
    };
    if output.json {
        let told = |(name, source): (&String, &SourceConfig)| json!({"name": name, "format": source.format, "secret": secret(source), "routes": routes(name)});
        return output.json(&sources.iter().map(told).collect::<Vec<_>>());
    }
    if sources.is_empty() {
        output.line("no sources; `leadrelay source add NAME` adds one");
        return Ok(());
    }
    let row = |(name, source): (&String, &SourceConfig)| {
        let format = match source.format {
            Format::Marketplace => "marketplace",
            Format::Json => "json",
        };
        [name.clone(), format.to_owned(), secret(source), routes(name).join(", ")]
    };
    output.table(["NAME", "FORMAT", "SECRET", "ROUTES"], &sources.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// Where the secret is, and whether it is being changed.
fn secret(source: &SourceConfig) -> String {
    let places: Vec<String> = source
        .tokens
        .iter()
        .map(|token| match token.origin() {
            Origin::Plain => "in the configuration".to_owned(),
            Origin::Env(name) => format!("variable {name}"),
            Origin::File(path) => path.display().to_string(),
        })
        .collect();
    let rotating = source.tokens.iter().flat_map(Secret::lines).count() > 1;
    format!("{}{}", places.join(", "), if rotating { " (two, while rotating)" } else { "" })
}
