//! The token that calls are made with: one asks for it, and everybody has it.
//!
//! Invariant: never two questions at once, and no question while the answer is known. A token is renewed shortly before it
//! expires; a refusal stands for a while, so that a wrong secret is asked about once and not once for each lead; and as long as
//! the last token still counts, calls go on with it though no new one was given.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::error::{DeliveryError, ErrorKind};

/// How long before its end a token is renewed, at most: it must outlive the call, and clocks differ.
const BEFORE_END: Duration = Duration::from_mins(5);

/// How long a refusal stands. Endpoints lock out who asks again and again; whoever corrects a secret waits no longer.
const STANDS: Duration = Duration::from_mins(1);

/// The longest life that is believed. No vendor's tokens of today last a day, and what is no time must not become one.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// A token, and what was said with it. Its `Debug` shows neither.
pub struct Token<T = ()> {
    /// What is sent as `Authorization: Bearer`.
    pub secret: String,
    /// What else the answer says of it: where it may be sent, for whom it is.
    pub granted: T,
    life: Option<Life>,
}

/// From when a token is renewed, and when it ends.
#[derive(Clone, Copy, Debug)]
struct Life {
    renew_at: Timestamp,
    end: Timestamp,
}

impl<T> Token<T> {
    /// A token that was given at `now` and counts for `expires_in`; for as long as it is not refused, where that is not said.
    pub fn new(secret: String, granted: T, now: Timestamp, expires_in: Option<Duration>) -> Self {
        let life = expires_in.map(|life| {
            let life = life.min(LONGEST);
            let margin = BEFORE_END.min(life / 10);
            Life { renew_at: now + (life - margin), end: now + life }
        });
        Self { secret, granted, life }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.life.is_none_or(|life| now < life.renew_at)
    }

    fn counts(&self, now: Timestamp) -> bool {
        self.life.is_none_or(|life| now < life.end)
    }
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("life", &self.life).finish_non_exhaustive()
    }
}

/// Holds the token of one account, and has one asked for where there is none. Clones share it.
#[derive(Debug)]
pub struct Tokens<T = ()>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    clock: Clock,
    known: Mutex<Known<T>>,
    /// Held by whoever asks. Dropping an attempt in the midst of it lets the next one ask.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known<T> {
    /// Questions that were answered, well or not.
    answered: u64,
    token: Option<Arc<Token<T>>>,
    failure: Option<DeliveryError>,
    /// Until when the failure stands.
    stands_until: Option<Timestamp>,
}

impl<T> Clone for Tokens<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Tokens<T> {
    /// No token yet.
    pub fn new(clock: Clock) -> Self {
        let known = Known { answered: 0, token: None, failure: None, stands_until: None };
        Self(Arc::new(Inner { clock, known: Mutex::new(known), asking: tokio::sync::Mutex::new(()) }))
    }

    /// The token, asked for with `ask` if there is none.
    ///
    /// # Errors
    /// Those of `ask`, whoever called it; with the time until which it stands.
    pub async fn get<F>(&self, ask: impl FnOnce() -> F) -> Result<Arc<Token<T>>, DeliveryError>
    where
        F: Future<Output = Result<Token<T>, DeliveryError>>,
    {
        let before = {
            let known = self.known();
            if let Some(answer) = known.answer(self.0.clock.now()) {
                return answer;
            }
            known.answered
        };
        let _one_at_a_time = self.0.asking.lock().await;
        {
            let known = self.known();
            if let Some(answer) = known.answer(self.0.clock.now()) {
                return answer;
            }
            // It ended while this one waited, and so is an answer to it as well.
            if let Some(error) = known.failure.clone().filter(|_| known.answered > before) {
                return Err(error);
            }
        }
        let outcome = ask().await;
        self.known().take(outcome, self.0.clock.now())
    }

    /// Takes note that `token` was refused where it was sent; a newer one stays.
    pub fn refused(&self, token: &Arc<Token<T>>) {
        let mut known = self.known();
        if known.token.as_ref().is_some_and(|last| Arc::ptr_eq(last, token)) {
            known.token = None;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known<T>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Known<T> {
    /// What needs no question.
    fn answer(&self, now: Timestamp) -> Option<Result<Arc<Token<T>>, DeliveryError>> {
        if let Some(token) = self.token.as_ref().filter(|token| token.is_fresh(now)) {
            return Some(Ok(token.clone()));
        }
        let error = self.failure.as_ref().filter(|_| self.stands_until.is_some_and(|until| now < until))?;
        Some(self.last(now).ok_or_else(|| error.clone()))
    }

    /// The last token, where it still counts.
    fn last(&self, now: Timestamp) -> Option<Arc<Token<T>>> {
        self.token.clone().filter(|token| token.counts(now))
    }

    fn take(
        &mut self,
        outcome: Result<Token<T>, DeliveryError>,
        now: Timestamp,
    ) -> Result<Arc<Token<T>>, DeliveryError> {
        self.answered += 1;
        match outcome {
            Ok(token) => {
                let token = Arc::new(token);
                self.token = Some(token.clone());
                (self.failure, self.stands_until) = (None, None);
                Ok(token)
            }
            Err(error) => {
                let last = self.last(now);
                let is_refusal = matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::Misconfigured);
                let stands = (is_refusal || last.is_some()).then(|| now + STANDS);
                self.stands_until = error.retry_at.or(stands);
                let error = DeliveryError { retry_at: self.stands_until.filter(|_| last.is_none()), ..error };
                self.failure = Some(error.clone());
                last.ok_or(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
