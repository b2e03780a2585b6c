//! Leads: the list, one with its story, and one as it came in.

use leadrelay_shared::id::{DeliveryId, LeadId};
use leadrelay_shared::lead::{Body, Fault, Lead};

use super::db::{Db, Row, Value, values};
use super::filter::{Conditions, Cursor, id_range};
use super::fold::{Story, Waits, fold};
use super::rows::{self, Told, delivery_key};
use super::seal::{Place, Sealer};
use super::{Store, StoreError, parked, read_json, time};
use crate::api::types::{Filter, LeadState, LeadSummary, Page};

/// A lead and all that is known of it. Not `Debug`: it holds what a person wrote.
pub struct FoundLead {
    pub(crate) summary: LeadSummary,
    pub(crate) format: leadrelay_shared::lead::Format,
    pub(crate) body: Option<Body>,
    /// Why the body, which is kept, cannot be read.
    pub(crate) unread: Option<&'static str>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) told: Vec<Told>,
    pub(crate) story: Story,
}

/// A lead to be routed again.
#[derive(Debug)]
pub struct Kept {
    /// The lead as it came in; absent when its body is no longer kept, or its acceptance was not told yet.
    pub lead: Option<Lead>,
    /// Its id.
    pub id: LeadId,
    /// The highest round of it and of its deliveries.
    pub round: u32,
    /// Where it is.
    pub state: LeadState,
}

const COLUMNS: &str = "l.no, l.id, l.state, l.source, l.received_at, l.name, l.email, l.company, l.offer_title, l.action, \
                       l.test, l.dnc, l.duplicates, l.round";

impl Store {
    /// A page of leads, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn leads(
        &self,
        filter: Filter,
        limit: usize,
        cursor: Option<Cursor>,
    ) -> Result<Page<LeadSummary>, StoreError> {
        self.read(move |db| {
            let (sql, values) = select(&filter, limit, cursor);
            let (mut items, mut last) = (Vec::new(), None);
            for row in db.query(&sql, &values)? {
                if items.len() == limit {
                    return Ok(Page { items, next: last });
                }
                items.push(summary(db, &row)?);
                last = Some(Cursor { at: row.get(4)?, no: row.get(0)? }.to_string());
            }
            Ok(Page { items, next: None })
        })
        .await
    }

    /// The lead of which `prefix` is the id or its beginning, where there is one alone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lead_ids(&self, prefix: &str) -> Result<Vec<LeadId>, StoreError> {
        let Some((low, high)) = id_range(prefix) else { return Ok(Vec::new()) };
        self.read(move |db| {
            let found = db.query("SELECT id FROM lead WHERE id BETWEEN ? AND ? LIMIT 2", values![low, high])?;
            found.iter().map(|row| rows::lead_id(row, 0)).collect()
        })
        .await
    }

    /// A lead with all that is known of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lead(&self, id: LeadId) -> Result<Option<FoundLead>, StoreError> {
        let sealer = self.sealer.clone();
        self.read(move |db| found(db, &sealer, id)).await
    }

    /// A lead as it came in, to be routed again.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn kept(&self, id: LeadId) -> Result<Option<Kept>, StoreError> {
        let sealer = self.sealer.clone();
        self.read(move |db| kept(db, &sealer, id)).await
    }

    /// The latest leads whose bodies are still kept, as they came in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn latest(&self, limit: usize) -> Result<Vec<Lead>, StoreError> {
        let sealer = self.sealer.clone();
        self.read(move |db| {
            let sql = "SELECT l.id, l.source, l.received_at, l.format, l.faults, l.round, p.body, p.sealed FROM lead l JOIN payload p ON p.lead = l.no
                       WHERE l.accepted IS NOT NULL ORDER BY l.received_at DESC LIMIT ?";
            let rows = db.query(sql, values![i64::try_from(limit).unwrap_or(i64::MAX)])?;
            rows.iter().map(|row| as_it_came(&sealer, row)).collect()
        })
        .await
    }

    /// The lead of a delivery.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lead_of(&self, delivery: DeliveryId) -> Result<Option<LeadId>, StoreError> {
        self.read(move |db| {
            let sql = "SELECT l.id FROM delivery d JOIN lead l ON l.no = d.lead WHERE d.id = ?";
            let found = db.query_opt(sql, values![delivery_key(delivery)])?;
            found.map(|row| rows::lead_id(&row, 0)).transpose()
        })
        .await
    }
}

