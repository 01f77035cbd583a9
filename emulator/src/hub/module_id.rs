//! How a module is called in a hub: `{device}/modules/{module}`, its *address*. It is what follows `devices/` in topics, in
//! tokens and in addresses of AMQP, and no device has it, as no device ID has a slash. So whatever asks for "a device ID" of a
//! hub may be given the address of a module, and means that module.

use super::{HubError, device_id::check_device_id};

const BETWEEN: &str = "/modules/";

/// The address of a module of a device.
pub fn module_address(device_id: &str, module_id: &str) -> String {
    [device_id, BETWEEN, module_id].concat()
}

/// The device of an address, and its module if it is that of one.
pub(crate) fn split_address(address: &str) -> (&str, Option<&str>) {
    address.split_once(BETWEEN).map_or((address, None), |(device_id, module_id)| (device_id, Some(module_id)))
}

/// What the addresses of all modules of a device begin with.
pub(super) fn beginning(device_id: &str) -> String {
    module_address(device_id, "")
}

/// Whether it is no device ID.
pub(super) fn is_module(address: &str) -> bool {
    address.contains('/')
}

/// Refuses the address of a module where a device is meant.
pub(super) fn check_is_device(device_id: &str) -> Result<(), HubError> {
    if is_module(device_id) { Err(HubError::DeviceNotFound(device_id.to_owned())) } else { Ok(()) }
}

/// Checks a module ID, which may be what a device ID may be. `Err` says what is wrong with it.
pub(super) fn check_module_id(module_id: &str) -> Result<(), String> {
    check_device_id(module_id).map_err(|why| why.replace("a device ID", "a module ID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_made_and_taken_apart() {
        assert_eq!(split_address(&module_address("d.1", "$edgeHub")), ("d.1", Some("$edgeHub")));
        assert_eq!(split_address("d.1"), ("d.1", None));
        assert!(is_module("d/modules/m") && is_module("d/m") && !is_module("d"));
    }

    #[test]
    fn what_can_be_no_module_id_is_told_as_one() {
        assert_eq!(check_module_id("$edgeAgent"), Ok(()));
        for bad in ["", "a/b", "a b", "ä", &"m".repeat(129)] {
            assert!(check_module_id(bad).is_err_and(|why| why.contains("a module ID")), "{bad}");
        }
    }
}
