use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;

use super::*;

struct Endpoint {
    asked: AtomicUsize,
    clock: Clock,
    life: Option<Duration>,
}

impl Endpoint {
    fn new(life: Option<Duration>) -> (Self, Tokens) {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        (Self { asked: AtomicUsize::new(0), clock: clock.clone(), life }, Tokens::new(clock))
    }

    async fn admit(&self) -> Result<Token, DeliveryError> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(Token::new(format!("t0ken-{n}"), (), self.clock.now(), self.life))
    }

    async fn refuse(&self, kind: ErrorKind) -> Result<Token, DeliveryError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Err(DeliveryError::new(kind, "no"))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn ten_at_once_ask_once_and_share_the_refusal_too() {
    let (endpoint, tokens) = Endpoint::new(None);
    let outcomes = join_all((0..10).map(|_| tokens.get(|| endpoint.refuse(ErrorKind::Unavailable)))).await;
    assert!(outcomes.iter().all(Result::is_err));
    assert_eq!(endpoint.asked(), 1);
    let outcomes = join_all((0..10).map(|_| tokens.get(|| endpoint.admit()))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(endpoint.asked(), 2, "what may pass is asked again");
}

#[tokio::test]
async fn a_refusal_stands_for_a_minute_and_says_so() {
    let (endpoint, tokens) = Endpoint::new(None);
    for _ in 0..3 {
        let error = tokens.get(|| endpoint.refuse(ErrorKind::Unauthorized)).await.expect_err("refused");
        assert_eq!(error.retry_at, Some(Timestamp::UNIX_EPOCH + STANDS));
    }
    assert_eq!(endpoint.asked(), 1);
    endpoint.clock.advance(STANDS);
    assert!(tokens.get(|| endpoint.admit()).await.is_ok());
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_serves_until_then() {
    let hour = Duration::from_hours(1);
    let (endpoint, tokens) = Endpoint::new(Some(hour));
    let first = tokens.get(|| endpoint.admit()).await.expect("a token");
    endpoint.clock.advance(hour - BEFORE_END - Duration::from_secs(1));
    assert!(Arc::ptr_eq(&first, &tokens.get(|| endpoint.admit()).await.expect("a token")));
    endpoint.clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        let token = tokens.get(|| endpoint.refuse(ErrorKind::Unauthorized)).await.expect("the old one serves");
        assert!(Arc::ptr_eq(&first, &token));
    }
    assert_eq!(endpoint.asked(), 2, "the refusal stands though the old token serves");
    endpoint.clock.advance(BEFORE_END);
    assert!(tokens.get(|| endpoint.refuse(ErrorKind::Unauthorized)).await.is_err(), "it has ended");
}

#[tokio::test]
async fn an_old_token_that_is_refused_late_does_not_end_the_new_one() {
    let (endpoint, tokens) = Endpoint::new(None);
    let old = tokens.get(|| endpoint.admit()).await.expect("a token");
    tokens.refused(&old);
    let new = tokens.get(|| endpoint.admit()).await.expect("a token");
    tokens.refused(&old);
    assert!(Arc::ptr_eq(&new, &tokens.get(|| endpoint.admit()).await.expect("a token")));
}

#[tokio::test]
async fn a_question_that_is_dropped_is_asked_by_the_next() {
    let (endpoint, tokens) = Endpoint::new(None);
    let hung = tokens.get(std::future::pending::<Result<Token, DeliveryError>>);
    tokio::select! {
        biased;
        _ = hung => panic!("it never ends"),
        () = tokio::task::yield_now() => {}
    }
    assert!(tokens.get(|| endpoint.admit()).await.is_ok());
}

#[test]
fn debug_shows_no_token() {
    let token = Token::new("t0ken".to_owned(), "t0ken", Timestamp::UNIX_EPOCH, None);
    assert!(!format!("{token:?}").contains("t0ken"));
}

#[tokio::test]
async fn a_life_that_is_no_time_is_not_believed() {
    let (endpoint, tokens) = Endpoint::new(Some(Duration::from_secs(u64::MAX)));
    assert!(tokens.get(|| endpoint.admit()).await.is_ok());
    endpoint.clock.advance(LONGEST);
    assert!(tokens.get(|| endpoint.admit()).await.is_ok());
    assert_eq!(endpoint.asked(), 2);
}
