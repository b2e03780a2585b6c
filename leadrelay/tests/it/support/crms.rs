//! Two simulated CRMs behind one relay, everything that can befall them, and the judgement of what they hold in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use leadrelay_testkit::conformance::World as _;
use leadrelay_testkit::{Dataverse, Fault, How, Plan, Salesforce, samples};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::chance::Moments;
use super::world::{self, World};

/// How long whatever was accepted may take to arrive once everything works again.
const ARRIVAL: Duration = Duration::from_secs(240);

/// The destinations.
pub(crate) const NAMES: [&str; 2] = ["crm", "sales"];

/// An environment of Dynamics 365 and an org of Salesforce.
pub(crate) struct Crms {
    pub(crate) dynamics: Dataverse,
    pub(crate) salesforce: Salesforce,
}

impl Crms {
    pub(crate) async fn start() -> Self {
        Self { dynamics: Dataverse::on(Clock::real()).await, salesforce: Salesforce::on(Clock::real()).await }
    }

    /// Destinations `crm` and `sales` and a route to each, in which every thirtieth lead has a value that no CRM takes.
    pub(crate) fn configuration(&self) -> String {
        let wrong = "lead.first_name == 'Ann' and lead.last_name == 'Lee'";
        format!(
            "{}{}\
             [[routes]]\nname = \"crm\"\nto = \"crm\"\n[routes.fields]\n\
             subject = \"{{{{ lead.offer_title }}}}\"\nlastname = \"{{{{ lead.last_name }}}}\"\n\
             firstname = \"{{{{ lead.first_name }}}}\"\nemailaddress1 = \"{{{{ lead.email }}}}\"\n\
             companyname = \"{{{{ lead.company }}}}\"\ndescription = \"{{{{ lead.description }}}}\"\n\
             leadsourcecode = \"{{{{ 'Radio' if {wrong} else 'Web' }}}}\"\n\
             [[routes]]\nname = \"sales\"\nto = \"sales\"\n[routes.fields]\n\
             LastName = \"{{{{ lead.last_name }}}}\"\nFirstName = \"{{{{ lead.first_name }}}}\"\n\
             Email = \"{{{{ 'no address' if {wrong} else lead.email }}}}\"\nCompany = \"{{{{ lead.company }}}}\"\n\
             Description = \"{{{{ lead.description }}}}\"\n",
            destination("crm", "dynamics", &self.dynamics.settings()),
            destination("sales", "salesforce", &self.salesforce.settings()),
        )
    }

    /// Breaks 5 % of all calls, in every way that passes.
    pub(crate) fn plan(&self, moments: &mut Moments) {
        let mut faults: Vec<Fault> = [503, 500, 502, 504, 429].map(|s| Fault::before(How::Status(s))).into();
        faults.extend([How::Cut, How::Hang, How::Garbage].map(Fault::before));
        faults.push(Fault::before(How::Wait(429, "1".to_owned())));
        let lost = [How::Status(500), How::Status(502), How::Status(503), How::Status(504), How::Cut, How::CutAnswer];
        faults.extend(lost.map(Fault::after));
        faults.extend([How::Garbage, How::Hang, How::Drip, How::Oversize(1 << 20)].map(Fault::after));
        for server in [&self.dynamics.server, &self.salesforce.server, &self.dynamics.login, &self.salesforce.login] {
            server.plan(Plan::Share { seed: moments.next(1 << 30), percent: 5, faults: faults.clone() });
        }
    }

    /// Nothing is broken any more.
    pub(crate) fn mend(&self) {
        for server in [&self.dynamics.server, &self.salesforce.server, &self.dynamics.login, &self.salesforce.login] {
            server.plan(Plan::Sound);
        }
    }

    /// Ends tokens, locks rows and uses up limits at random moments, until it is dropped.
    pub(crate) fn trouble(&self, seed: u64) -> Trouble {
        let (environment, org) = (self.dynamics.environment.clone(), self.salesforce.org.clone());
        let mut moments = Moments(seed);
        Trouble(tokio::spawn(async move {
            loop {
                moments.pass(50, 250).await;
                match moments.next(5) {
                    0 => environment.end_tokens(),
                    1 => org.end_sessions(),
                    2 => environment.lock_rows(u32::try_from(moments.next(10)).expect("small")),
                    3 => org.lock_rows(u32::try_from(moments.next(10)).expect("small")),
                    _ => environment.throttle(Duration::from_millis(300)),
                }
            }
        }))
    }

