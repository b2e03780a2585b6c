//! What a connector promises where a CRM tells its fields, and changes them.

use leadrelay_shared::connector::Connector;
use leadrelay_shared::error::ErrorKind;

use super::FieldWorld;
use super::rig::Rig;
use crate::samples;

/// A field of the sample deliveries that no record needs.
const FIELD: &str = "telephone";

/// The mapping is held against the check's fields, so what can be delivered must be among them.
pub async fn the_check_knows_the_fields_that_deliveries_use<C: Connector, W: FieldWorld>() {
    let rig = Rig::<C, W>::new().await;
    let fields = rig.connector.check().await.unwrap_or_else(|error| panic!("the check fails: {error:?}")).0;
    for name in samples::delivery(1).record.keys() {
        // Some CRMs take names in any case.
        let mut of = fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        assert!(of.any(|(_, field)| field.writable), "`{name}` is not among {:?}", fields.keys());
    }
}

/// A field that was there when the check looked, and is not when a lead comes: that lead is refused, and the field named.
pub async fn a_field_removed_after_the_check_is_named<C: Connector, W: FieldWorld>() {
    let rig = Rig::<C, W>::new().await;
    let (first, mut second) = (samples::delivery(1), samples::delivery(2));
    let checked = rig.connector.check().await;
    assert!(checked.is_ok(), "{checked:?}");
    rig.delivers(&first).await;
    rig.world.remove_field(FIELD);
    let error = rig.fails_as(ErrorKind::Rejected, &second).await;
    assert_eq!(error.field.as_deref(), Some(FIELD), "{error:?}");
    rig.holds(0, &second);
    // What has arrived is not parked for a field that went later.
    rig.recovers(&first).await;
    let fields = rig.connector.check().await.unwrap_or_else(|error| panic!("the check fails: {error:?}")).0;
    assert!(!fields.contains_key(FIELD), "the check has not looked again");
    second.record.shift_remove(FIELD);
    rig.recovers(&second).await;
}