/// One more than the page, to know whether there is a next one. The outer loop runs along an index in the list's order.
fn select(filter: &Filter, limit: usize, cursor: Option<Cursor>) -> (String, Vec<Value>) {
    let mut conditions = Conditions::default();
    // A rare state is the better index; without one, a destination's own list is.
    let by_destination = filter.destination.is_some() && filter.state.is_none();
    let (from, at, no) = match by_destination {
        true => ("delivery d CROSS JOIN lead l WHERE l.no = d.lead AND", "d.received_at", "d.lead"),
        false => ("lead l WHERE", "l.received_at", "l.no"),
    };
    let destination = match by_destination {
        true => "d.destination = ?",
        false => "EXISTS (SELECT 1 FROM delivery d WHERE d.lead = l.no AND d.destination = ?)",
    };
    conditions.text(destination, filter.destination.as_deref());
    conditions.lead(filter, &["l.id"]);
    conditions.time(if by_destination { "d.received_at >= ?" } else { "l.received_at >= ?" }, filter.since);
    conditions.time(if by_destination { "d.received_at <= ?" } else { "l.received_at <= ?" }, filter.until);
    conditions.before(at, no, cursor);
    let (condition, mut values) = conditions.into_sql();
    values.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)));
    (format!("SELECT {COLUMNS} FROM {from} {condition} ORDER BY {at} DESC, {no} DESC LIMIT ?"), values)
}

fn summary(db: &dyn Db, row: &Row) -> Result<LeadSummary, StoreError> {
    let names = db.query(
        "SELECT DISTINCT destination FROM delivery WHERE lead = ? ORDER BY destination",
        values![row.get::<i64>(0)?],
    )?;
    let destinations = names.iter().map(|name| name.get(0)).collect::<Result<_, _>>()?;
    Ok(LeadSummary {
        id: rows::lead_id(row, 1)?,
        state: rows::state(row.text(2)).ok_or(StoreError::Row { what: "state" })?,
        source: row.get(3)?,
        received_at: time(row.get(4)?)?,
        name: row.get(5)?,
        email: row.get(6)?,
        company: row.get(7)?,
        offer_title: row.get(8)?,
        action: row.get(9)?,
        test: row.get(10)?,
        do_not_contact: row.get(11)?,
        destinations,
        duplicates: row.get(12)?,
        round: row.get(13)?,
    })
}

fn found(db: &dyn Db, sealer: &Sealer, id: LeadId) -> Result<Option<FoundLead>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, l.format, l.faults FROM lead l WHERE l.id = ?");
    let Some(row) = db.query_opt(&sql, values![rows::lead_key(id)])? else { return Ok(None) };
    let no: i64 = row.get(0)?;
    let told = rows::told(db, no)?;
    let waits: Vec<Waits> = parked::waits(db, no)?.into_iter().map(|(_, waits)| waits).collect();
    let (body, unread) = match body(db, sealer, no, id) {
        // All else that is known of it is told all the same.
        Err(error) if error.is_unopened() => (None, Some(error.bland())),
        body => (body?, None),
    };
    Ok(Some(FoundLead {
        summary: summary(db, &row)?,
        format: rows::format(row.text(14))?,
        body,
        unread,
        faults: faults(&row, 15)?,
        story: fold(&told, &waits),
        told,
    }))
}

fn kept(db: &dyn Db, sealer: &Sealer, id: LeadId) -> Result<Option<Kept>, StoreError> {
    let sql = "SELECT l.no, l.accepted, l.source, l.received_at, l.round, l.state, l.format FROM lead l WHERE l.id = ?";
    let Some(row) = db.query_opt(sql, values![rows::lead_key(id)])? else { return Ok(None) };
    let accepted: Option<u32> = row.get(1)?;
    let (round, word): (u32, String) = (row.get(4)?, row.get(5)?);
    let state = rows::state(&word).ok_or(StoreError::Row { what: "state" })?;
    let lead = match (accepted, body(db, sealer, row.get(0)?, id)?) {
        (Some(_), Some(body)) => Some(Lead {
            id,
            source: row.get(2)?,
            format: rows::format(row.text(6))?,
            received_at: time(row.get(3)?)?,
            body,
            faults: Vec::new(),
            round,
        }),
        _ => None,
    };
    Ok(Some(Kept { lead, id, round, state }))
}

fn as_it_came(sealer: &Sealer, row: &Row) -> Result<Lead, StoreError> {
    let id = rows::lead_id(row, 0)?;
    Ok(Lead {
        id,
        source: row.get(1)?,
        received_at: time(row.get(2)?)?,
        format: rows::format(row.text(3))?,
        faults: faults(row, 4)?,
        round: row.get(5)?,
        body: Body::from(sealer.open(Place::Payload(id), row.get(6)?, row.get(7)?)?),
    })
}

