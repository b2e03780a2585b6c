//! The partner behind the webhook: a simulated receiver with its port. Shared by the tests and the benches.

use std::collections::{BTreeMap, BTreeSet};

use leadrelay_testkit::{Plan, Receiver, Server};
use serde_json::Value;

/// A receiver and the port before it.
pub(crate) struct Partner {
    pub(crate) server: Server,
    pub(crate) world: Receiver,
}

impl Partner {
    /// Opens a port on loopback.
    pub(crate) async fn start(secret: &str) -> Self {
        let world = Receiver::new(secret);
        Self { server: Server::start(world.clone()).await, world }
    }

    /// Where it is to be reached.
    pub(crate) fn url(&self) -> String {
        format!("{}/leads", self.server.url())
    }

    /// Breaks what comes from now on by this plan.
    pub(crate) fn plan(&self, plan: Plan) {
        self.server.plan(plan);
    }

    /// Whether a record came under this `webhook-id`.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.world.record(id).is_some()
    }

    /// Under how many ids records came.
    pub(crate) fn distinct(&self) -> usize {
        self.world.ids()
    }

    /// The `webhook-id`s under which each lead came.
    pub(crate) fn ids_by_lead(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut leads = BTreeMap::<String, BTreeSet<String>>::new();
        for (id, record) in self.world.records() {
            let body: Value = serde_json::from_slice(&record.body).expect("a record is JSON");
            leads.entry(lead_of(&body).to_owned()).or_default().insert(id);
        }
        leads
    }
}

/// The e-mail address, which is each sample lead's own.
fn lead_of(body: &Value) -> &str {
    body["data"]["email"].as_str().or(body["data"]["record"]["email"].as_str()).expect("a record has an e-mail address")
}
