//! Many leads in one call: what came of each, by itself.

use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;
use leadrelay_testkit::conformance::World;
use leadrelay_testkit::{Fault, How, Plan};
use serde_json::json;

use super::rig::{Rig, discreet, lead, leads};

#[tokio::test]
async fn two_hundred_leads_are_one_call() {
    let rig = Rig::new().await;
    let outcomes = rig.connector.deliver_many(&leads(200)).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|receipt| !receipt.existed)));
    let links: Vec<_> = outcomes.iter().flatten().filter_map(|receipt| receipt.link.clone()).collect();
    assert!(links.len() == 200 && links[0].contains("/lightning/r/Lead/00Q"), "{:?}", links.first());
    let calls = rig.org().calls();
    assert_eq!((calls.collections, calls.counted, rig.world.total()), (1, 1, 200));
}

#[tokio::test]
async fn only_the_leads_concerned_are_parked_or_wait() {
    let rig = Rig::new().await;
    let mut batch = leads(6);
    batch[1] = lead(1, &json!({"Email": "nobody"}));
    batch[2] = lead(2, &json!({"LastName": "x".repeat(81)}));
    batch[3] = lead(3, &json!({"Size__c": "large"}));
    rig.delivers(&batch[4]).await;
    rig.org().lock_rows(1);
    let outcomes = rig.connector.deliver_many(&batch).await;
    let failed = |at: usize| outcomes[at].as_ref().map_err(|e| (e.kind, e.field.as_deref())).err();
    assert_eq!(failed(0), Some((ErrorKind::Contended, None)));
    assert_eq!(failed(1), Some((ErrorKind::Rejected, Some("Email"))));
    assert_eq!(failed(2), Some((ErrorKind::Rejected, Some("LastName"))));
    assert_eq!(failed(3), Some((ErrorKind::Rejected, Some("Size__c"))));
    assert!(outcomes[4].as_ref().is_ok_and(|receipt| receipt.existed));
    assert!(outcomes[5].as_ref().is_ok_and(|receipt| !receipt.existed));
    batch.iter().zip(&outcomes).for_each(|(delivery, outcome)| discreet(outcome, delivery));
    assert_eq!(rig.world.total(), 2);
    assert!(rig.connector.deliver_many(&batch).await[0].is_ok(), "the lock is gone");
}

#[tokio::test]
async fn a_lead_that_spoils_the_whole_call_is_found_and_the_others_arrive() {
    let rig = Rig::new().await;
    let mut batch = leads(40);
    batch[17] = lead(17, &json!({"NumberOfEmployees": "many"}));
    let outcomes = rig.connector.deliver_many(&batch).await;
    for (at, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_ok(), at != 17, "{at}: {outcome:?}");
    }
    assert_eq!(outcomes[17].as_ref().expect_err("a wrong type").kind, ErrorKind::Rejected);
    assert_eq!(rig.world.total(), 39);
    let calls = rig.org().calls();
    assert!(calls.collections + calls.saves <= 14, "{calls:?}");
}

#[tokio::test]
async fn where_every_lead_spoils_the_call_all_are_parked_in_a_few_attempts() {
    let rig = Rig::new().await;
    let mut waiting: Vec<_> = (0..200).map(|n| lead(n, &json!({"DoNotCall": "yes, please"}))).collect();
    let mut attempts = 0;
    while !waiting.is_empty() {
        attempts += 1;
        assert!(attempts <= 12, "{} still wait", waiting.len());
        let before = rig.org().calls().counted;
        let outcomes = rig.connector.deliver_many(&waiting).await;
        assert!(rig.org().calls().counted - before <= 65, "calls of one attempt");
        let mut outcomes = outcomes.into_iter().map(|outcome| outcome.expect_err("refused").kind);
        waiting.retain(|_| outcomes.next() == Some(ErrorKind::Contended));
    }
    assert_eq!(rig.world.total(), 0);
}

#[tokio::test]
async fn the_same_lead_twice_in_one_call_is_one_record() {
    let rig = Rig::new().await;
    let batch = [lead(1, &json!({})), lead(2, &json!({})), lead(1, &json!({}))];
    let outcomes = rig.connector.deliver_many(&batch).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(outcomes[0], outcomes[2]);
    assert_eq!(rig.world.total(), 2);
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_arrives_once() {
    for how in [How::Cut, How::CutAnswer, How::Garbage, How::Status(502), How::Oversize(8 << 20)] {
        let rig = Rig::new().await;
        let batch = leads(30);
        rig.world.server.plan(Plan::once(Fault::after(how.clone())));
        for outcome in rig.connector.deliver_many(&batch).await {
            assert_eq!(outcome.expect_err("no answer").kind, ErrorKind::Uncertain, "{how:?}");
        }
        let outcomes = rig.connector.deliver_many(&batch).await;
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|receipt| receipt.existed)), "{how:?}");
        assert_eq!(rig.world.total(), 30);
    }
}

#[tokio::test]
async fn an_upsert_writes_over_and_says_so() {
    let rig = Rig::with(&json!({"write": "upsert"})).await;
    let single = lead(1, &json!({}));
    assert!(!rig.delivers(&single).await.existed);
    assert!(rig.delivers(&single).await.existed);
    let outcomes = rig.connector.deliver_many(&leads(3)).await;
    let existed: Vec<bool> = outcomes.into_iter().map(|outcome| outcome.expect("delivered").existed).collect();
    assert_eq!((existed, rig.world.total()), (vec![false, true, false], 3));
    let updates: u32 = rig.org().records().iter().map(|record| record.updates).sum();
    assert_eq!(updates, 2);
}
