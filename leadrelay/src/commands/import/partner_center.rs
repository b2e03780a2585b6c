//! `leadrelay import partner-center`: the leads of Partner Center's Referrals workspace, downloaded as CSV.
//!
//! A row that is imported twice is one lead: it has the key of its own id, and so the same id in the relay. A lead that came
//! in by itself is known by its address, its offer and its time.

mod columns;
mod known;
mod lead;
mod rows;
mod summary;
mod time;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use leadrelay_shared::clock::Clock;
use leadrelay_shared::http::header::HeaderValue;
use leadrelay_shared::http::{Client, Url};
use serde_json::Value;

use self::lead::Lead;
use self::rows::Row;
use self::summary::{Summary, Verdict};
use crate::cli::{Call, Done, Failure};
use crate::client::{Api, Remote, client, problem};
use crate::commands::input;
use crate::commands::send::{answered, door};
use crate::commands::try_lead::only_source;
use crate::progress::Progress;

/// How often a row is posted again that the relay has not taken for now.
const ATTEMPTS: usize = 5;
/// Between two of them, where the relay does not say how long.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// The source to post them as; may be left out where there is one alone.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only say which rows are new; post nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where the relay takes leads, when that is not where this configuration says it listens: https://leads.example.com.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// What rows are brought to.
struct Import {
    api: Api,
    client: Client,
    clock: Clock,
    source: String,
    url: Url,
    dry_run: bool,
    /// Keys of rows above.
    seen: HashSet<String>,
}

pub(crate) async fn run(call: &Call, args: Args) -> Done {
    let loaded = call.place.load()?;
    let source = only_source(&loaded, args.source)?;
    let rows = rows::read(&input::read(&args.file)?)
        .map_err(|wrong| Failure::Usage(format!("{}: {wrong}", args.file.display())))?;
    let url = door(&loaded, &source, args.to)?;
    let (api, client, clock) = (args.remote.api(call)?, client()?, Clock::real());
    let mut import = Import { api, client, clock, source, url, dry_run: args.dry_run, seen: HashSet::new() };
    let mut summary = Summary::new(args.dry_run);
    let outcome = import.all(rows, &mut summary, call).await;
    // What was done before a failure is done.
    summary.tell(call.output)?;
    outcome?;
    if summary.faulty.is_empty() { Ok(()) } else { Err(Failure::Exit(1)) }
}

impl Import {
    async fn all(&mut self, rows: Vec<Row>, summary: &mut Summary, call: &Call) -> Done {
        let progress = Progress::new(call.output, "rows", rows.len());
        for (n, row) in rows.into_iter().enumerate() {
            progress.done(n);
            let verdict = match row.lead {
                Ok(lead) => self.one(&lead).await?,
                Err(reason) => Verdict::Faulty(reason),
            };
            summary.add(row.line, verdict);
        }
        Ok(())
    }

    async fn one(&mut self, lead: &Lead) -> Result<Verdict, Failure> {
        let body = lead.body.to_string().into_bytes();
        let key = lead.key(&body);
        let id = leadrelay_ingest::id_under_key(&self.source, &key, &body);
        if !self.seen.insert(key.clone()) || known::is_known(&self.api, lead, id).await? {
            return Ok(Verdict::Known);
        }
        if self.dry_run { Ok(Verdict::New) } else { self.post(&key, &body).await }
    }

    /// Posts a row, patiently where the relay asks for patience.
    async fn post(&self, key: &str, body: &[u8]) -> Result<Verdict, Failure> {
        let header = HeaderValue::try_from(key).map_err(|_| {
            Failure::Failed("the id of a row cannot be a header; that is a fault of leadrelay".to_owned())
        })?;
        let mut left = ATTEMPTS;
        loop {
            let answer = answered(&self.client, self.url.clone(), body.to_vec(), Some(header.clone())).await?;
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
            left = left.saturating_sub(1);
            return Ok(match answer.status {
                202 if text("status") == "duplicate" => Verdict::Known,
                202 => Verdict::New,
                // The row has changed since it was imported, as it does when somebody works on it.
                422 if text("type").ends_with(":key_reused") => Verdict::Known,
                429 | 503 if left > 0 => {
                    let now = self.clock.now();
                    let until = answer.retry_at(now).and_then(|at| Duration::try_from(at.duration_since(now)).ok());
                    self.clock.sleep(until.unwrap_or(PAUSE)).await;
                    continue;
                }
                400 | 413 => Verdict::Faulty(problem(answer.status, &answer.body)),
                status => {
                    let reason = problem(status, &answer.body);
                    return Err(Failure::Failed(format!(
                        "the relay refused a row: {reason} (HTTP {status}); run it again, it goes on where it was"
                    )));
                }
            });
        }
    }
}
