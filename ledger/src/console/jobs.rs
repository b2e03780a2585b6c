//! Long acts that go on while somebody looks on, or does not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use jiff::Timestamp;
use minijinja::context;

use super::Console;
use super::failure::Failure;
use super::guard::Visitor;
use super::page::{of, page};
use crate::api::types::Replayed;
use crate::progress::Progress;
use crate::replay::Refusal;

/// So many are remembered; what became of others is in the audit log.
const KEPT: usize = 50;
/// Refusals that are shown one by one.
const SHOWN: usize = 50;

/// One act.
#[derive(Debug)]
pub(super) struct Job {
    what: String,
    total: u64,
    began: Timestamp,
    pub(super) progress: Progress,
    outcome: OnceLock<Result<Replayed, String>>,
}

impl Job {
    pub(super) fn new(what: &str, total: u64, began: Timestamp) -> Arc<Self> {
        let (progress, outcome) = (Progress::default(), OnceLock::new());
        Arc::new(Self { what: what.to_owned(), total, began, progress, outcome })
    }

    /// Takes down how it ended.
    pub(super) fn end(&self, outcome: Result<Replayed, Refusal>) {
        self.outcome.get_or_init(|| outcome.map_err(|refusal| refusal.to_string()));
    }
}

/// The latest acts, each by its number: when it began, so that an address from before a restart is of no other act.
#[derive(Debug, Default)]
pub(super) struct Jobs(Mutex<VecDeque<(i64, Arc<Job>)>>);

impl Jobs {
    pub(super) fn add(&self, job: Arc<Job>) -> i64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let no = all.back().map_or(i64::MIN, |(last, _)| last + 1).max(job.began.as_microsecond());
        all.push_back((no, job));
        if all.len() > KEPT {
            all.pop_front();
        }
        no
    }

    fn get(&self, no: &str) -> Option<Arc<Job>> {
        let no: i64 = no.parse().ok()?;
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(known, _)| *known == no).map(|(_, job)| job.clone())
    }
}

pub(super) async fn show(console: Data<Console>, visitor: Visitor, id: Path<String>) -> Result<HttpResponse, Failure> {
    let job = console.jobs.get(&id).ok_or_else(|| {
        Failure::not_found(
            "nothing is known of this any more; the audit log says how it ended, and the list what is left",
        )
    })?;
    let (done, refused) = job.progress.so_far();
    let (ended, failed, refusals) = match job.outcome.get() {
        None => (false, None, Vec::new()),
        Some(Ok(replayed)) => (true, None, replayed.refused.iter().take(SHOWN).collect::<Vec<_>>()),
        Some(Err(why)) => (true, Some(why), Vec::new()),
    };
    let values = context! {
        what => job.what.as_str(), total => job.total.max(done + refused), done, refused, ended, failed, refusals => of(refusals),
        came => done + refused,
    };
    page(&visitor, console.clock.now(), "job.html", values)
}
