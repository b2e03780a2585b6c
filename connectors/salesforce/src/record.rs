//! Records as Salesforce gets them, and ids as it gives them.

use leadrelay_shared::delivery::{Delivery, Receipt, Record};
use leadrelay_shared::http::Url;
use serde_json::{Value, json};

/// What is written for a delivery: its record, with the delivery's id in the field `key` and in no other place.
pub(crate) fn with_key(delivery: &Delivery, key: Option<&str>) -> Record {
    let mut record = without(&delivery.record, key);
    if let Some(key) = key {
        record.insert(key.to_owned(), delivery.id.to_string().into());
    }
    record
}

/// A delivery's record without the field `key`, whoever has mapped it; names do not tell upper from lower case.
pub(crate) fn without(record: &Record, key: Option<&str>) -> Record {
    let is_key = |name: &str| key.is_some_and(|key| key.eq_ignore_ascii_case(name));
    record.iter().filter(|(name, _)| !is_key(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A record as one of a collection.
pub(crate) fn in_collection(object: &str, record: Record) -> Value {
    let mut all = Record::new();
    all.insert("attributes".to_owned(), json!({"type": object}));
    all.extend(record);
    Value::Object(all)
}

/// The receipt for the record with this id.
pub(crate) fn receipt(instance: &Url, object: &str, id: Option<String>, existed: bool, status: u16) -> Receipt {
    let link = id.as_ref().map(|id| {
        let mut url = instance.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(["lightning", "r", object, id, "view"]);
        }
        url.to_string()
    });
    Receipt { record: id, link, existed, status: Some(status) }
}

/// The id in `text`, as 18 characters, if it is one. A message gives 15 of them, an answer 18.
pub(crate) fn id_in(text: &str) -> Option<String> {
    let id = text.trim();
    if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        18 => Some(id.to_owned()),
        15 => Some(format!("{id}{}", marks(id))),
        _ => None,
    }
}

/// Which characters of an id are upper case, five by five
/// (help.salesforce.com, "Converting 15 character ID to 18 character ID").
fn marks(id: &str) -> String {
    let of_five = |five: &[u8]| {
        let bits = five.iter().rev().fold(0, |bits, byte| bits << 1 | u8::from(byte.is_ascii_uppercase()));
        char::from(if bits < 26 { b'A' + bits } else { b'0' + bits - 26 })
    };
    id.as_bytes().chunks(5).map(of_five).collect()
}

#[cfg(test)]
mod tests {
    use leadrelay_testkit::samples;

    use super::*;

    #[test]
    fn fifteen_characters_become_eighteen() {
        assert_eq!(id_in("001A0000006Vm9r").as_deref(), Some("001A0000006Vm9rIAC"));
        assert_eq!(id_in("001A0000006Vm9rIAC").as_deref(), Some("001A0000006Vm9rIAC"));
        for text in ["", "<unknown>", "001A0000006Vm9", "001A0000006Vm9rI", "001A0000006Vm/r"] {
            assert_eq!(id_in(text), None, "{text}");
        }
    }

    #[test]
    fn the_key_is_ours_whatever_the_mapping_says() {
        let mut delivery = samples::delivery(1);
        delivery.record.insert("leadrelay_id__C".to_owned(), json!("mapped"));
        let record = with_key(&delivery, Some("LeadRelay_Id__c"));
        assert_eq!(record["LeadRelay_Id__c"], delivery.id.to_string());
        assert!(!record.contains_key("leadrelay_id__C") && record.contains_key("lastname"));
        assert!(with_key(&delivery, None).contains_key("leadrelay_id__C"));
    }

    #[test]
    fn a_receipt_opens_the_record() {
        let instance = "https://contoso.my.salesforce.com/".parse().expect("a url");
        let receipt = receipt(&instance, "Lead", Some("00Q5g0000000012EAA".to_owned()), false, 201);
        let link = "https://contoso.my.salesforce.com/lightning/r/Lead/00Q5g0000000012EAA/view";
        assert_eq!(receipt.link.as_deref(), Some(link));
    }
}
