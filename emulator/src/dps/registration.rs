//! Registration: from a device's request to a hub identity and a registration record.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use tokio::time::Instant;
use tracker_protocol::dps::{RegistrationOperation, RegistrationState, RegistrationStatus, Substatus};

use super::{
    Dps, DpsError, IfMatch,
    allocation::choose,
    enrollments::Enrollment as _,
    model::{DeviceCapabilities, InitialTwin, ProvisioningStatus, ReprovisionPolicy},
    verdict::{Court, Decider, Refusal},
};
use crate::{
    clock::wire_time,
    events::EventKind,
    hub::{Hub, ProvisionedData},
    id::{dps_etag, operation_id},
    lock::lock,
    x509::Certificate,
};

/// What DPS keeps of a device that has asked to be registered.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub state: RegistrationState,
    /// The group that decided, if a group did.
    pub enrollment_group_id: Option<String>,
    /// The newest operation; older ones are forgotten.
    operation: Option<Operation>,
}

#[derive(Clone, Debug)]
struct Operation {
    id: String,
    /// The device is told `assigning` until then.
    ready: Instant,
    announced: bool,
}

/// Registration records by canonical registration ID.
pub(super) type Records = BTreeMap<String, Record>;

/// What a register request leads to.
pub(super) enum Registered {
    /// The device shall ask for the operation.
    Operation(RegistrationOperation),
    /// The enrollment is disabled.
    Disabled(RegistrationOperation),
    /// No enrollment takes it.
    Refused(Refusal),
}

/// What is common to both kinds of enrollment when it comes to a hub identity.
struct Terms<'a> {
    device_id: &'a str,
    capabilities: DeviceCapabilities,
    initial_twin: Option<&'a InitialTwin>,
    policy: ReprovisionPolicy,
}

impl Dps {
    /// Registers a device.
    ///
    /// The decision is made, and the hub identity written, at once; the device learns it when `assigning_time` has
    /// passed.
    pub(super) fn register(&self, registration_id: &str, chain: &[Arc<Certificate>]) -> Registered {
        let now = self.0.clock.now();
        let mut store = lock(&self.0.store);
        let store = &mut *store;
        let court = Court {
            individuals: &store.individuals,
            groups: &store.groups,
            certificates: &store.certificates,
            now,
        };
        let decider = match court.judge(registration_id, chain) {
            Ok(decider) => decider,
            Err(refusal) => return Registered::Refused(refusal),
        };
        let key = registration_id.to_ascii_lowercase();
        let previous = store.registrations.get(&key).map(|record| record.state.clone());
        let mut state = RegistrationState {
            registration_id: Some(registration_id.to_owned()),
            created_date_time_utc: previous
                .as_ref()
                .and_then(|previous| previous.created_date_time_utc.clone())
                .or_else(|| Some(wire_time::print(now))),
            last_updated_date_time_utc: Some(wire_time::print(now)),
            etag: Some(dps_etag()),
            ..RegistrationState::default()
        };
        let group_id = match &decider {
            Decider::Group(group) => Some(group.enrollment_group_id.clone()),
            Decider::Individual(_) => None,
        };
        if decider.status() == ProvisioningStatus::Disabled {
            state.status = Some(RegistrationStatus::Disabled);
            // The hub it was assigned to stays known: enabled again, it is no newcomer.
            if let Some(previous) = previous {
                state.assigned_hub = previous.assigned_hub;
                state.device_id = previous.device_id;
            }
            store.registrations.insert(
                key,
                Record {
                    state,
                    enrollment_group_id: group_id,
                    operation: None,
                },
            );
            self.0.events.tell(EventKind::RegistrationDisabled {
                registration_id: registration_id.to_owned(),
                enrollment: decider.to_string(),
            });
            return Registered::Disabled(disabled(registration_id));
        }
        let leaf = chain.first();
        state.x509 = leaf.map(|leaf| x509(leaf, chain.get(1), group_id.as_deref()));
        let outcome = leaf
            .ok_or_else(|| "no certificate".to_owned())
            .and_then(|leaf| place(&decider, registration_id, leaf, &store.hubs, previous.as_ref()));
        match outcome {
            Ok((hub, device_id, substatus)) => {
                state.assigned_hub = Some(hub);
                state.device_id = Some(device_id);
                state.status = Some(RegistrationStatus::Assigned);
                state.substatus = Some(substatus);
            }
            Err(message) => {
                state.status = Some(RegistrationStatus::Failed);
                state.error_code = Some(401_001);
                state.error_message = Some(message);
            }
        }
        let operation = Operation {
            id: operation_id(),
            ready: Instant::now() + self.0.assigning_time,
            announced: false,
        };
        let operation_id = operation.id.clone();
        store.registrations.insert(
            key,
            Record {
                state,
                enrollment_group_id: group_id,
                operation: Some(operation),
            },
        );
        self.0.events.tell(EventKind::Assigning {
            registration_id: registration_id.to_owned(),
            operation_id: operation_id.clone(),
            enrollment: decider.to_string(),
        });
        Registered::Operation(assigning(registration_id, operation_id))
    }

