//! What goes wrong on the way: the kind of the failure, and one record in the end.

use std::pin::pin;

use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::{Blame, ErrorKind};

use super::HttpWorld;
use super::rig::Rig;
use crate::{Fault, How, Plan, samples};

/// Delivers into `fault`, which must fail as `kind`; then again.
async fn fails_then_recovers<C: Connector, W: HttpWorld>(rig: Rig<C, W>, fault: Fault, kind: ErrorKind) {
    let delivery = samples::delivery(1);
    let effect = fault.effect;
    rig.world.server().plan(Plan::Always(fault));
    rig.fails_as(kind, &delivery).await;
    rig.holds(usize::from(effect), &delivery);
    rig.world.server().plan(Plan::Sound);
    rig.recovers(&delivery).await;
}

/// Where duplicates are born: the record is there, and its answer is not.
pub async fn an_answer_lost_after_the_effect_is_uncertain_and_leaves_one_record<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::new().await, Fault::after(How::Cut), ErrorKind::Uncertain).await;
}

/// A status is there and half of a body: whatever the connector makes of it, there is one record in the end.
pub async fn half_an_answer_after_the_effect_leaves_one_record<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    ends_in_one_record(&rig, Fault::after(How::CutAnswer)).await;
}

/// The request may have been read.
pub async fn a_connection_cut_before_the_effect_is_uncertain<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::new().await, Fault::before(How::Cut), ErrorKind::Uncertain).await;
}

/// Nothing hangs for ever.
pub async fn silence_is_uncertain_within_the_timeout<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::hasty().await, Fault::before(How::Hang), ErrorKind::Uncertain).await;
}

/// Nothing hangs for ever, and the record is there.
pub async fn silence_after_the_effect_leaves_one_record<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::hasty().await, Fault::after(How::Hang), ErrorKind::Uncertain).await;
}

/// A body without end keeps nobody.
pub async fn a_dripping_answer_ends_and_leaves_one_record<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::hasty().await;
    ends_in_one_record(&rig, Fault::after(How::Drip)).await;
}

/// `Unavailable` or, where a gateway answers, `Uncertain`.
pub async fn a_5xx_before_the_effect_is_tried_again<C: Connector, W: HttpWorld>() {
    for (status, kind) in [(503, ErrorKind::Unavailable), (502, ErrorKind::Uncertain), (504, ErrorKind::Uncertain)] {
        fails_then_recovers(Rig::<C, W>::new().await, Fault::before(How::Status(status)), kind).await;
    }
}

/// A server may fail after it has done its work.
pub async fn a_5xx_after_the_effect_leaves_one_record<C: Connector, W: HttpWorld>() {
    for status in [500, 502, 503, 504] {
        let rig = Rig::<C, W>::new().await;
        let delivery = samples::delivery(1);
        rig.world.server().plan(Plan::Always(Fault::after(How::Status(status))));
        let error = rig.fails(&delivery).await;
        assert_ne!(error.kind.about(), Blame::Lead, "a lead is not parked for a server's failure: {error:?}");
        rig.world.server().plan(Plan::Sound);
        rig.recovers(&delivery).await;
    }
}

/// What is not HTTP may still have followed an effect.
pub async fn garbage_is_uncertain_and_leaves_one_record<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::new().await, Fault::after(How::Garbage), ErrorKind::Uncertain).await;
}

/// Bounded: of an answer of 256 MiB hardly more is read than is kept.
pub async fn an_oversize_answer_is_not_read_to_its_end<C: Connector, W: HttpWorld>() {
    const MIB: u64 = 1024 * 1024;
    let rig = Rig::<C, W>::new().await;
    ends_in_one_record(&rig, Fault::after(How::Oversize(256 * MIB))).await;
    // What the machine's own buffers took is not the connector's doing.
    let streamed = rig.world.server().streamed();
    assert!(streamed > 0 && streamed < 64 * MIB, "{streamed} bytes were taken");
}

/// Nothing left the machine.
pub async fn a_refused_connection_is_unavailable<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    let delivery = samples::delivery(1);
    rig.world.server().refuse().await;
    rig.fails_as(ErrorKind::Unavailable, &delivery).await;
    rig.world.server().welcome().await;
    rig.recovers(&delivery).await;
}

/// Cancel-safe, at the worst moment: the effect is there, and the attempt is dropped while it waits for the answer.
pub async fn a_dropped_attempt_leaves_one_record<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    let delivery = samples::delivery(1);
    let server = rig.world.server();
    server.plan(Plan::Always(Fault::after(How::Hang)));
    let seen = server.requests() + 1;
    tokio::select! {
        outcome = pin!(rig.connector.deliver(&delivery)) => panic!("there was no answer, and yet: {outcome:?}"),
        () = server.has_seen(seen) => {}
    }
    server.plan(Plan::Sound);
    rig.recovers(&delivery).await;
}

async fn ends_in_one_record<C: Connector, W: HttpWorld>(rig: &Rig<C, W>, fault: Fault) {
    let delivery = samples::delivery(1);
    rig.world.server().plan(Plan::Always(fault));
    if let Err(error) = rig.connector.deliver(&delivery).await {
        assert_eq!(error.kind, ErrorKind::Uncertain, "{error:?}");
    }
    rig.world.server().plan(Plan::Sound);
    rig.recovers(&delivery).await;
}
