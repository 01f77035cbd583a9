//! Which device calls, and at which hub.

use tracker_protocol::dps::ConnectionProfile;

use crate::{
    dps::Dps,
    events::EventKind,
    hub::{Hub, NotAdmitted, Shown},
    rest::{call::Call, hub::HubRefusal},
    security::sas::without_port,
    session::{PeerCertificates, shown},
};

/// The hub at which the caller is this device, or why there is none.
pub(super) fn hub_of(services: &Dps, device_id: &str, call: &Call) -> Result<Hub, HubRefusal> {
    let certificates = PeerCertificates::readable(&call.certificates);
    let credentials =
        Shown { token: call.header("authorization").map(str::as_bytes), certificates: &certificates };
    let host = without_port(call.host());
    let named = services.hub_at(host);
    let is_named = named.is_some();
    let hubs = named.map_or_else(|| services.hubs(), |hub| vec![hub]);
    let mut why = None;
    for hub in hubs {
        match hub.authenticate(device_id, credentials) {
            Ok(_) if hub.profile() == ConnectionProfile::MqttV5 => {
                let name = hub.name();
                return Err(HubRefusal::bad_request(format!(
                    "{name} is a hub of MQTT 5, which devices reach by MQTT 5 alone"
                )));
            }
            Ok(_) => return Ok(hub),
            // A hub that knows the device has more to say than one that does not.
            Err(refusal) => {
                let knows = hub.device(device_id).is_ok();
                if why.is_none() || knows {
                    why = Some((hub, refusal));
                }
            }
        }
    }
    let Some((hub, refusal)) = why else {
        return Err(HubRefusal::unauthorized(&format!("\"{}\" is the name of no hub here", shown(host))));
    };
    let knows = is_named || hub.device(device_id).is_ok();
    services.events().tell(EventKind::ConnectionRefused {
        service: if knows { hub.name().to_owned() } else { String::new() },
        client_id: shown(device_id),
        code: None,
        reason: format!("{} {}: {refusal}", call.method, shown(&call.segments.join("/"))),
    });
    Err(refused(&refusal))
}

fn refused(refusal: &NotAdmitted) -> HubRefusal {
    match refusal {
        NotAdmitted::Disabled => HubRefusal::new(403_012, "DeviceDisabled", refusal.to_string()),
        other => HubRefusal::unauthorized(&other.to_string()),
    }
}
