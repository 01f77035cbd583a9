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
    sign_in::Proved,
};
use crate::{
    amqp::{Asked, Guest, Node, Place},
    dps::{Applicant, Dps, TpmProof, issue::place},
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
    /// Who has signed in by a TPM.
    proved: Option<Proved>,
    present: HashMap<String, Weak<Registrant>>,
}

impl DpsPlace {
    /// `proved`: who has signed in by a TPM, if it was by one.
    pub(crate) fn new(dps: Dps, guest: &Arc<Guest>, proved: Option<Proved>) -> Self {
        Self { dps, guest: Arc::clone(guest), proved, present: HashMap::new() }
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
        let (token, tpm) = self.proof(id_scope, &registration_id)?;
        let applicant = Applicant {
            registration_id: registration_id.clone().into_owned(),
            api_version: api_version.unwrap_or(API_VERSION).chars().take(64).collect(),
            certificates: self.guest.certificates(),
            token,
            tpm,
        };
        let registrant = Arc::new(Registrant::new(self.dps.clone(), applicant));
        self.present.insert(registration_id.into_owned(), Arc::downgrade(&registrant));
        Ok(registrant)
    }

    /// What the device has shown when it signed in: with SASL PLAIN, whose user is the address of the links, or as a TPM.
    fn proof(&self, id_scope: &str, registration_id: &str) -> Result<(Option<Vec<u8>>, TpmProof), Error> {
        let expected = format!("{id_scope}/registrations/{registration_id}");
        let check = |said: &str, by: &str| {
            if said.trim_matches('/').eq_ignore_ascii_case(&expected) {
                return Ok(());
            }
            let (said, expected) = (shown(said), shown(&expected));
            let sentence =
                format!("the user of SASL {by} is \"{said}\", the address of the link \"{expected}\".");
            Err(Error::new(condition::UNAUTHORIZED_ACCESS, sentence))
        };
        if let Some(proved) = &self.proved {
            check(&format!("{id_scope}/registrations/{}", proved.registration_id), "TPM")?;
            return Ok((Some(proved.token.clone()), TpmProof::SignIn(proved.challenge.clone())));
        }
        let Some(said) = self.guest.password() else { return Ok((None, TpmProof::NoWay)) };
        check(&percent_decode_str(&said.user).decode_utf8_lossy(), "PLAIN")?;
        Ok((Some(said.password.into_bytes()), TpmProof::NoWay))
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
