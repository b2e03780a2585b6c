//! The face: faults hit the request that the plan names, and the port closes and opens again.

use std::time::Duration;

use leadrelay_shared::error::ErrorKind;
use leadrelay_shared::http::{Answer, Client, Method, Settings};
use leadrelay_testkit::{Fault, How, Plan, Receiver, Server};

const SECRET: &str = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";

struct Caller(Client, String);

impl Caller {
    fn of(server: &Server) -> Self {
        let settings = Settings { timeout: Duration::from_secs(60), allow_private_addresses: true };
        Self(Client::new(settings).expect("a client"), server.url())
    }

    async fn post(&self) -> Result<Answer, ErrorKind> {
        self.0.request(Method::POST, self.1.parse().expect("a url")).body("{}").send().await.map_err(|error| error.kind)
    }

    async fn status(&self) -> Result<u16, ErrorKind> {
        self.post().await.map(|answer| answer.status)
    }
}

#[tokio::test]
async fn a_plan_counts_from_when_it_is_made_known() {
    let receiver = Receiver::new(SECRET);
    let server = Server::start(receiver.clone()).await;
    let caller = Caller::of(&server);
    // The request is not signed, so 401 is the world's own answer.
    assert_eq!(caller.status().await, Ok(401));
    let fault = |how| Some(Fault::before(how));
    server.plan(Plan::List(vec![None, fault(How::Status(503)), fault(How::Cut), Some(Fault::after(How::Cut))]));
    let seen = [
        caller.status().await,
        caller.status().await,
        caller.status().await,
        caller.status().await,
        caller.status().await,
    ];
    let cut = Err(ErrorKind::Uncertain);
    assert_eq!(seen, [Ok(401), Ok(503), cut, cut, Ok(401)]);
    assert_eq!((server.requests(), receiver.unverified()), (6, 4));
}

#[tokio::test]
async fn a_closed_port_refuses_and_opens_again_at_the_same_address() {
    let server = Server::start(Receiver::counting(SECRET)).await;
    let caller = Caller::of(&server);
    for _ in 0..3 {
        assert_eq!(caller.status().await, Ok(401));
        server.refuse().await;
        server.refuse().await;
        // A kept connection that is cut as the request leaves it cannot be told from a lost answer.
        assert!(matches!(caller.status().await, Err(ErrorKind::Unavailable | ErrorKind::Uncertain)));
        assert_eq!(Caller::of(&server).status().await, Err(ErrorKind::Unavailable));
        server.welcome().await;
        server.welcome().await;
        assert_eq!(caller.status().await, Ok(401));
    }
}

#[tokio::test]
async fn answers_say_what_the_plan_says() {
    let server = Server::start(Receiver::new(SECRET)).await;
    let caller = Caller::of(&server);
    let answer = |how| {
        server.plan(Plan::once(Fault::before(how)));
        caller.post()
    };
    let waiting = answer(How::Wait(429, "7".to_owned())).await.expect("an answer");
    assert_eq!((waiting.status, &waiting.headers["retry-after"]), (429, &"7".parse().expect("a value")));
    let echo = answer(How::Echo(400)).await.expect("an answer");
    assert_eq!((echo.status, &echo.body[..]), (400, &b"{}"[..]));
    let moved = answer(How::Redirect("https://example.com/".to_owned())).await.expect("an answer");
    assert_eq!((moved.status, &moved.headers["location"]), (307, &"https://example.com/".parse().expect("a value")));
    let half = answer(How::CutAnswer).await.expect("an answer");
    assert_eq!((half.status, half.truncated), (200, true));
    let long = answer(How::Oversize(1 << 20)).await.expect("an answer");
    assert_eq!((long.status, long.truncated), (200, true));
    assert_eq!(answer(How::Garbage).await.expect_err("no HTTP"), ErrorKind::Uncertain);
}
