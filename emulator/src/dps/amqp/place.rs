//! DPS as one AMQP connection sees it.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use percent_encoding::percent_decode_str;
use tracker_amqp::{Error, Value, condition, get};
use tracker_protocol::dps::API_VERSION;

use super::{
    nodes::{AnswerNode, RequestNode},
    registrant::Registrant,
};
use crate::{
    amqp::{Asked, Guest, Node, Place},
    dps::{Applicant, Dps, issue::place},
    events::DisconnectReason,
    id::hexadecimal_of_chance,
    session::{connect_fault, shown},
};

/// Devices that may register over one connection at a time.
const MAX_REGISTRANTS: usize = 64;

/// The provisioning service as one connection sees it.
pub(crate) struct DpsPlace {
    dps: Dps,
    guest: Arc<Guest>,
    present: HashMap<String, Weak<Registrant>>,
}

impl DpsPlace {
    pub(crate) fn new(dps: Dps, guest: &Arc<Guest>) -> Self {
        Self { dps, guest: Arc::clone(guest), present: HashMap::new() }
    }

    fn registrant(&mut self, asked: &Asked<'_>) -> Result<Arc<Registrant>, Error> {
        let path = asked.path;
        let words: Vec<&str> = path.split('/').collect();
        let [id_scope, registrations, registration_id] = words[..] else { return Err(unknown(path)) };
        if !registrations.eq_ignore_ascii_case("registrations") {
            return Err(unknown(path));
        }
        let registration_id = percent_decode_str(registration_id).decode_utf8().map_err(|_| {
            Error::new(condition::INVALID_FIELD, "the registration ID in the address is not UTF-8.")
        })?;
        let refused = |why: String| Error::new(condition::UNAUTHORIZED_ACCESS, format!("{why}."));
        self.dps.check_scope(id_scope).map_err(refused)?;
        self.present.retain(|_, registrant| registrant.strong_count() > 0);
        if let Some(here) = self.present.get(&*registration_id).and_then(Weak::upgrade) {
            return Ok(here);
        }
        if self.present.len() >= MAX_REGISTRANTS {
            let sentence =
                format!("at most {MAX_REGISTRANTS} devices register over one connection; open another one.");
            return Err(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, sentence));
        }
        if let Some((_, why)) = connect_fault(&self.dps.0.faults, place(&registration_id)) {
            return Err(refused(why));
        }
        let api_version = get(&asked.attach.properties, "com.microsoft:api-version").and_then(Value::as_str);
        let applicant = Applicant {
            registration_id: registration_id.clone().into_owned(),
            api_version: api_version.unwrap_or(API_VERSION).chars().take(64).collect(),
            certificates: self.guest.certificates(),
            token: self.token(id_scope, &registration_id)?,
            may_be_challenged: false,
        };
        let registrant = Arc::new(Registrant::new(self.dps.clone(), applicant));
        self.present.insert(registration_id.into_owned(), Arc::downgrade(&registrant));
        Ok(registrant)
    }

    /// What the device said with SASL PLAIN, whose user is the address of the links.
    fn token(&self, id_scope: &str, registration_id: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(said) = self.guest.password() else { return Ok(None) };
        let expected = format!("{id_scope}/registrations/{registration_id}");
        let user = percent_decode_str(&said.user).decode_utf8_lossy();
        if user.trim_matches('/') != expected {
            let sentence = format!(
                "the user of SASL PLAIN is \"{}\", the address of the link \"{}\".",
                shown(&user),
                shown(&expected)
            );
            return Err(Error::new(condition::UNAUTHORIZED_ACCESS, sentence));
        }
        Ok(Some(said.password.into_bytes()))
    }
}

impl Place for DpsPlace {
    fn name(&self) -> &'static str {
        "DPS"
    }

    fn identity(&self) -> (String, Option<String>) {
        (format!("DeviceGateway_{}", hexadecimal_of_chance()), Some("localhost".into()))
    }

    /// The node of `{ID scope}/registrations/{registration ID}`.
    fn attach(&mut self, asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        let registrant = self.registrant(asked)?;
        Ok(if asked.is_sender {
            Box::new(RequestNode::new(registrant))
        } else {
            Box::new(AnswerNode::new(registrant, asked.attach))
        })
    }

    fn ended(&mut self, reason: &DisconnectReason) {
        for registrant in self.present.drain().filter_map(|(_, registrant)| registrant.upgrade()) {
            registrant.end(reason);
        }
    }
}

fn unknown(path: &str) -> Error {
    let sentence = format!(
        "The messaging entity '{}' could not be found: devices register at {{ID scope}}/registrations/{{registration ID}}.",
        shown(path)
    );
    Error::new(condition::NOT_FOUND, sentence)
}
