//! Who may use a node of a hub, and in which direction.

use tracker_amqp::{Error, condition};

use crate::{
    amqp::{Asked, Guest},
    hub::{Hub, endpoint::endpoint_host},
    security::access::Right,
};

/// Who wants to be a service needs the right for it.
pub(super) fn check_service(guest: &Guest, path: &str) -> Result<(), Error> {
    if guest.may(Right::ServiceConnect, path) {
        return Ok(());
    }
    Err(Error::new(
        condition::UNAUTHORIZED_ACCESS,
        format!(
            "Unauthorized access. 'ServiceConnect' permission is required to use the endpoint '{}': show a token of a \
             policy that has it, and that has not expired.",
            shown(path)
        ),
    ))
}

/// Nodes are for sending to or for receiving from.
pub(super) fn check_direction(asked: &Asked<'_>, is_for_sending: bool) -> Result<(), Error> {
    if asked.is_sender == is_for_sending {
        return Ok(());
    }
    let (given, wanted) =
        if is_for_sending { ("received from", "sent to") } else { ("sent to", "received from") };
    let sentence = format!("'{}' can't be {given}, it can only be {wanted}.", shown(asked.path));
    Err(Error::new(condition::NOT_ALLOWED, sentence))
}

/// Readers need the right that Event Hubs calls Listen.
pub(super) fn check_listen(hub: &Hub, guest: &Guest, path: &str) -> Result<(), Error> {
    if guest.may(Right::ServiceConnect, path) {
        return Ok(());
    }
    Err(Error::new(
        condition::UNAUTHORIZED_ACCESS,
        format!(
            "Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: 'sb://{}/{}'. Show a \
             token of a policy that has the right ServiceConnect, and that has not expired.",
            endpoint_host(hub.name()),
            shown(path)
        ),
    ))
}

/// As much of a path as fits into a sentence.
pub(super) fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}
