//! `leadrelay send`: a test lead posted through the public door of the running relay, and followed to its end.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use leadrelay_ledger::api::types::{LeadDetail, LeadState};
use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Loaded, Span};
use leadrelay_shared::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use leadrelay_shared::http::{Answer, Client, Method, Url};
use leadrelay_shared::service::reachable;
use serde_json::{Value, json};

use super::input;
use super::leads::sentence;
use super::source::url_at;
use super::try_lead::only_source;
use crate::cli::{Call, Done, Failure};
use crate::client::{Api, Remote, client, problem};
use crate::output::Output;
use crate::sample;

/// How often the relay is asked what became of the lead.
const EVERY: Duration = Duration::from_millis(200);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// .NET counts its ticks, a hundred nanoseconds each, from the year 1; this is 1970 in them.
const TICKS_IN_1970: i64 = 621_355_968_000_000_000;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// A body to post instead of the test lead; `-` is standard input.
    file: Option<PathBuf>,
    /// The source to post as; may be left out where there is one alone.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Post a sample lead that is not marked as a test.
    #[arg(long, conflicts_with = "file")]
    sample: bool,
    /// Where the relay takes leads, when that is not where this configuration says it listens: https://leads.example.com.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// How long to follow it.
    #[arg(long, default_value = "30s", value_parser = str::parse::<Span>)]
    timeout: Span,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let loaded = call.place.load()?;
    let source = only_source(&loaded, args.source)?;
    let clock = Clock::real();
    let api = args.remote.api(call)?;
    let body = match &args.file {
        Some(file) => input::read(file)?,
        None => made(args.sample, &clock).to_string().into_bytes(),
    };
    let url = door(&loaded, &source, args.to)?;
    let id = post(call.output, url, body).await?;
    let end = clock.monotonic() + args.timeout.0;
    follow(call.output, &api, &clock, &id, end).await
}

fn made(sample: bool, clock: &Clock) -> Value {
    let ticks = clock.now().as_microsecond() * 10 + TICKS_IN_1970;
    if !sample {
        return sample::test_lead(ticks);
    }
    let mut lead = sample::lead();
    // Another text each time: the same body twice is a resend.
    lead["Description"] = format!("Sent by `leadrelay send` ({ticks})").into();
    lead
}

/// Where the public door is, as seen from here.
pub(super) fn door(loaded: &Loaded, source: &str, to: Option<String>) -> Result<Url, Failure> {
    let ingest = &loaded.config.ingest;
    let base = match (to, &ingest.public_url, &ingest.tls) {
        (Some(url), ..) => url,
        // Its certificate is for its public name.
        (None, Some(url), Some(_)) => url.clone(),
        (None, None, Some(_)) => {
            return Err(Failure::Usage(
                "the relay speaks TLS and its certificate is for a name; give it with --to, or as ingest.public_url"
                    .to_owned(),
            ));
        }
        (None, _, None) => format!("http://{}", reachable(ingest.listen)),
    };
    let text = url_at(loaded, source, &base)?;
    text.parse().map_err(|_| Failure::Usage("--to is a URL, such as https://leads.example.com".to_owned()))
}

/// Posts the body and says so; gives the lead's id back.
async fn post(output: Output, url: Url, body: Vec<u8>) -> Result<String, Failure> {
    let (id, status) = posted(url, body).await?;
    if output.json {
        output.json_line(&json!({"id": id, "status": status}))?;
    } else {
        output.line(format!("posted: {status} as {id}"));
    }
    Ok(id)
}

/// Posts the body; the lead's id, and whether it is `accepted` or a `duplicate`.
pub(super) async fn posted(url: Url, body: Vec<u8>) -> Result<(String, String), Failure> {
    let at = url.authority().to_owned();
    let answer = answered(&client()?, url, body, None).await?;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let (202, Some(id)) = (answer.status, said.get("id").and_then(Value::as_str)) else {
        let reason = problem(answer.status, &answer.body);
        return Err(Failure::Failed(format!("the relay at {at} refused it: {reason} (HTTP {})", answer.status)));
    };
    let status = said.get("status").and_then(Value::as_str).unwrap_or("accepted");
    Ok((id.to_owned(), status.to_owned()))
}

/// Posts the body, under a key of its own where it has one; whatever the relay answers.
pub(super) async fn answered(
    client: &Client,
    url: Url,
    body: Vec<u8>,
    key: Option<HeaderValue>,
) -> Result<Answer, Failure> {
    let at = url.authority().to_owned();
    let request = client.request(Method::POST, url).header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let request = key.into_iter().fold(request, |request, key| request.header(IDEMPOTENCY_KEY, key));
    request.body(body).send().await.map_err(|error| {
        Failure::Failed(format!("the relay does not take leads at {at}: {error}; is `leadrelay up` running?"))
    })
}

/// Prints each step as it comes until the lead is where it can get by itself.
async fn follow(output: Output, api: &Api, clock: &Clock, id: &str, end: Duration) -> Done {
    let mut told = 0;
    loop {
        let detail: Option<LeadDetail> = api.find(&["leads", id]).await?;
        if let Some(detail) = &detail {
            // Told by number: the timeline only grows, except that what is late may come in between.
            for entry in detail.timeline.iter().skip(told) {
                if output.json {
                    output.json_line(entry)?;
                } else {
                    output.line(format!("  {}", sentence(entry)));
                }
            }
            told = told.max(detail.timeline.len());
        }
        match detail.as_ref().map(|d| d.lead.state) {
            Some(LeadState::Delivered) => return Ok(()),
            Some(LeadState::Parked | LeadState::Quarantined | LeadState::Unmatched | LeadState::Erased) => {
                return Err(Failure::Failed(format!("it was not delivered; `leadrelay leads show {id}` says why")));
            }
            _ if clock.monotonic() >= end => {
                return Err(Failure::Failed(format!(
                    "it is not delivered yet; the relay goes on trying, and `leadrelay leads show {id}` says how far it is"
                )));
            }
            _ => clock.sleep(EVERY).await,
        }
    }
}
