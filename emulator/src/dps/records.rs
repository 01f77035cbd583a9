//! Registration records: what DPS keeps of the devices that have asked to be registered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use tracker_protocol::dps::RegistrationState;

use crate::packed::PackedObject;

/// What DPS keeps of a device that has asked to be registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(with = "whole")]
    state: PackedObject,
    /// The group that decided, if a group did.
    pub enrollment_group_id: Option<String>,
    /// The newest operation; older ones are forgotten, and all of them by a restart.
    #[serde(skip)]
    pub operation: Option<Operation>,
}

/// A registration under way, or ended and asked for.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub id: String,
    /// The device is told `assigning` until then; `None` while a webhook thinks about it.
    pub ready: Option<Instant>,
    pub announced: bool,
    /// What was issued; told in the answer that assigns, and nowhere else.
    pub issued: Option<Vec<String>>,
    /// The key for the hub, wrapped for the device's TPM; told in the same answer.
    pub tpm: Option<Value>,
}

/// Registration records by canonical registration ID.
pub(super) type Records = BTreeMap<String, Record>;

/// The state in the form of its type, whose members have an order.
mod whole {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use tracker_protocol::dps::RegistrationState;

    use super::{pack, unpack};
    use crate::packed::PackedObject;

    pub(super) fn serialize<S: Serializer>(state: &PackedObject, out: S) -> Result<S::Ok, S::Error> {
        unpack(state).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<PackedObject, D::Error> {
        RegistrationState::deserialize(input).map(|state| pack(&state))
    }
}

fn pack(state: &RegistrationState) -> PackedObject {
    match serde_json::to_value(state) {
        Ok(Value::Object(state)) => state.into(),
        // The type has no form that JSON lacks.
        _ => PackedObject::default(),
    }
}

fn unpack(state: &PackedObject) -> RegistrationState {
    // What was written by the same type can be read.
    serde_json::from_value(state.get().into()).unwrap_or_default()
}

impl Record {
    pub(super) fn new(state: &RegistrationState, enrollment_group_id: Option<String>) -> Self {
        Self { state: pack(state), enrollment_group_id, operation: None }
    }

    /// How the registration stands.
    pub(super) fn state(&self) -> RegistrationState {
        unpack(&self.state)
    }

    pub(super) fn set_state(&mut self, state: &RegistrationState) {
        self.state = pack(state);
    }

    pub(super) fn for_service(&self) -> RegistrationState {
        RegistrationState { x509: None, ..self.state() }
    }
}
