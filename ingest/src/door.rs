//! What all requests share: the sources with their judges and limits, the live tokens, the recent bodies, the way out.

use std::collections::BTreeMap;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_shared::config::{Mistake, OnInvalid};
use leadrelay_shared::event::Event;
use leadrelay_shared::judge::Judge;
use leadrelay_shared::lead::{Format, Lead};
use leadrelay_shared::queue::Topic;
use leadrelay_shared::service::Ctx;

use crate::limit::Limit;
use crate::outbox::Outbox;
use crate::recent::Recent;
use crate::tokens::Tokens;

/// Bodies remembered in one process, for the bridge over a window's edge; about 6 MiB when full.
const RECENT_MAX: usize = 65_536;

/// The public door.
pub(crate) struct Door {
    pub(crate) clock: Clock,
    pub(crate) outbox: Outbox,
    pub(crate) leads: Topic<Lead>,
    pub(crate) events: Topic<Vec<Event>>,
    pub(crate) sources: BTreeMap<String, Source>,
    pub(crate) tokens: Tokens,
    pub(crate) recent: Recent,
    pub(crate) max_head: usize,
    pub(crate) max_body: usize,
    pub(crate) read_timeout: Duration,
}

/// One sender, ready to be judged.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) on_invalid: OnInvalid,
    pub(crate) window: Duration,
    pub(crate) judge: Judge,
    pub(crate) limit: Limit,
}

impl Door {
    /// Compiles every source's schema and hashes its tokens.
    pub(crate) fn open(ctx: &Ctx, outbox: Outbox) -> Result<Self, Mistake> {
        let config = ctx.config();
        let mut sources = BTreeMap::new();
        for (name, source) in &config.sources {
            let per_second = source.rate_limit.unwrap_or(config.ingest.rate_limit);
            let ready = Source {
                name: name.clone(),
                format: source.format,
                on_invalid: source.on_invalid,
                window: source.duplicate_window.0,
                judge: Judge::for_source(&ctx.loaded, name)?,
                limit: Limit::new(per_second, &ctx.clock),
            };
            sources.insert(name.clone(), ready);
        }
        Ok(Self {
            clock: ctx.clock.clone(),
            outbox,
            leads: Topic::leads(),
            events: Topic::events(),
            sources,
            tokens: Tokens::of(&config.sources),
            recent: Recent::new(RECENT_MAX, ctx.clock.clone()),
            max_head: config.ingest.max_head.as_usize(),
            max_body: config.ingest.max_body.as_usize(),
            read_timeout: config.ingest.read_timeout.0,
        })
    }
}
