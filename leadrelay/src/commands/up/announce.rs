//! What `leadrelay up` says on standard output when it is ready, one line each.
//!
//! The URL of a source holds its secret, and standard output often ends in a log: it is shown at the first start alone, when
//! a person is most likely there to paste it.

use std::net::SocketAddr;
use std::path::Path;

use leadrelay_shared::config::{DestinationConfig, Loaded, Origin, Secret};
use leadrelay_shared::service::reachable;
use serde_json::{Value, json};

use super::super::source::url_at;
use crate::cli::{Call, Failure};
use crate::output::count;
use crate::relay::Relay;
use crate::{sample, template};

/// Says that the relay is ready, where it listens, and what to do next.
pub(super) async fn ready(call: &Call, relay: &Relay, first: bool) -> Result<(), Failure> {
    let loaded = &relay.ctx.loaded;
    let scheme = if loaded.config.ingest.tls.is_some() { "https" } else { "http" };
    let url = |scheme: &str, address: SocketAddr| format!("{scheme}://{}", reachable(address));
    let ingest = url(scheme, relay.ctx.status.address("ingest").await);
    let admin = url("http", relay.ctx.status.address("admin").await);
    if call.output.json {
        let sources: Vec<&String> = loaded.config.sources.keys().collect();
        return call.output.json_line(&json!({
            "ready": true, "config": loaded.file, "written": first, "ingest": ingest, "admin": admin, "sources": sources
        }));
    }
    let say = |text: String| call.output.line(text);
    say(format!("ready: {}", summary(loaded, first)));
    say(format!("listening for leads at {ingest}"));
    say(format!("listening for operators at {admin}"));
    say(format!("console: {admin}/, with the token in {}", token(loaded)));
    let command = sample::command(&call.place);
    if first {
        let public = loaded.config.ingest.public_url.clone().unwrap_or_else(|| ingest.clone());
        say(format!("paste into Partner Center: {}", url_at(loaded, template::SOURCE, &public)?));
        say(format!("try it: {}", sample::curl(&url_at(loaded, template::SOURCE, &ingest)?)));
    } else {
        for source in loaded.config.sources.keys() {
            say(format!("URL of source {source}: {command} source url {source}"));
        }
    }
    for (name, destination) in &loaded.config.destinations {
        if let Some(folder) = folder(destination) {
            say(format!("leads delivered to {name} appear in {}", loaded.path(Path::new(&folder)).display()));
        }
    }
    say(format!("what came in: {command} leads list"));
    say(format!("what became of a lead: {command} leads show <id>"));
    Ok(())
}

/// Where the admin token is.
fn token(loaded: &Loaded) -> String {
    match loaded.config.admin.token.as_ref().map(Secret::origin) {
        Some(Origin::Env(name)) => format!("the variable {name}"),
        Some(Origin::File(path)) => path.display().to_string(),
        Some(Origin::Plain) => format!("{}, [admin]", loaded.file.display()),
        None => loaded.admin_token_file().display().to_string(),
    }
}

fn summary(loaded: &Loaded, first: bool) -> String {
    let config = &loaded.config;
    format!(
        "{}, {}, {} ({}{})",
        count(config.sources.len() as u64, "source"),
        count(config.routes.len() as u64, "route"),
        count(config.destinations.len() as u64, "destination"),
        loaded.file.display(),
        if first { ", written just now" } else { "" }
    )
}

/// The folder of a file destination.
fn folder(destination: &DestinationConfig) -> Option<String> {
    let settings = destination.settings();
    let path = settings.get("path").and_then(Value::as_str)?;
    (destination.common.connector == "file").then(|| path.to_owned())
}
