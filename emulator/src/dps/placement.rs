//! The placing of a device: the choice of its hub, and what is written there.

use tracker_protocol::dps::{RegistrationState, Substatus};

use super::{
    allocation::choose,
    attest::AcceptedBy,
    linked_hubs::Hubs,
    model::{EnrollmentTerms, ReprovisionPolicy},
};
use crate::hub::{Authentication, Hub, InitialTwin, ProvisionedData};

/// Where a device went and how it came about.
pub(super) struct Placement {
    pub hub: String,
    pub device_id: String,
    pub substatus: Substatus,
}

/// What a webhook has decided in place of the allocation policy.
pub(super) struct Decision {
    pub hub: String,
    /// Goes before the twin of the enrollment and before the one the device had.
    pub initial_twin: Option<InitialTwin>,
}

/// Chooses the hub and writes the identity there; `Err` says what to tell the device.
pub(super) fn place(
    accepted_by: &AcceptedBy,
    registration_id: &str,
    authentication: Authentication,
    hubs: &Hubs,
    previous: Option<&RegistrationState>,
    decision: Option<&Decision>,
) -> Result<Placement, String> {
    let terms = accepted_by.terms();
    let device_id = accepted_by.device_id().unwrap_or(registration_id);
    let assigned = previous.and_then(|state| hubs.find(state.assigned_hub.as_deref()?));
    let keeps = |hub: &Hub| assigned.is_some_and(|assigned| assigned.name() == hub.name());
    let hub = match assigned {
        _ if decision.is_some() => decision
            .and_then(|decision| hubs.find(&decision.hub))
            .ok_or("IotHubNotFound: the hub that the webhook named is not there any more")?,
        Some(assigned) if !terms.reprovision_policy.update_hub_assignment => assigned,
        _ => {
            let chosen = choose(terms, hubs.linked(), &registration_id.to_ascii_lowercase());
            chosen
                .and_then(|chosen| hubs.find(&chosen.name))
                .ok_or("IotHubNotFound: none of the hubs of this enrollment is linked to the service")?
        }
    };
    // Before a twin leaves its hub it has to be sure that the next one takes it.
    hub.check_device_id(device_id).map_err(|error| error.to_string())?;
    let decided_twin = decision.and_then(|decision| decision.initial_twin.as_ref());
    let TwinFate { data, substatus } = match assigned {
        Some(assigned) if decided_twin.is_some() => {
            if !keeps(hub) {
                let old = previous.and_then(|state| state.device_id.as_deref());
                // Its twin does not come along: the webhook has given another.
                let _ = assigned.emigrate(old.unwrap_or(device_id));
            }
            TwinFate::new(ProvisionedData::Reset(decided_twin), Substatus::DeviceDataReset)
        }
        None => TwinFate::new(
            ProvisionedData::Keep(decided_twin.or(terms.initial_twin.as_ref())),
            Substatus::InitialAssignment,
        ),
        Some(assigned) => twin_fate(assigned, keeps(hub), device_id, previous, terms),
    };
    hub.provision(device_id, authentication, terms.capabilities, data).map_err(|error| error.to_string())?;
    Ok(Placement { hub: hub.name().to_owned(), device_id: device_id.to_owned(), substatus })
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
    terms: &'a EnrollmentTerms,
) -> TwinFate<'a> {
    let ReprovisionPolicy { update_hub_assignment, migrate_device_data } = terms.reprovision_policy;
    let reset = update_hub_assignment && !migrate_device_data;
    if stays {
        return if reset {
            TwinFate::new(ProvisionedData::Reset(terms.initial_twin.as_ref()), Substatus::DeviceDataReset)
        } else {
            TwinFate::new(
                ProvisionedData::Keep(terms.initial_twin.as_ref()),
                Substatus::ReprovisionedToInitialAssignment,
            )
        };
    }
    let old_device_id = previous.and_then(|state| state.device_id.as_deref()).unwrap_or(device_id);
    match assigned.emigrate(old_device_id) {
        Some(twin) if !reset => {
            TwinFate::new(ProvisionedData::Migrate(Box::new(twin)), Substatus::DeviceDataMigrated)
        }
        _ => TwinFate::new(ProvisionedData::Reset(terms.initial_twin.as_ref()), Substatus::DeviceDataReset),
    }
}
