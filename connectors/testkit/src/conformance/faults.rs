//! What goes wrong on the way: the kind of the failure, and one record in the end.

use std::pin::pin;
use std::time::Duration;

use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::{Blame, ErrorKind};

use super::HttpWorld;
use super::rig::Rig;
use crate::{Fault, How, Plan, samples};

/// Delivers into `fault`, at each call that leads to the record: it must fail as `kind`; then again.
async fn fails_then_recovers<C: Connector, W: HttpWorld>(
    make: impl AsyncFn() -> Rig<C, W>,
    fault: Fault,
    kind: ErrorKind,
) {
    let last = make().await.world.calls_before_the_record();
    for sound in 0..=last {
        let rig = make().await;
        let delivery = samples::delivery(1);
        rig.world.server().plan(Plan::After(sound as u64, fault.clone()));
        rig.fails_as(kind, &delivery).await;
        rig.holds(usize::from(fault.effect && sound == last), &delivery);
        rig.world.server().plan(Plan::Sound);
        rig.recovers(&delivery).await;
    }
}

/// Where duplicates are born: the record is there, and its answer is not.
pub async fn an_answer_lost_after_the_effect_is_uncertain_and_leaves_one_record<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::new, Fault::after(How::Cut), ErrorKind::Uncertain).await;
}

/// A status is there and half of a body: whatever the connector makes of it, there is one record in the end.
pub async fn half_an_answer_after_the_effect_leaves_one_record<C: Connector, W: HttpWorld>() {
    ends_in_one_record(Rig::<C, W>::new, Fault::after(How::CutAnswer)).await;
}

/// The request may have been read.
pub async fn a_connection_cut_before_the_effect_is_uncertain<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::new, Fault::before(How::Cut), ErrorKind::Uncertain).await;
}

/// Nothing hangs for ever.
pub async fn silence_is_uncertain_within_the_timeout<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::hasty, Fault::before(How::Hang), ErrorKind::Uncertain).await;
}

/// Nothing hangs for ever, and the record is there.
pub async fn silence_after_the_effect_leaves_one_record<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::hasty, Fault::after(How::Hang), ErrorKind::Uncertain).await;
}

/// A body without end keeps nobody.
pub async fn a_dripping_answer_ends_and_leaves_one_record<C: Connector, W: HttpWorld>() {
    ends_in_one_record(Rig::<C, W>::hasty, Fault::after(How::Drip)).await;
}

/// `Unavailable` or, where a gateway answers, `Uncertain`.
pub async fn a_5xx_before_the_effect_is_tried_again<C: Connector, W: HttpWorld>() {
    for (status, kind) in [(503, ErrorKind::Unavailable), (502, ErrorKind::Uncertain), (504, ErrorKind::Uncertain)] {
        fails_then_recovers(Rig::<C, W>::new, Fault::before(How::Status(status)), kind).await;
    }
}

/// The destination is away for a while: each attempt says so, none is put on the lead, and there is one record when it is back.
pub async fn a_503_for_a_minute_leaves_one_record<C: Connector, W: HttpWorld>() {
    let rig = Rig::<C, W>::new().await;
    let delivery = samples::delivery(1);
    rig.world.server().plan(Plan::Always(Fault::before(How::Status(503))));
    for _ in 0..6 {
        rig.fails_as(ErrorKind::Unavailable, &delivery).await;
        rig.clock.advance(Duration::from_secs(10));
    }
    rig.holds(0, &delivery);
    rig.world.server().plan(Plan::Sound);
    rig.recovers(&delivery).await;
}

/// A server may fail after it has done its work.
pub async fn a_5xx_after_the_effect_leaves_one_record<C: Connector, W: HttpWorld>() {
    for status in [500, 502, 503, 504] {
        let calls = Rig::<C, W>::new().await.world.calls_before_the_record() as u64;
        for sound in 0..=calls {
            let rig = Rig::<C, W>::new().await;
            let delivery = samples::delivery(1);
            rig.world.server().plan(Plan::After(sound, Fault::after(How::Status(status))));
            let error = rig.fails(&delivery).await;
            assert_ne!(error.kind.about(), Blame::Lead, "a lead is not parked for a server's failure: {error:?}");
            rig.world.server().plan(Plan::Sound);
            rig.recovers(&delivery).await;
        }
    }
}

/// What is not HTTP may still have followed an effect.
pub async fn garbage_is_uncertain_and_leaves_one_record<C: Connector, W: HttpWorld>() {
    fails_then_recovers(Rig::<C, W>::new, Fault::after(How::Garbage), ErrorKind::Uncertain).await;
}

/// Bounded: of an answer of 256 MiB hardly more is read than is kept.
pub async fn an_oversize_answer_is_not_read_to_its_end<C: Connector, W: HttpWorld>() {
    const MIB: u64 = 1024 * 1024;
    let make = async || Rig::<C, W>::new().await;
    for rig in ends_in_one_record(make, Fault::after(How::Oversize(256 * MIB))).await {
        // What the machine's own buffers took is not the connector's doing.
        let streamed = rig.world.server().streamed();
        assert!(streamed > 0 && streamed < 64 * MIB, "{streamed} bytes were taken");
    }
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
    let calls = Rig::<C, W>::new().await.world.calls_before_the_record() as u64;
    for sound in 0..=calls {
        let rig = Rig::<C, W>::new().await;
        let delivery = samples::delivery(1);
        let server = rig.world.server();
        server.plan(Plan::After(sound, Fault::after(How::Hang)));
        let seen = server.requests() + sound + 1;
        tokio::select! {
            outcome = pin!(rig.connector.deliver(&delivery)) => panic!("there was no answer, and yet: {outcome:?}"),
            () = server.has_seen(seen) => {}
        }
        server.plan(Plan::Sound);
        rig.recovers(&delivery).await;
    }
}

/// Delivers into `fault`, at each call that leads to the record, which may work all the same; then again.
async fn ends_in_one_record<C: Connector, W: HttpWorld>(
    make: impl AsyncFn() -> Rig<C, W>,
    fault: Fault,
) -> Vec<Rig<C, W>> {
    let calls = make().await.world.calls_before_the_record() as u64;
    let mut rigs = Vec::new();
    for sound in 0..=calls {
        let rig = make().await;
        let delivery = samples::delivery(1);
        rig.world.server().plan(Plan::After(sound, fault.clone()));
        if let Err(error) = rig.connector.deliver(&delivery).await {
            assert_eq!(error.kind, ErrorKind::Uncertain, "{error:?}");
        }
        rig.world.server().plan(Plan::Sound);
        rig.recovers(&delivery).await;
        rigs.push(rig);
    }
    rigs
}