    /// How an operation stands; `None` if the device has none of this ID.
    pub(super) fn operation(
        &self,
        registration_id: &str,
        operation_id: &str,
        never_assign: bool,
    ) -> Option<RegistrationOperation> {
        let mut store = lock(&self.0.store);
        let record = store
            .registrations
            .get_mut(&registration_id.to_ascii_lowercase())?;
        let operation = record
            .operation
            .as_mut()
            .filter(|operation| operation.id == operation_id)?;
        if never_assign || Instant::now() < operation.ready {
            return Some(assigning(registration_id, operation_id.to_owned()));
        }
        let state = record.state.clone();
        if !std::mem::replace(&mut operation.announced, true) {
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            self.0.events.tell(match state.status {
                Some(RegistrationStatus::Assigned) => EventKind::Assigned {
                    registration_id: registration_id.to_owned(),
                    hub: text(&state.assigned_hub),
                    device_id: text(&state.device_id),
                    substatus: state
                        .substatus
                        .as_ref()
                        .and_then(|substatus| serde_json::to_value(substatus).ok())
                        .and_then(|value| value.as_str().map(str::to_owned))
                        .unwrap_or_default(),
                },
                _ => EventKind::RegistrationRefused {
                    registration_id: registration_id.to_owned(),
                    error_code: state.error_code.unwrap_or_default(),
                    reason: text(&state.error_message),
                },
            });
        }
        Some(RegistrationOperation {
            operation_id: operation_id.to_owned(),
            status: state.status.clone().unwrap_or(RegistrationStatus::Unassigned),
            registration_state: Some(state),
        })
    }

    /// The registration record of a device, as the service shows it.
    pub fn registration(&self, registration_id: &str) -> Result<RegistrationState, DpsError> {
        lock(&self.0.store)
            .registrations
            .get(&registration_id.to_ascii_lowercase())
            .map(Record::for_service)
            .ok_or_else(|| DpsError::DeviceRegistrationNotFound(registration_id.to_owned()))
    }

    /// All registration records in the order of their IDs.
    pub fn registrations(&self) -> Vec<RegistrationState> {
        lock(&self.0.store)
            .registrations
            .values()
            .map(Record::for_service)
            .collect()
    }

    /// The registration records that a group decided.
    pub fn group_registrations(&self, group_id: &str) -> Result<Vec<RegistrationState>, DpsError> {
        let store = lock(&self.0.store);
        store.groups.get(group_id)?;
        let of_group = |record: &&Record| {
            record
                .enrollment_group_id
                .as_deref()
                .is_some_and(|id| id.eq_ignore_ascii_case(group_id))
        };
        Ok(store
            .registrations
            .values()
            .filter(of_group)
            .map(Record::for_service)
            .collect())
    }

    /// Deletes a registration record; the next registration of the device is an initial assignment again.
    pub fn delete_registration(&self, registration_id: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        let mut store = lock(&self.0.store);
        let key = registration_id.to_ascii_lowercase();
        let record = store
            .registrations
            .get(&key)
            .ok_or_else(|| DpsError::DeviceRegistrationNotFound(registration_id.to_owned()))?;
        match if_match {
            IfMatch::ETag(etag) if record.state.etag.as_ref() != Some(etag) => {
                Err(DpsError::PreconditionFailed(registration_id.to_owned()))
            }
            _ => {
                store.registrations.remove(&key);
                Ok(())
            }
        }
    }
}

impl Record {
    fn for_service(&self) -> RegistrationState {
        RegistrationState {
            x509: None,
            ..self.state.clone()
        }
    }
}

