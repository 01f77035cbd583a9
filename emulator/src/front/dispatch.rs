//! Which service a client means, by its user name, and whether that lets it in.

use rustls::pki_types::CertificateDer;
use tracker_protocol::{
    dps::{ConnectionProfile, DpsUsername},
    hub::HubUsername,
};

use crate::{
    dps::{self, Dps, RegistrationSession},
    hub::{self, DeviceSession, Hub},
    mqtt::{Connect, ConnectCode},
    session::{PeerCertificates, Refused, shown},
};

/// A device ID, a slash and a module ID, each of 128.
const MAX_CLIENT_ID: usize = 257;

/// Longer than any user name with all its parameters.
const MAX_USER_NAME: usize = 4096;

/// A client that was let in.
pub(crate) enum Client {
    Dps(RegistrationSession),
    Hub(DeviceSession),
}

/// Finds the service that a CONNECT speaks of and lets the client in there. `presented`: leaf first.
pub(crate) fn open(
    services: &Dps,
    connect: Connect,
    presented: &[CertificateDer<'static>],
) -> Result<Client, Refused> {
    let user_name = match check(&connect) {
        Ok(user_name) => user_name.to_owned(),
        Err((code, reason)) => return Err(refused("", &connect, code, reason)),
    };
    let dps_error = match user_name.parse::<DpsUsername>() {
        Ok(user_name) => {
            let certificates = PeerCertificates::read(presented);
            return dps::open(services, connect, user_name, certificates).map(Client::Dps);
        }
        Err(error) => error,
    };
    let user_name = match user_name.parse::<HubUsername>() {
        Ok(user_name) => user_name,
        Err(hub_error) => {
            let reason =
                format!("the user name is neither one for DPS ({dps_error}) nor for a hub ({hub_error})");
            return Err(refused("", &connect, ConnectCode::NotAuthorized, reason));
        }
    };
    // In full, by any of its names: the short form is a convenience of the Rust API.
    let Some(hub) = services.hub_at(&user_name.hub) else {
        let reason = format!("there is no hub \"{}\"", user_name.hub);
        return Err(refused(&user_name.hub, &connect, ConnectCode::NotAuthorized, reason));
    };
    let certificates = PeerCertificates::readable(presented);
    hub::open(&hub, connect, &user_name, &certificates).map(Client::Hub)
}

/// The hub of MQTT 5 that a CONNECT of that version is for: the one whose name the client has used in the TLS handshake. A
/// client that has used another name (`localhost`) reaches the only such hub, or the only one that knows it.
pub(crate) fn five_hub(services: &Dps, connect: &Connect, server_name: Option<&str>) -> Option<Hub> {
    if connect.protocol_level != 5 {
        return None;
    }
    if let Some(hub) = server_name.and_then(|name| services.hub_at(name)) {
        return Some(hub).filter(is_five);
    }
    if server_name.is_some_and(|name| name.ends_with(".azure-devices-provisioning.net")) {
        return None;
    }
    let hubs: Vec<Hub> = services.hubs().into_iter().filter(is_five).collect();
    let mut knowing = hubs.iter().filter(|hub| hub.device(&connect.client_id).is_ok());
    match (&hubs[..], knowing.next(), knowing.next()) {
        ([hub], ..) | (_, Some(hub), None) => Some(hub.clone()),
        _ => None,
    }
}

fn is_five(hub: &Hub) -> bool {
    hub.profile() == ConnectionProfile::MqttV5
}

/// What every service asks of a CONNECT; gives its user name.
fn check(connect: &Connect) -> Result<&str, (ConnectCode, String)> {
    if connect.protocol_level != 4 {
        let reason =
            format!("MQTT protocol level {}; DPS and classic hubs speak 3.1.1 (4)", connect.protocol_level);
        return Err((ConnectCode::UnacceptableProtocolVersion, reason));
    }
    if connect.client_id.len() > MAX_CLIENT_ID {
        let reason =
            format!("a client identifier of {} bytes; the limit is {MAX_CLIENT_ID}", connect.client_id.len());
        return Err((ConnectCode::IdentifierRejected, reason));
    }
    let Some(user_name) = &connect.user_name else {
        return Err((ConnectCode::NotAuthorized, "no user name".into()));
    };
    if user_name.len() > MAX_USER_NAME {
        let reason = format!("a user name of {} bytes; the limit is {MAX_USER_NAME}", user_name.len());
        return Err((ConnectCode::NotAuthorized, reason));
    }
    Ok(user_name)
}

fn refused(service: &str, connect: &Connect, code: ConnectCode, reason: String) -> Refused {
    Refused { service: service.to_owned(), client_id: shown(&connect.client_id), code, reason }
}
