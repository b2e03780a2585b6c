//! Rows as Dataverse gets them, and where they are found.

use leadrelay_shared::delivery::{Receipt, Record};
use leadrelay_shared::http::Url;
use serde_json::Value;

/// Where rows are.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// `lead`
    pub(crate) name: String,
    /// `leads`
    pub(crate) entity_set: String,
}

impl Table {
    /// The row of this id, as a segment of a path: `leads(<id>)`.
    pub(crate) fn row(&self, id: &str) -> String {
        format!("{}({id})", self.entity_set)
    }

    /// The column that holds a row's id.
    pub(crate) fn key(&self) -> String {
        format!("{}id", self.name)
    }

    /// What is written: the record without the row's id, whoever has mapped it. The id stands in the path alone.
    pub(crate) fn body(&self, record: &Record) -> Vec<u8> {
        let key = self.key();
        let kept = record.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(&key));
        let record: Record = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        Value::Object(record).to_string().into_bytes()
    }

    /// The receipt for the row of this id; its link opens the row's form.
    pub(crate) fn receipt(&self, environment: &Url, id: String, existed: bool, status: u16) -> Receipt {
        let mut url = environment.clone();
        url.set_path("/main.aspx");
        url.query_pairs_mut()
            .append_pair("pagetype", "entityrecord")
            .append_pair("etn", &self.name)
            .append_pair("id", &id);
        Receipt { record: Some(id), link: Some(url.into()), existed, status: Some(status) }
    }
}

#[cfg(test)]
mod tests {
    use leadrelay_testkit::samples;
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        Table { name: "lead".to_owned(), entity_set: "leads".to_owned() }
    }

    #[test]
    fn the_id_is_ours_whatever_the_mapping_says() {
        let mut record = samples::delivery(1).record;
        record.insert("LeadId".to_owned(), json!("mapped"));
        let body: Value = serde_json::from_slice(&table().body(&record)).expect("JSON");
        assert!(body.get("LeadId").is_none() && body.get("lastname").is_some());
    }

    #[test]
    fn a_receipt_opens_the_row() {
        let environment = "https://contoso.crm4.dynamics.com/".parse().expect("a url");
        let receipt = table().receipt(&environment, "6f6c2f6e-0000-8000-8000-000000000001".to_owned(), false, 204);
        let link = "https://contoso.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=lead&id=6f6c2f6e-0000-8000-8000-000000000001";
        assert_eq!(receipt.link.as_deref(), Some(link));
    }
}
