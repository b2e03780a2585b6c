//! A claim that is held for longer than the broker allows: it ends the subscription and hands out anew what was claimed.

use std::slice::from_ref;

use leadrelay_testkit::broker::Broker;
use leadrelay_testkit::{Fault, How, Plan};

use super::fleet::{Fleet, WEBHOOK};
use super::report::Row;
use crate::support::chance::Moments;

pub(crate) async fn slow(moments: &mut Moments, rounds: u64) -> Row {
    let broker = Broker::start().await;
    for (key, ms) in [("consumer_timeout", 2_000), ("channel_tick_interval", 500)] {
        broker.ctl(&["eval", &format!("application:set_env(rabbit, {key}, {ms}).")]);
    }
    let mut fleet = Fleet::on(from_ref(&broker), &[broker.port()]).await;
    fleet.set("DESTINATIONS__PARTNER__TIMEOUT", "6s");
    fleet.start_all().await;
    let rounds = rounds.min(5);
    for _ in 0..rounds {
        let hanging = Some(Fault::after(How::Hang));
        fleet.partner.plan(Plan::List(vec![hanging; 3]));
        let posting = fleet.post();
        moments.pass(200, 500).await;
        fleet.posted(posting).await;
        fleet.says_anew(WEBHOOK, "deliver.partner").await;
    }
    let said = fleet.output(WEBHOOK);
    assert!(
        said.contains("a topic cannot be consumed") || said.contains("the broker ended a subscription"),
        "the broker did end it: {said}"
    );
    fleet.judged("a claim outlives the timeout", rounds).await
}
