//! Who may connect: what CONNECT is judged by.

use std::sync::Arc;

use tracker_protocol::{
    check_device_id,
    hub_v5::{Channel, ConnectUsername, Correlation, Direction, Topic},
};

use crate::{
    events::EventKind,
    faults::{FaultKind, Place},
    hub::{
        Hub,
        admission::{Joining, NotAdmitted, Shown},
        connection::Attachment,
    },
    mqtt::{Connect, ConnectAnswer, Five, Packet, reason},
    security::x509::Certificate,
    session::shown,
};

/// A CONNECT that is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    hub: String,
    client_id: String,
    code: u8,
    /// For the operator, and as the reason string.
    why: String,
}

impl Refused {
    /// The CONNACK.
    pub(crate) fn answer(&self) -> Packet {
        let answer =
            ConnectAnswer { reason: self.code, why: Some(self.why.clone()), ..ConnectAnswer::default() };
        Packet::Five(Five::ConnAck(Box::new(answer)))
    }

    /// The event that tells of it.
    pub(crate) fn event(self) -> EventKind {
        EventKind::ConnectionRefused {
            service: self.hub,
            client_id: self.client_id,
            code: Some(self.code),
            reason: self.why,
        }
    }
}

/// Lets a device in, or says why not; gives the nonce that its birth is to have.
pub(super) fn admit(
    hub: &Hub,
    connect: &Connect,
    presented: &[Arc<Certificate>],
) -> Result<(Attachment, Correlation), Refused> {
    check(hub, connect)
        .and_then(|name| {
            let shown = Shown { token: None, certificates: presented };
            // Sessions are kept in another way than those of 3.1.1.
            let joining = Joining { clean_session: true, model_id: None };
            let attachment = hub.admit(&connect.client_id, shown, joining).map_err(|refusal| {
                let why = match refusal {
                    NotAdmitted::NoToken => {
                        "the identity is one with symmetric keys; a hub of MQTT 5 takes certificates alone"
                            .into()
                    }
                    other => other.to_string(),
                };
                (reason::NOT_AUTHORIZED, why)
            })?;
            Ok((attachment, name.correlation))
        })
        .map_err(|(code, why)| {
            let (hub, client_id) = (hub.0.name.clone(), shown(&connect.client_id));
            Refused { hub, client_id, code, why }
        })
}

fn check(hub: &Hub, connect: &Connect) -> Result<ConnectUsername, (u8, String)> {
    let device_id = &connect.client_id;
    check_device_id(device_id).map_err(|why| {
        (reason::CLIENT_IDENTIFIER, format!("the client identifier is the device ID: {why}"))
    })?;
    let place = Place { hub: Some(&hub.0.name), device: device_id };
    let code = hub.0.faults.take(place, |kind| match kind {
        FaultKind::RefuseConnect { code } => Some(as_reason(*code)),
        _ => None,
    });
    if let Some(code) = code {
        return Err((code, "a fault was asked for".into()));
    }
    let options = connect.options.as_deref();
    if options.is_some_and(|options| options.authentication_method.is_some()) {
        let why = "an authentication method; there is none here but TLS";
        return Err((reason::BAD_AUTHENTICATION_METHOD, why.into()));
    }
    if options.is_some_and(|options| options.has_user_properties) {
        let why = "user properties in CONNECT, which the broker does not take";
        return Err((reason::IMPLEMENTATION_SPECIFIC, why.into()));
    }
    if connect.password.as_ref().is_some_and(|password| !password.is_empty()) {
        let why = "a password; a hub of MQTT 5 takes certificates alone, and no shared access signatures";
        return Err((reason::BAD_USER_NAME_OR_PASSWORD, why.into()));
    }
    if let Some(will) = &connect.will {
        let may = Topic {
            device_id: device_id.clone(),
            direction: Direction::ToService,
            channel: Channel::Telemetry,
        };
        if will.topic != may.to_string() {
            return Err((reason::NOT_AUTHORIZED, NotAdmitted::Will(shown(&will.topic)).to_string()));
        }
    }
    let user_name = connect.user_name.as_deref().unwrap_or_default();
    user_name
        .parse()
        .map_err(|error: tracker_protocol::ParseError| (reason::BAD_USER_NAME_OR_PASSWORD, error.to_string()))
}

/// The reason code of MQTT 5 that a return code of 3.1.1 stands for.
fn as_reason(code: u8) -> u8 {
    match code {
        1 => reason::UNSUPPORTED_PROTOCOL_VERSION,
        2 => reason::CLIENT_IDENTIFIER,
        3 => reason::SERVER_UNAVAILABLE,
        4 => reason::BAD_USER_NAME_OR_PASSWORD,
        5 => reason::NOT_AUTHORIZED,
        other => other,
    }
}
