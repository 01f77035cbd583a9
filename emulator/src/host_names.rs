//! The names of a hub. Beside the one it always had, `{hub}.azure-devices.net`, Azure has given each two at which TLS 1.3 is
//! spoken: `{hub}.device.azure-devices.net` for devices and `{hub}.service.azure-devices.net` for services. All three lead
//! to the same hub; names know no case. A hub with another ending has them likewise: `{hub}.device.{ending}`.

/// Which of a service's names one is. What speaks neither MQTT for devices nor for services under a name of its own, the
/// provisioning service, has classic ones alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostKind {
    Classic,
    Device,
    Service,
}

const DEVICE: &str = "device";
const SERVICE: &str = "service";

/// What the names of Azure's hubs end with.
const HUBS: &str = ".azure-devices.net";
/// What the names of Azure's provisioning services end with.
const PROVISIONING: &str = ".azure-devices-provisioning.net";

/// The name at which devices reach this hub with TLS 1.3.
pub(crate) fn device_name(hub: &str) -> String {
    with_second_label(hub, DEVICE)
}

/// The name at which services reach this hub with TLS 1.3.
pub(crate) fn service_name(hub: &str) -> String {
    with_second_label(hub, SERVICE)
}

/// All names of this hub, the classic one first.
pub(crate) fn all(hub: &str) -> [String; 3] {
    [hub.to_owned(), device_name(hub), service_name(hub)]
}

/// Which name of this hub it is; `None` if it is none of them.
pub(crate) fn kind_at(hub: &str, name: &str) -> Option<HostKind> {
    if hub.eq_ignore_ascii_case(name) {
        return Some(HostKind::Classic);
    }
    let (classic, kind) = taken_apart(name)?;
    classic.eq_ignore_ascii_case(hub).then_some(kind)
}

/// The classic name of a hub that is named by one of the other two, and which of them that is.
pub(crate) fn taken_apart(name: &str) -> Option<(String, HostKind)> {
    let (label, rest) = name.split_once('.')?;
    let (second, ending) = rest.split_once('.')?;
    let kind = if second.eq_ignore_ascii_case(DEVICE) {
        HostKind::Device
    } else if second.eq_ignore_ascii_case(SERVICE) {
        HostKind::Service
    } else {
        return None;
    };
    Some((format!("{label}.{ending}"), kind))
}

/// Which kind of name of Azure's it is, whether or not there is such a service; `None` for a name that is not Azure's.
pub(crate) fn kind_at_azure(name: &str) -> Option<HostKind> {
    let name = name.to_ascii_lowercase();
    if name.ends_with(PROVISIONING) {
        return Some(HostKind::Classic);
    }
    if !name.ends_with(HUBS) {
        return None;
    }
    match taken_apart(&name) {
        Some((classic, kind)) if classic.ends_with(HUBS) => Some(kind),
        _ => Some(HostKind::Classic),
    }
}

fn with_second_label(hub: &str, second: &str) -> String {
    match hub.split_once('.') {
        Some((label, ending)) => format!("{label}.{second}.{ending}"),
        None => format!("{hub}.{second}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_has_three_names_whatever_it_ends_with() {
        for (hub, device, service) in [
            ("h.azure-devices.net", "h.device.azure-devices.net", "h.service.azure-devices.net"),
            ("h.example.org", "h.device.example.org", "h.service.example.org"),
        ] {
            assert_eq!(all(hub), [hub, device, service].map(str::to_owned));
            let shouted = |name: &str| kind_at(hub, &name.to_uppercase());
            assert_eq!(
                [hub, device, service].map(shouted),
                [Some(HostKind::Classic), Some(HostKind::Device), Some(HostKind::Service)]
            );
        }
    }

    #[test]
    fn names_of_others_are_not_its_own() {
        let hub = "h.azure-devices.net";
        for name in [
            "",
            "h",
            "g.device.azure-devices.net",
            "h.devices.azure-devices.net",
            "h.device.device.azure-devices.net",
            "device.azure-devices.net",
            "h.device.azure-devices.org",
            "h..azure-devices.net",
            "x.h.azure-devices.net",
        ] {
            assert_eq!(kind_at(hub, name), None, "{name}");
        }
    }

    #[test]
    fn azures_names_are_told_by_their_form() {
        for (name, kind) in [
            ("Global.azure-devices-provisioning.net", Some(HostKind::Classic)),
            ("h.azure-devices.net", Some(HostKind::Classic)),
            ("device.azure-devices.net", Some(HostKind::Classic)),
            ("H.Device.azure-devices.net", Some(HostKind::Device)),
            ("h.service.azure-devices.net", Some(HostKind::Service)),
            ("localhost", None),
            ("h.device.example.org", None),
        ] {
            assert_eq!(kind_at_azure(name), kind, "{name}");
        }
    }
}