fn body(db: &dyn Db, sealer: &Sealer, no: i64, id: LeadId) -> Result<Option<Body>, StoreError> {
    let found = db.query_opt("SELECT body, sealed FROM payload WHERE lead = ?", values![no])?;
    found.map(|row| Ok(Body::from(sealer.open(Place::Payload(id), row.get(0)?, row.get(1)?)?))).transpose()
}

fn faults(row: &Row, column: usize) -> Result<Vec<Fault>, StoreError> {
    let text: Option<String> = row.get(column)?;
    text.map_or(Ok(Vec::new()), |text| read_json(&text, "faults"))
}

#[cfg(test)]
mod tests {
    use leadrelay_shared::config::{Database, Secret};
    use leadrelay_shared::event::{Event, Fact};
    use rusqlite::{Connection, params_from_iter};

    use super::super::sqlite::open;
    use super::*;

    /// How SQLite would answer a query.
    fn plan(db: &Connection, (sql, values): (String, Vec<Value>)) -> String {
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a statement");
        let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).expect("a plan");
        steps.collect::<Result<Vec<_>, _>>().expect("steps").join("; ")
    }

    /// Every list that can be asked for, with its name.
    fn lists() -> Vec<(String, (String, Vec<Value>))> {
        let some = |text: &str| Some(text.to_owned());
        let since = Some(jiff::Timestamp::UNIX_EPOCH);
        let state = Some(LeadState::Parked);
        let filters = [
            Filter::default(),
            Filter { state, ..Filter::default() },
            Filter { source: some("addon"), ..Filter::default() },
            Filter { destination: some("crm"), ..Filter::default() },
            Filter { since, until: since, ..Filter::default() },
            Filter { state, source: some("addon"), destination: some("crm"), since, ..Filter::default() },
            Filter { q: some("ann"), ..Filter::default() },
        ];
        let mut lists = Vec::new();
        for filter in filters {
            for cursor in [None, Some(Cursor { at: 1, no: 1 })] {
                lists.push((format!("leads {filter:?}"), select(&filter, 50, cursor)));
                lists.push((format!("parked {filter:?}"), parked::select("SELECT p.key", &filter, 50, cursor)));
            }
        }
        lists
    }

    #[test]
    fn every_list_runs_along_an_index_in_its_own_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let db = open::open(dir.path()).expect("a database").writer;
        for (list, query) in lists() {
            let plan = plan(&db, query);
            assert!(plan.contains("USING INDEX") || plan.contains("USING COVERING INDEX"), "{list}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{list}: {plan}");
        }
    }

    /// A statement with its values in it: PostgreSQL explains no others.
    fn written((sql, values): (String, Vec<Value>)) -> String {
        let mut parts = sql.split('?');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.zip(values).fold(first, |sql, (part, value)| match value {
            Value::Int(number) => format!("{sql}{number}{part}"),
            Value::Text(text) => format!("{sql}'{text}'{part}"),
            _ => panic!("{sql}: no list is asked for by such a value"),
        })
    }

    #[tokio::test]
    async fn so_does_every_list_on_postgresql_over_all_months() {
        let test = leadrelay_testkit::postgres::shared().database();
        let database = Database::parse(&test.url).expect("a database");
        let database = Database { password: Some(Secret::plain(test.password)), ..database };
        let store = Store::connect(database).await.expect("a store");
        let at = |month: i64| jiff::Timestamp::from_second(month * 31 * 24 * 3600).expect("a time");
        let told = |name: &[u8], month| {
            let fact = Fact::Duplicate { lead: LeadId::derive(&[name]), source: "addon".to_owned() };
            Event { at: at(month), fact }
        };
        let events = vec![told(b"a", 0), told(b"b", 3)];
        store.record(events, Vec::new()).await.expect("two months");
        let explained = store.read(|db| {
            // Of so few rows it would sort some, were it not told what sorting many costs.
            for dear in ["seqscan", "bitmapscan", "sort", "incremental_sort"] {
                db.execute(&format!("SET LOCAL enable_{dear} = off"), &[])?;
            }
            let explain = |(list, query)| -> Result<(String, Vec<String>), StoreError> {
                let rows = db.query(&format!("EXPLAIN {}", written(query)), &[])?;
                Ok((list, rows.iter().map(|row| row.text(0).to_owned()).collect()))
            };
            lists().into_iter().map(explain).collect::<Result<Vec<_>, _>>()
        });
        for (list, plan) in explained.await.expect("plans") {
            let sorts = |line: &String| line.trim_start_matches([' ', '-', '>']).split(' ').next() == Some("Sort");
            let sorted =
                plan.iter().any(|line| sorts(line) && !line.contains("Sort Key") || line.contains("Incremental"));
            assert!(!sorted, "{list}: {plan:#?}");
            assert!(plan.iter().any(|line| line.contains("Index")), "{list}: {plan:#?}");
        }
    }
}
