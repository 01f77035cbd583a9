//! What the next deed of the uplink can be, with what is needed for it.

use crate::identity::Identity;
use crate::link::tls::Tls;
use crate::uplink::assignment::Assignment;

/// What can be done now.
pub(super) enum Ready {
    /// Ask DPS, as this device.
    Register(Identity, Tls),
    /// Connect to the hub, as this device.
    Connect(Assignment, Identity, Tls),
    /// Something else than was meant to be done: the state machine says what.
    Otherwise,
    /// Nothing: what the device has can't be used, or not yet.
    NotYet,
}
