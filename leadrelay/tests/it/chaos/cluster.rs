//! Three nodes, and the one that leads the queue is killed.

use leadrelay_testkit::broker::{Broker, Cluster};

use super::fleet::Fleet;
use super::report::Row;
use crate::support::chance::Moments;

pub(crate) async fn leader_killed(moments: &mut Moments, rounds: u64) -> Row {
    let rounds = rounds.min(5);
    let cluster = Cluster::start().await;
    let ports = cluster.nodes().each_ref().map(Broker::port);
    let mut fleet = Fleet::on(cluster.nodes(), &ports).await;
    fleet.trouble(moments);
    fleet.start_all().await;
    let posting = fleet.post();
    for _ in 0..rounds {
        moments.pass(500, 2000).await;
        let leader = cluster.leader_of(&fleet.vhost, "leadrelay.v1.topic.leads");
        leader.kill();
        moments.pass(2000, 4000).await;
        leader.start_again().await;
    }
    fleet.posted(posting).await;
    fleet.judged("three nodes, the leader killed", rounds).await
}
