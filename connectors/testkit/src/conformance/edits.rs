//! What a connector promises to the people who work with its records.

use super::Editable;
use super::rig::Rig;
use crate::samples;

/// A redelivery must not overwrite what a salesperson edited since.
pub async fn a_redelivery_leaves_what_a_person_edited<T: Editable>() {
    let rig = Rig::<T>::new().await;
    let delivery = samples::delivery(1);
    rig.delivers(&delivery).await;
    rig.target.edit(&delivery);
    assert!(rig.target.is_as_edited(&delivery), "the target does not see its own edit");
    rig.recovers(&delivery).await;
    assert!(rig.target.is_as_edited(&delivery), "the redelivery has overwritten it");
}
