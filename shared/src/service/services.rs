//! The services of one process: started, watched, and waited for.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinError;

use super::{RunError, Stop};

/// How a service ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) name: String,
    stage: usize,
    /// It had been told to stop.
    pub(super) asked: bool,
    /// Why it could not go on.
    pub(super) failure: Option<String>,
}

impl Ended {
    fn is_failure(&self) -> bool {
        !self.asked || self.failure.is_some()
    }
}

/// The services by name and stage, and those of them that have ended.
#[derive(Debug, Default)]
pub(super) struct Services {
    started: Vec<(String, usize)>,
    ended: watch::Sender<Vec<Ended>>,
}

impl Services {
    /// Starts a service of `stage`, which `stop` stops.
    pub(super) fn spawn<F>(&mut self, name: &str, stage: usize, stop: Stop, service: F)
    where
        F: Future<Output = Result<(), RunError>> + Send + 'static,
    {
        self.started.push((name.to_owned(), stage));
        let name = name.to_owned();
        let ended = self.ended.clone();
        // A task of its own, so that a panic is an outcome like any other.
        let running = tokio::spawn(service);
        tokio::spawn(async move {
            let failure = failure(running.await);
            let asked = stop.is_draining();
            match &failure {
                Some(reason) => tracing::error!(service = name, reason, "service failed"),
                None if asked => tracing::debug!(service = name, "service stopped"),
                None => tracing::error!(service = name, "service ended unexpectedly"),
            }
            ended.send_modify(|all| all.push(Ended { name, stage, asked, failure }));
        });
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.started.iter().map(|(name, _)| name.as_str())
    }

    /// Waits until every service of `stage` has ended.
    pub(super) async fn ended(&self, stage: usize) {
        let started = self.started.iter().filter(|(_, s)| *s == stage).count();
        let all = |ended: &Vec<Ended>| ended.iter().filter(|e| e.stage == stage).count() == started;
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.ended.subscribe().wait_for(all).await;
    }

    /// Waits until a service has ended that was not asked to.
    pub(super) async fn unasked(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        loop {
            if let Some(unasked) = ended.borrow_and_update().iter().find(|e| !e.asked) {
                return unasked.clone();
            }
            if ended.changed().await.is_err() {
                // The sender lives as long as `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The failure that came first.
    pub(super) fn first_failure(&self) -> Option<Ended> {
        self.ended.borrow().iter().find(|e| e.is_failure()).cloned()
    }
}

fn failure(outcome: Result<Result<(), RunError>, JoinError>) -> Option<String> {
    match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) if error.is_panic() => Some("it panicked; the log says where".to_owned()),
        Err(_) => Some("it was cancelled".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_a_panic_and_a_silent_end_are_failures_and_an_asked_end_is_none() {
        let mut services = Services::default();
        let stop = Stop::default();
        let waiting = stop.clone();
        services.spawn("patient", 0, stop.clone(), async move {
            waiting.draining().await;
            Ok(())
        });
        stop.drain();
        services.ended(0).await;
        assert!(services.first_failure().is_none());

        let running = Stop::default();
        services.spawn("broken", 1, running.clone(), async { Err(RunError::Other("no disk".to_owned())) });
        assert_eq!(services.unasked().await.failure.as_deref(), Some("no disk"));
        services.spawn("panicking", 2, running.clone(), async { panic!("on purpose") });
        services.spawn("silent", 3, running, async { Ok(()) });
        services.ended(2).await;
        services.ended(3).await;
        let ended = services.ended.borrow().clone();
        let of = |name: &str| ended.iter().find(|e| e.name == name).expect("it ended").clone();
        assert!(of("panicking").failure.expect("a reason").contains("panicked"));
        assert!(of("silent").is_failure() && of("silent").failure.is_none());
    }
}
