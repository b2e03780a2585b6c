//! The simulated CRMs of the demonstration, and what they hold.

use leadrelay_ledger::api::types::LeadDetail;
use leadrelay_shared::clock::Clock;
use leadrelay_testkit::conformance::World as _;
use leadrelay_testkit::{Dataverse, Fault, How, Plan, Salesforce};
use serde_json::Value;

use crate::output::count;

/// What the leads go to.
const CONFIGURATION: &str = include_str!("../../presets/demo.toml");

/// A Dynamics 365 and a Salesforce.
#[derive(Debug)]
pub(super) struct Stage {
    dynamics: Dataverse,
    salesforce: Salesforce,
}

impl Stage {
    /// Starts both. So many of a hundred calls go wrong, one half of them after their effect: then the answer is lost.
    pub(super) async fn set(percent: u8) -> Self {
        let stage =
            Self { dynamics: Dataverse::on(Clock::real()).await, salesforce: Salesforce::on(Clock::real()).await };
        let faults = vec![
            Fault::before(How::Status(503)),
            Fault::before(How::Wait(429, "1".to_owned())),
            Fault::before(How::Cut),
            Fault::after(How::Cut),
            Fault::after(How::Status(504)),
            Fault::after(How::CutAnswer),
        ];
        for (seed, server) in [(1, &stage.dynamics.server), (2, &stage.salesforce.server)] {
            server.plan(Plan::Share { seed, percent, faults: faults.clone() });
        }
        stage
    }

    /// A configuration that leads to both.
    pub(super) fn configuration(&self) -> String {
        let mut text = CONFIGURATION.to_owned();
        for (name, settings) in [("dynamics", self.dynamics.settings()), ("salesforce", self.salesforce.settings())] {
            for (key, value) in settings.as_object().into_iter().flatten() {
                text = text.replace(&format!("{{{name}.{key}}}"), value.as_str().unwrap_or_default());
            }
        }
        text
    }

    /// Records in both.
    pub(super) fn records(&self) -> u64 {
        (self.dynamics.total() + self.salesforce.total()) as u64
    }

    /// What came of `leads`, in a sentence.
    pub(super) fn sum(&self, leads: u64) -> String {
        let rows = count(self.dynamics.total() as u64, "row");
        let records = count(self.salesforce.total() as u64, "record");
        let calls = self.dynamics.server.requests() + self.salesforce.server.requests();
        format!("of {leads} leads: {rows} in Dynamics 365 and {records} in Salesforce, after {calls} calls")
    }

    /// Where the records can be seen.
    pub(super) fn pages(&self) -> String {
        format!("{}/records and {}/records", self.dynamics.server.url(), self.salesforce.server.url())
    }
}

/// Where a lead is, at each of its destinations.
pub(super) fn line(detail: &LeadDetail) -> String {
    let told = serde_json::to_value(&detail.deliveries).unwrap_or_default();
    let of = |delivery: &Value| {
        let text = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
        let record = delivery["receipt"]["record"].as_str().unwrap_or("parked");
        format!(
            "{} {record} ({})",
            text("destination"),
            count(delivery["attempts"].as_u64().unwrap_or_default(), "attempt")
        )
    };
    let all: Vec<String> = told.as_array().into_iter().flatten().map(of).collect();
    all.join("  ")
}
