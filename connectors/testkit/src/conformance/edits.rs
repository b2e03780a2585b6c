//! What a connector promises to the people who work with its records.

use leadrelay_shared::connector::Connector;

use super::Editable;
use super::rig::Rig;
use crate::samples;

/// A redelivery must not overwrite what a salesperson edited since.
pub async fn a_redelivery_leaves_what_a_person_edited<C: Connector, W: Editable>() {
    let rig = Rig::<C, W>::new().await;
    let delivery = samples::delivery(1);
    rig.delivers(&delivery).await;
    rig.world.edit(&delivery);
    assert!(rig.world.is_as_edited(&delivery), "the world does not see its own edit");
    rig.recovers(&delivery).await;
    assert!(rig.world.is_as_edited(&delivery), "the redelivery has overwritten it");
}