/// Chooses the hub and writes the identity there. Returns hub, device ID and how it came about, or what to tell the
/// device.
fn place(
    decider: &Decider,
    registration_id: &str,
    leaf: &Certificate,
    hubs: &super::Hubs,
    previous: Option<&RegistrationState>,
) -> Result<(String, String, Substatus), String> {
    let (allocation, terms) = match decider {
        Decider::Individual(enrollment) => (
            enrollment.allocation(),
            Terms {
                device_id: enrollment.device_id.as_deref().unwrap_or(registration_id),
                capabilities: enrollment.capabilities,
                initial_twin: enrollment.initial_twin.as_ref(),
                policy: enrollment.reprovision_policy,
            },
        ),
        Decider::Group(group) => (
            group.allocation(),
            Terms {
                device_id: registration_id,
                capabilities: group.capabilities,
                initial_twin: group.initial_twin.as_ref(),
                policy: group.reprovision_policy,
            },
        ),
    };
    let assigned = previous.and_then(|state| hubs.find(state.assigned_hub.as_deref()?));
    let device_id = terms.device_id;
    let keeps = |hub: &Hub| assigned.is_some_and(|assigned| assigned.name() == hub.name());
    let hub = match assigned {
        Some(assigned) if !terms.policy.update_hub_assignment => assigned,
        _ => {
            let chosen = choose(allocation, hubs.linked(), &registration_id.to_ascii_lowercase());
            chosen
                .and_then(|chosen| hubs.find(&chosen.name))
                .ok_or("IotHubNotFound: none of the hubs of this enrollment is linked to the service")?
        }
    };
    let TwinFate { data, substatus } = match assigned {
        None => TwinFate::new(
            ProvisionedData::Keep(terms.initial_twin),
            Substatus::InitialAssignment,
        ),
        Some(assigned) => twin_fate(assigned, keeps(hub), device_id, previous, &terms),
    };
    hub.provision(device_id, &leaf.info.sha256_thumbprint, terms.capabilities, data)
        .map_err(|error| error.to_string())?;
    Ok((hub.name().to_owned(), device_id.to_owned(), substatus))
}

struct TwinFate<'a> {
    data: ProvisionedData<'a>,
    substatus: Substatus,
}

impl<'a> TwinFate<'a> {
    fn new(data: ProvisionedData<'a>, substatus: Substatus) -> Self {
        Self { data, substatus }
    }
}

/// What becomes of the twin of a device that was assigned before.
fn twin_fate<'a>(
    assigned: &Hub,
    stays: bool,
    device_id: &str,
    previous: Option<&RegistrationState>,
    terms: &Terms<'a>,
) -> TwinFate<'a> {
    let ReprovisionPolicy {
        update_hub_assignment,
        migrate_device_data,
    } = terms.policy;
    let reset = update_hub_assignment && !migrate_device_data;
    if stays {
        return if reset {
            TwinFate::new(
                ProvisionedData::Reset(terms.initial_twin),
                Substatus::DeviceDataReset,
            )
        } else {
            TwinFate::new(
                ProvisionedData::Keep(terms.initial_twin),
                Substatus::ReprovisionedToInitialAssignment,
            )
        };
    }
    let old_device_id = previous
        .and_then(|state| state.device_id.as_deref())
        .unwrap_or(device_id);
    match assigned.emigrate(old_device_id) {
        Some(twin) if !reset => TwinFate::new(
            ProvisionedData::Migrate(Box::new(twin)),
            Substatus::DeviceDataMigrated,
        ),
        _ => TwinFate::new(
            ProvisionedData::Reset(terms.initial_twin),
            Substatus::DeviceDataReset,
        ),
    }
}

fn assigning(registration_id: &str, operation_id: String) -> RegistrationOperation {
    RegistrationOperation {
        operation_id,
        status: RegistrationStatus::Assigning,
        registration_state: Some(RegistrationState {
            registration_id: Some(registration_id.to_owned()),
            status: Some(RegistrationStatus::Assigning),
            ..RegistrationState::default()
        }),
    }
}

fn disabled(registration_id: &str) -> RegistrationOperation {
    RegistrationOperation {
        operation_id: String::new(),
        status: RegistrationStatus::Disabled,
        registration_state: Some(RegistrationState {
            registration_id: Some(registration_id.to_owned()),
            status: Some(RegistrationStatus::Disabled),
            ..RegistrationState::default()
        }),
    }
}

fn x509(leaf: &Certificate, signer: Option<&Arc<Certificate>>, group_id: Option<&str>) -> Value {
    let mut x509 = json!({ "certificateInfo": leaf.info });
    if let Some(group_id) = group_id {
        x509["enrollmentGroupId"] = group_id.into();
        if let Some(signer) = signer {
            x509["signingCertificateInfo"] = json!(signer.info);
        }
    }
    x509
}
