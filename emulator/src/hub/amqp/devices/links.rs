//! The devices of one connection, and the links that they ask for.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Weak},
};

use percent_encoding::percent_decode_str;
use tracker_amqp::{Error, Value, condition, get};
use tracker_protocol::dps::ConnectionProfile;

use super::{
    messages::MessageNode,
    methods::{AnswerNode, CallNode},
    presence::Presence,
    telemetry::TelemetryNode,
    twin::{TwinAnswerNode, TwinRequestNode},
};
use crate::{
    amqp::{Asked, Guest, Node},
    events::DisconnectReason,
    faults::Place,
    hub::{
        Hub, NotAdmitted, Shown,
        admission::Joining,
        amqp::rights::{check_direction, shown},
        module_address,
        module_id::is_module,
    },
    security::x509::Certificate,
    session::{PeerCertificates, connect_fault},
};

/// The devices of one connection.
pub(in crate::hub::amqp) struct DeviceLinks {
    hub: Hub,
    guest: Arc<Guest>,
    certificates: Vec<Arc<Certificate>>,
    present: HashMap<String, Weak<Presence>>,
}

/// What a link of a device is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Telemetry,
    Messages,
    Methods,
    Twin,
}

impl DeviceLinks {
    pub(in crate::hub::amqp) fn new(hub: Hub, guest: &Arc<Guest>) -> Self {
        Self {
            hub,
            guest: Arc::clone(guest),
            certificates: PeerCertificates::readable(&guest.visit.certificates),
            present: HashMap::new(),
        }
    }

    /// The node of `devices/{id}/…`, or of `devices/{id}/modules/{module}/…`. With its first link a device connects, or a module.
    pub(in crate::hub::amqp) fn attach(&mut self, asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        if self.hub.0.profile == ConnectionProfile::MqttV5 {
            let sentence =
                "AMQP at a hub of MQTT 5 (connectionProfile mqttV5), which devices reach by MQTT 5 alone.";
            return Err(Error::new(condition::NOT_ALLOWED, sentence));
        }
        let (device_id, purpose) = parse(asked)?;
        let model_id = get(&asked.attach.properties, "com.microsoft:model-id").and_then(Value::as_str);
        let presence = self.presence(&device_id, model_id)?;
        let (berth, guest) = (presence.berth()?, Arc::clone(&self.guest));
        Ok(match (purpose, asked.is_sender) {
            (Purpose::Telemetry, true) => Box::new(TelemetryNode::new(berth, guest)),
            // Without messages: inputs of a module, by which a hub sends nothing.
            (Purpose::Telemetry, false) | (Purpose::Messages, _) => {
                Box::new(MessageNode::new(berth, guest, asked.attach))
            }
            (Purpose::Methods, true) => Box::new(AnswerNode::new(berth, guest)),
            (Purpose::Methods, false) => Box::new(CallNode::new(berth, guest, asked.attach)),
            (Purpose::Twin, true) => Box::new(TwinRequestNode::new(berth, guest, asked.attach)),
            (Purpose::Twin, false) => Box::new(TwinAnswerNode::new(berth, guest, asked.attach)),
        })
    }

    /// The connection ends.
    pub(in crate::hub::amqp) fn ended(&mut self, reason: &DisconnectReason) {
        for presence in self.present.drain().filter_map(|(_, presence)| presence.upgrade()) {
            presence.end(reason);
        }
    }

    /// The device on this connection, which connects now if it has not yet.
    fn presence(&mut self, device_id: &str, model_id: Option<&str>) -> Result<Arc<Presence>, Error> {
        self.present.retain(|_, presence| presence.strong_count() > 0);
        let here = self.present.get(device_id).and_then(Weak::upgrade).filter(|here| !here.is_over());
        if let Some(here) = here {
            return Ok(here);
        }
        let place = Place { hub: Some(&self.hub.0.name), device: device_id };
        if let Some((_, why)) = connect_fault(&self.hub.0.faults, place) {
            return Err(Error::new(condition::UNAUTHORIZED_ACCESS, format!("{why}.")));
        }
        let joining = Joining { clean_session: true, model_id };
        let admit = |token: Option<&[u8]>| {
            self.hub.admit(device_id, Shown { token, certificates: &self.certificates }, joining)
        };
        let tokens = self.guest.device_tokens(device_id);
        let mut tried = tokens.iter().map(|token| admit(Some(token.as_bytes())));
        let attachment = match tried.find_map(Result::ok) {
            Some(attachment) => attachment,
            // Without a token that is good it is the certificates that count, and what is said of them.
            None => admit(None).map_err(|refusal| refused(&refusal))?,
        };
        let presence = Presence::new(self.hub.clone(), device_id, attachment);
        self.present.insert(device_id.to_owned(), Arc::downgrade(&presence));
        Ok(presence)
    }
}

/// The device, or the address of the module, and the purpose of a link.
fn parse(asked: &Asked<'_>) -> Result<(String, Purpose), Error> {
    let path = asked.path;
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let decode = |word: &str| {
        let text = percent_decode_str(word).decode_utf8().ok().filter(|id| !id.contains('/'));
        text.map(Cow::into_owned).ok_or_else(|| {
            let sentence = "the device ID or the module ID in the address is not UTF-8, or has a slash.";
            Error::new(condition::INVALID_FIELD, sentence)
        })
    };
    let (device_id, rest) = match words[..] {
        [id, modules, module, ref rest @ ..] if modules.eq_ignore_ascii_case("modules") => {
            (module_address(&decode(id)?, &decode(module)?), rest)
        }
        [id, ref rest @ ..] => (decode(id)?, rest),
        [] => (String::new(), &[][..]),
    };
    let is_module = is_module(&device_id);
    let rest = rest.join("/").to_ascii_lowercase();
    let purpose = match rest.as_str() {
        "messages/events" => Purpose::Telemetry,
        "messages/devicebound" => Purpose::Messages,
        "methods/devicebound" => Purpose::Methods,
        "twin" => Purpose::Twin,
        _ => {
            let sentence = format!(
                "The messaging entity '{}' could not be found: devices, and their modules, have messages/events, \
                 messages/devicebound, methods/devicebound and twin here.",
                shown(path)
            );
            return Err(Error::new(condition::NOT_FOUND, sentence));
        }
    };
    // A module receives its inputs from where it sends to.
    let is_input = is_module && purpose == Purpose::Telemetry && !asked.is_sender;
    if matches!(purpose, Purpose::Telemetry | Purpose::Messages) && !is_input {
        check_direction(asked, purpose == Purpose::Telemetry)?;
    }
    Ok((device_id, purpose))
}

/// What a client is told that is not let in as a device.
fn refused(refusal: &NotAdmitted) -> Error {
    let condition = match refusal {
        NotAdmitted::Unknown(_) => condition::NOT_FOUND,
        _ => condition::UNAUTHORIZED_ACCESS,
    };
    Error::new(condition, format!("{refusal}."))
}