    /// Waits until each of the accepted leads has one record in each CRM or is parked for a true reason, and tells.
    pub(crate) async fn judged(&self, accepted: &BTreeSet<String>, admin: SocketAddr) -> Verdict {
        let ledger = Arc::new(Ledger { admin, http: world::client() });
        let mut open: Vec<(&String, &str)> = accepted.iter().flat_map(|id| NAMES.map(|name| (id, name))).collect();
        let mut verdict = Verdict { accepted: accepted.len(), ..Verdict::default() };
        let all_judged = tokio::time::timeout(ARRIVAL, async {
            while !open.is_empty() {
                let keys = NAMES.map(|name| (name, self.keys(name)));
                let held = |id: &str, name: &str| {
                    let (_, keys) = keys.iter().find(|(known, _)| *known == name).expect("one of the two");
                    keys.get(&World::delivery(id, name)).copied().unwrap_or_default()
                };
                open.retain(|(id, name)| held(id, name) != 1);
                let mut still_open = Vec::new();
                for (id, name) in open.iter().copied() {
                    // Many are not there yet: most of them are on their way, and the ledger need not be asked of each.
                    if open.len() > accepted.len() / 10 {
                        still_open.push((id, name));
                        continue;
                    }
                    match ledger.parked(id, name).await {
                        None => still_open.push((id, name)),
                        Some(parked) => verdict.park(id, name, &parked),
                    }
                }
                open = still_open;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        // What is left open then is what is missing.
        let _ = all_judged.await;
        verdict.missing = open.iter().map(|(id, name)| format!("{id} at {name}")).collect();
        verdict.doubled = self.doubled();
        verdict.records = NAMES.map(|name| self.keys(name).len());
        verdict.logins = [self.dynamics.environment.calls().tokens, self.salesforce.org.calls().tokens];
        verdict
    }

    /// How many records each CRM holds for each delivery.
    fn keys(&self, name: &str) -> BTreeMap<String, usize> {
        let mut keys = BTreeMap::new();
        let mut count = |key: String| *keys.entry(key).or_default() += 1;
        match name {
            "crm" => self.dynamics.environment.rows().into_iter().for_each(|row| count(row.id)),
            _ => {
                let text = |record: &leadrelay_testkit::SalesforceRecord| {
                    record.values["LeadRelay_Id__c"].as_str().map(str::to_owned)
                };
                self.salesforce.org.records().iter().filter_map(text).for_each(count);
            }
        }
        keys
    }

    /// The people who are in a CRM twice, whatever the keys say.
    fn doubled(&self) -> usize {
        let rows = self.dynamics.environment.rows().into_iter().map(|row| row.values["emailaddress1"].clone());
        let records = self.salesforce.org.records().into_iter().map(|record| record.values["Email"].clone());
        let twice = |all: Vec<Value>| all.len() - all.iter().map(Value::to_string).collect::<BTreeSet<_>>().len();
        twice(rows.collect()) + twice(records.collect())
    }
}

/// A destination as it stands in a configuration.
pub(crate) fn destination(name: &str, connector: &str, settings: &Value) -> String {
    let keys = settings.as_object().expect("a table").iter();
    let keys: String = keys.map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!(
        "[destinations.{name}]\nconnector = \"{connector}\"\nallow_private_addresses = true\ntimeout = \"2s\"\n{keys}\
         [destinations.{name}.retry]\nfirst_delay = \"50ms\"\nmax_delay = \"500ms\"\n"
    )
}

/// Trouble at random moments. It ends when this is dropped.
pub(crate) struct Trouble(JoinHandle<()>);

impl Drop for Trouble {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Ledger {
    admin: SocketAddr,
    http: reqwest::Client,
}

impl Ledger {
    /// Why the delivery of a lead is parked, if it is.
    async fn parked(&self, id: &str, destination: &str) -> Option<Value> {
        let url = format!("http://{}/api/v1/leads/{id}", self.admin);
        let (_, lead) = world::send(self.http.get(url).bearer_auth(world::ADMIN)).await;
        let deliveries = lead["deliveries"].as_array()?;
        let delivery = deliveries.iter().find(|delivery| delivery["destination"] == destination)?;
        Some(delivery["parked"].clone()).filter(|_| delivery["state"] == "parked")
    }
}

/// What became of the leads.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    accepted: usize,
    records: [usize; 2],
    /// Parked for the value that no CRM takes.
    parked: usize,
    /// Parked for anything else.
    wrongly_parked: Vec<String>,
    missing: Vec<String>,
    doubled: usize,
    logins: [u64; 2],
}

impl Verdict {
    fn park(&mut self, id: &str, name: &str, parked: &Value) {
        let field = if name == "crm" { "leadsourcecode" } else { "Email" };
        let is_true = parked["kind"] == "rejected" && parked.to_string().contains(&format!("\"{field}\""));
        if is_true {
            self.parked += 1;
        } else {
            self.wrongly_parked.push(format!("{id} at {name}: {parked}"));
        }
    }

    /// Fails unless each lead has arrived exactly once in each CRM or is parked for a true reason.
    pub(crate) fn holds(&self, seed: u64) {
        assert!(self.accepted > 0 && self.parked > 0, "seed {seed}: nothing was proved: {self:#?}");
        assert!(
            self.missing.is_empty() && self.doubled == 0 && self.wrongly_parked.is_empty(),
            "seed {seed}: {self:#?}"
        );
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, records: [crm, sales], parked, wrongly_parked, missing, doubled, logins } = self;
        write!(
            f,
            "{accepted} leads answered 2xx; {crm} rows in Dynamics 365, {sales} records in Salesforce; {parked} deliveries parked for a true \
             reason, {} for another; {} missing, {doubled} doubled; {} and {} logins",
            wrongly_parked.len(),
            missing.len(),
            logins[0],
            logins[1],
        )
    }
}

/// The `n`th lead.
pub(crate) fn lead(n: u64) -> String {
    samples::lead_json(n)
}
