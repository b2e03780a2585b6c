//! The session that calls are made in: one login for everybody who needs one.
//!
//! Invariant: never two logins at once. Whoever waited while one was refused gets that refusal and does not try again, so a
//! refused credential is asked for once and not once for each lead.

use std::fmt;
use std::sync::Arc;

use leadrelay_shared::error::DeliveryError;
use leadrelay_shared::http::Url;
use tokio::sync::{Mutex, watch};

/// A token, and where it may be sent. Its `Debug` shows the host alone.
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) instance: Url,
    /// The id of the user that the calls are made as, where the login has told it.
    pub(crate) user: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("host", &self.instance.host_str()).finish_non_exhaustive()
    }
}

/// What is known of the session.
#[derive(Clone, Debug)]
struct Known {
    /// Logins that have ended, well or not.
    ended: u64,
    last: Option<Result<Arc<Session>, DeliveryError>>,
}

/// Holds the session, and has one made where there is none.
#[derive(Debug)]
pub(crate) struct Sessions {
    known: watch::Sender<Known>,
    /// Held by whoever logs in. Dropping an attempt in the midst of it lets the next one log in.
    login: Mutex<()>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self { known: watch::Sender::new(Known { ended: 0, last: None }), login: Mutex::new(()) }
    }

    /// The session, made by `log_in` if there is none.
    ///
    /// # Errors
    /// Those of `log_in`, whoever called it.
    pub(crate) async fn get<F>(&self, log_in: impl FnOnce() -> F) -> Result<Arc<Session>, DeliveryError>
    where
        F: Future<Output = Result<Session, DeliveryError>>,
    {
        let before = self.known.borrow().clone();
        if let Some(Ok(session)) = before.last {
            return Ok(session);
        }
        let _one_at_a_time = self.login.lock().await;
        let now = self.known.borrow().clone();
        match now.last {
            Some(Ok(session)) => return Ok(session),
            // It ended while this one waited, and so is an answer to it as well.
            Some(Err(error)) if now.ended > before.ended => return Err(error),
            Some(Err(_)) | None => {}
        }
        let outcome = log_in().await.map(Arc::new);
        self.known.send_modify(|known| {
            known.ended += 1;
            known.last = Some(outcome.clone());
        });
        outcome
    }

    /// Takes note that Salesforce has refused `session`; a newer one stays.
    pub(crate) fn refused(&self, session: &Arc<Session>) {
        self.known.send_if_modified(|known| {
            let is_last = matches!(&known.last, Some(Ok(last)) if Arc::ptr_eq(last, session));
            if is_last {
                known.last = None;
            }
            is_last
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use leadrelay_shared::error::ErrorKind;

    use super::*;

    fn session() -> Session {
        Session {
            token: "t0ken".to_owned(),
            instance: "https://contoso.my.salesforce.com".parse().expect("a url"),
            user: None,
        }
    }

    #[tokio::test]
    async fn ten_at_once_log_in_once_and_share_the_refusal_too() {
        let (sessions, logins) = (Sessions::new(), AtomicUsize::new(0));
        let refuse = || async {
            logins.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err(DeliveryError::new(ErrorKind::Unauthorized, "no"))
        };
        let outcomes = join_all((0..10).map(|_| sessions.get(refuse))).await;
        assert!(outcomes.iter().all(Result::is_err));
        assert_eq!(logins.load(Ordering::SeqCst), 1);
        let admit = || async {
            logins.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(session())
        };
        let outcomes = join_all((0..10).map(|_| sessions.get(admit))).await;
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(logins.load(Ordering::SeqCst), 2, "the attempt after a refusal is a new one");
    }

    #[tokio::test]
    async fn an_old_session_that_is_refused_late_does_not_end_the_new_one() {
        let sessions = Sessions::new();
        let admit = || async { Ok(session()) };
        let old = sessions.get(admit).await.expect("a session");
        sessions.refused(&old);
        let new = sessions.get(admit).await.expect("a session");
        sessions.refused(&old);
        assert!(Arc::ptr_eq(&new, &sessions.get(admit).await.expect("a session")));
    }

    #[tokio::test]
    async fn a_login_that_is_dropped_is_made_by_the_next() {
        let sessions = Sessions::new();
        let hung = sessions.get(std::future::pending::<Result<Session, DeliveryError>>);
        tokio::select! {
            biased;
            _ = hung => panic!("it never ends"),
            () = tokio::task::yield_now() => {}
        }
        assert!(sessions.get(|| async { Ok(session()) }).await.is_ok());
    }

    #[test]
    fn debug_shows_no_token() {
        assert!(!format!("{:?}", session()).contains("t0ken"));
    }
}
