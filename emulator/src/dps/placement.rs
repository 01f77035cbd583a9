//! The placing of a device: the choice of its hub, and what is written there.

use tracker_protocol::dps::{ConnectionProfile, PROFILE_API_VERSION, Substatus};

use super::{
    allocation::choose,
    linked_hubs::Hubs,
    model::{EnrollmentTerms, ReprovisionPolicy},
    pending::Pending,
};
use crate::hub::{Credentials, Hub, HubError, InitialTwin, ProvisionedData, Standing, check_device_id};

/// Where a device went and how it came about.
pub(super) struct Placement {
    pub hub: String,
    pub device_id: String,
    pub substatus: Substatus,
    /// How to speak to the hub, where that is not the classic way and the device has asked by a version that tells it.
    pub connection_profile: Option<String>,
}

/// What a webhook has decided in place of the allocation policy.
pub(super) struct Decision {
    pub hub: String,
    /// Goes before the twin of the enrollment and before the one the device had.
    pub initial_twin: Option<InitialTwin>,
}

/// Chooses the hub and writes the identity there; `Err` says what to tell the device.
pub(super) fn place(
    pending: &Pending,
    hubs: &Hubs,
    decision: Option<&Decision>,
) -> Result<Placement, String> {
    let terms = pending.accepted_by.terms();
    let previous = pending.previous.as_ref();
    let device_id = device_id(pending);
    let assigned = previous.and_then(|state| hubs.find(state.assigned_hub.as_deref()?));
    let keeps = |hub: &Hub| assigned.is_some_and(|assigned| assigned.name() == hub.name());
    let hub = match assigned {
        _ if decision.is_some() => decision
            .and_then(|decision| hubs.find(&decision.hub))
            .ok_or("IotHubNotFound: the hub that the webhook named is not there any more")?,
        Some(assigned) if !terms.reprovision_policy.update_hub_assignment => assigned,
        _ => {
            let chosen = choose(terms, hubs.linked(), &pending.registration_id.to_ascii_lowercase());
            chosen
                .and_then(|chosen| hubs.find(&chosen.name))
                .ok_or("IotHubNotFound: none of the hubs of this enrollment is linked to the service")?
        }
    };
    let decided_twin = decision.and_then(|decision| decision.initial_twin.as_ref());
    // Before a twin leaves its hub it has to be sure that the next one takes it.
    check_device_id(device_id).map_err(|what| HubError::ArgumentInvalid(what).to_string())?;
    let first_twin = decided_twin.or(terms.initial_twin.as_ref());
    ProvisionedData::Reset(first_twin).check().map_err(|error| format!("the initial twin: {error}"))?;
    let old_device_id = previous.and_then(|state| state.device_id.as_deref()).unwrap_or(device_id);
    let TwinFate { data, substatus, before } = match assigned {
        Some(assigned) if decided_twin.is_some() => {
            // Where it moves, its twin does not come along: the webhook has given another.
            let left = if keeps(hub) { None } else { assigned.emigrate(old_device_id) };
            let fate = TwinFate::new(ProvisionedData::Reset(decided_twin), Substatus::DeviceDataReset);
            TwinFate { before: left.map(|(_, standing)| standing), ..fate }
        }
        None => TwinFate::new(ProvisionedData::Keep(first_twin), Substatus::InitialAssignment),
        Some(assigned) => twin_fate(assigned, keeps(hub), old_device_id, terms),
    };
    let credentials = Credentials {
        authentication: pending.authentication.clone(),
        policy: pending.issue.as_ref().map(|issue| issue.policy.clone()),
    };
    hub.provision(device_id, credentials, terms.capabilities, data, before)
        .map_err(|error| error.to_string())?;
    let substatus = told_as(substatus, &pending.api_version);
    let tells = pending.api_version.as_str() >= PROFILE_API_VERSION;
    let connection_profile =
        (tells && hub.profile() != ConnectionProfile::Classic).then(|| hub.profile().word().to_owned());
    let hub = hubs.name_for_devices(hub);
    Ok(Placement { hub, device_id: device_id.to_owned(), substatus, connection_profile })
}

/// The device ID at the hub. Registration IDs know no case and device IDs do: a device that has registered before, in
/// another case, is the same device.
fn device_id(pending: &Pending) -> &str {
    let registration_id = pending.registration_id.as_str();
    let before = pending.previous.as_ref().and_then(|state| state.device_id.as_deref());
    let same = before.filter(|before| before.eq_ignore_ascii_case(registration_id));
    pending.accepted_by.device_id().or(same).unwrap_or(registration_id)
}

/// The first API version that knows how a later registration differs from the first.
const REPROVISIONED_SINCE: &str = "2019-04-15";

/// What an API version calls it.
fn told_as(substatus: Substatus, api_version: &str) -> Substatus {
    match substatus {
        Substatus::ReprovisionedToInitialAssignment if api_version < REPROVISIONED_SINCE => {
            Substatus::InitialAssignment
        }
        other => other,
    }
}

struct TwinFate<'a> {
    data: ProvisionedData<'a>,
    substatus: Substatus,
    /// How the device stood at the hub that it has left.
    before: Option<Standing>,
}

impl<'a> TwinFate<'a> {
    fn new(data: ProvisionedData<'a>, substatus: Substatus) -> Self {
        Self { data, substatus, before: None }
    }
}

/// What becomes of the twin of a device that was assigned before.
fn twin_fate<'a>(
    assigned: &Hub,
    stays: bool,
    old_device_id: &str,
    terms: &'a EnrollmentTerms,
) -> TwinFate<'a> {
    let ReprovisionPolicy { update_hub_assignment, migrate_device_data } = terms.reprovision_policy;
    let reset = update_hub_assignment && !migrate_device_data;
    let made_anew = || ProvisionedData::Reset(terms.initial_twin.as_ref());
    if stays {
        return if reset {
            TwinFate::new(made_anew(), Substatus::DeviceDataReset)
        } else {
            TwinFate::new(
                ProvisionedData::Keep(terms.initial_twin.as_ref()),
                Substatus::ReprovisionedToInitialAssignment,
            )
        };
    }
    let Some((twin, standing)) = assigned.emigrate(old_device_id) else {
        return TwinFate::new(made_anew(), Substatus::DeviceDataReset);
    };
    let fate = if reset {
        TwinFate::new(made_anew(), Substatus::DeviceDataReset)
    } else {
        TwinFate::new(ProvisionedData::Migrate(Box::new(twin)), Substatus::DeviceDataMigrated)
    };
    TwinFate { before: Some(standing), ..fate }
}
