//! The Device Provisioning Service.
//!
//! ```text
//!  service side (Dps) ──▶ Store: CA certificates, enrollments, registration records, linked hubs
//!                            ▲
//!  device side (session) ────┤ register: verdict ─▶ choice of a hub ─▶ hub identity, record
//!                            └ poll: how the operation stands
//! ```

mod allocation;
mod certificates;
mod enrollments;
mod error;
mod linked_hubs;
mod model;
mod registration;
mod session;
mod verdict;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

pub use allocation::LinkedHub;
pub use certificates::CaCertificate;
use certificates::CertificateStore;
use enrollments::Enrollments;
pub use enrollments::IfMatch;
pub use error::DpsError;
pub(crate) use linked_hubs::Hubs;
pub use model::{
    AllocationPolicy, AttestationMechanism, AttestationType, CaReferences, CustomAllocationDefinition,
    DeviceCapabilities, EnrollmentGroup, IndividualEnrollment, InitialTwin, InitialTwinProperties,
    ProvisioningStatus, ReprovisionPolicy, X509Attestation, X509CertificateWithInfo, X509Certificates,
};
pub(crate) use session::serve;
pub use tracker_protocol::dps::{RegistrationState, RegistrationStatus, Substatus};

use crate::{clock::Clock, events::EventBus, faults::Faults, hub::Hub, lock::lock, tls::ServerIdentity};

/// The service side of the provisioning service. Clones are the same service.
#[derive(Clone)]
pub struct Dps(Arc<Core>);

struct Core {
    id_scope: String,
    retry_after: Duration,
    assigning_time: Duration,
    clock: Arc<dyn Clock>,
    events: EventBus,
    faults: Faults,
    identity: Arc<ServerIdentity>,
    /// How a hub is made, once its name is known.
    telemetry_capacity: usize,
    store: Mutex<Store>,
}

/// All that the service knows, changed under one lock.
#[derive(Default)]
struct Store {
    certificates: CertificateStore,
    individuals: Enrollments<IndividualEnrollment>,
    groups: Enrollments<EnrollmentGroup>,
    registrations: registration::Records,
    hubs: Hubs,
}

/// What the service is made with.
pub(crate) struct DpsParts {
    pub id_scope: String,
    pub retry_after: Duration,
    pub assigning_time: Duration,
    pub clock: Arc<dyn Clock>,
    pub events: EventBus,
    pub faults: Faults,
    pub identity: Arc<ServerIdentity>,
    pub telemetry_capacity: usize,
}

impl Dps {
    pub(crate) fn new(parts: DpsParts) -> Self {
        let DpsParts {
            id_scope,
            retry_after,
            assigning_time,
            clock,
            events,
            faults,
            identity,
            telemetry_capacity,
        } = parts;
        Self(Arc::new(Core {
            id_scope,
            retry_after,
            assigning_time,
            clock,
            events,
            faults,
            identity,
            telemetry_capacity,
            store: Mutex::default(),
        }))
    }

    /// The ID scope that devices name in their user name.
    pub fn id_scope(&self) -> &str {
        &self.0.id_scope
    }

    /// The CA certificates uploaded to the service.
    pub fn certificates(&self) -> Certificates<'_> {
        Certificates(self)
    }

    /// Creates an enrollment group; the answer carries entity tag, times and certificate details.
    pub fn create_enrollment_group(&self, group: EnrollmentGroup) -> Result<EnrollmentGroup, DpsError> {
        let mut store = lock(&self.0.store);
        store.check_group(&group)?;
        store.groups.create(group, self.0.clock.now())
    }

    /// Replaces an enrollment group. A certificate given by its `info` alone is kept as stored.
    pub fn update_enrollment_group(
        &self,
        group: EnrollmentGroup,
        if_match: &IfMatch,
    ) -> Result<EnrollmentGroup, DpsError> {
        let mut store = lock(&self.0.store);
        store.check_group(&group)?;
        store.groups.update(group, if_match, self.0.clock.now())
    }

    /// An enrollment group.
    pub fn enrollment_group(&self, group_id: &str) -> Result<EnrollmentGroup, DpsError> {
        lock(&self.0.store).groups.get(group_id)
    }

    /// All enrollment groups in the order of their IDs.
    pub fn enrollment_groups(&self) -> Vec<EnrollmentGroup> {
        lock(&self.0.store).groups.iter().cloned().collect()
    }

    /// Deletes an enrollment group. Devices that are provisioned stay so, and their records too.
    pub fn delete_enrollment_group(&self, group_id: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        lock(&self.0.store).groups.delete(group_id, if_match)
    }

    /// Lets the devices of a group register.
    pub fn enable_enrollment_group(&self, group_id: &str) -> Result<EnrollmentGroup, DpsError> {
        self.set_group_status(group_id, ProvisioningStatus::Enabled)
    }

    /// Refuses the devices of a group with the status `disabled`. Those provisioned already stay so.
    pub fn disable_enrollment_group(&self, group_id: &str) -> Result<EnrollmentGroup, DpsError> {
        self.set_group_status(group_id, ProvisioningStatus::Disabled)
    }

    fn set_group_status(
        &self,
        group_id: &str,
        provisioning_status: ProvisioningStatus,
    ) -> Result<EnrollmentGroup, DpsError> {
        let mut store = lock(&self.0.store);
        let group = EnrollmentGroup {
            provisioning_status,
            ..store.groups.get(group_id)?
        };
        store.groups.update(group, &IfMatch::Any, self.0.clock.now())
    }

    /// Creates an individual enrollment; the answer carries entity tag, times and certificate details.
    pub fn create_individual_enrollment(
        &self,
        enrollment: IndividualEnrollment,
    ) -> Result<IndividualEnrollment, DpsError> {
        let mut store = lock(&self.0.store);
        store
            .hubs
            .check_linked(&enrollment.iot_hubs, enrollment.iot_hub_host_name.as_deref())?;
        let enrollment = IndividualEnrollment {
            registration_state: None,
            ..enrollment
        };
        store.individuals.create(enrollment, self.0.clock.now())
    }

    /// Replaces an individual enrollment. A certificate given by its `info` alone is kept as stored.
    pub fn update_individual_enrollment(
        &self,
        enrollment: IndividualEnrollment,
        if_match: &IfMatch,
    ) -> Result<IndividualEnrollment, DpsError> {
        let mut store = lock(&self.0.store);
        store
            .hubs
            .check_linked(&enrollment.iot_hubs, enrollment.iot_hub_host_name.as_deref())?;
        let enrollment = IndividualEnrollment {
            registration_state: None,
            ..enrollment
        };
        store.individuals.update(enrollment, if_match, self.0.clock.now())
    }

    /// An individual enrollment, with its registration record if there is one.
    pub fn individual_enrollment(&self, registration_id: &str) -> Result<IndividualEnrollment, DpsError> {
        let enrollment = lock(&self.0.store).individuals.get(registration_id)?;
        let registration_state = self.registration(registration_id).ok();
        Ok(IndividualEnrollment {
            registration_state,
            ..enrollment
        })
    }

    /// All individual enrollments in the order of their IDs.
    pub fn individual_enrollments(&self) -> Vec<IndividualEnrollment> {
        lock(&self.0.store).individuals.iter().cloned().collect()
    }

    /// Deletes an individual enrollment. A group may take its device from now on.
    pub fn delete_individual_enrollment(
        &self,
        registration_id: &str,
        if_match: &IfMatch,
    ) -> Result<(), DpsError> {
        lock(&self.0.store).individuals.delete(registration_id, if_match)
    }

    /// Lets a device register.
    pub fn enable_individual_enrollment(
        &self,
        registration_id: &str,
    ) -> Result<IndividualEnrollment, DpsError> {
        self.set_individual_status(registration_id, ProvisioningStatus::Enabled)
    }

    /// Refuses a device with the status `disabled`, even where a group would take it.
    pub fn disable_individual_enrollment(
        &self,
        registration_id: &str,
    ) -> Result<IndividualEnrollment, DpsError> {
        self.set_individual_status(registration_id, ProvisioningStatus::Disabled)
    }

    fn set_individual_status(
        &self,
        registration_id: &str,
        provisioning_status: ProvisioningStatus,
    ) -> Result<IndividualEnrollment, DpsError> {
        let mut store = lock(&self.0.store);
        let stored = store.individuals.get(registration_id)?;
        let enrollment = IndividualEnrollment {
            provisioning_status,
            ..stored
        };
        store
            .individuals
            .update(enrollment, &IfMatch::Any, self.0.clock.now())
    }

    /// Makes a hub and links it, with allocation weight 1. `name` without a dot gets `.azure-devices.net`. A hub that
    /// exists already is returned.
    pub fn add_hub(&self, name: &str) -> Result<Hub, DpsError> {
        self.add_weighted_hub(name, 1)
    }

    /// Makes a hub and links it with an allocation weight, 1 to 1000; one that exists already gets the weight.
    pub fn add_weighted_hub(&self, name: &str, allocation_weight: u16) -> Result<Hub, DpsError> {
        let name = linked_hubs::full_name(name, allocation_weight)?;
        self.0.identity.add_name(&name)?;
        let make = |name: String| {
            Hub::new(
                name,
                Arc::clone(&self.0.clock),
                self.0.events.clone(),
                self.0.faults.clone(),
                self.0.telemetry_capacity,
            )
        };
        Ok(lock(&self.0.store).hubs.add(name, allocation_weight, make))
    }

    /// Takes a hub out of the choice for new assignments. It goes on serving the devices it has.
    pub fn unlink_hub(&self, name: &str) -> Result<(), DpsError> {
        lock(&self.0.store).hubs.unlink(name)
    }

    /// The hubs linked, in the order they were.
    pub fn linked_hubs(&self) -> Vec<LinkedHub> {
        lock(&self.0.store).hubs.linked().to_vec()
    }

    /// A hub by host name, or by its first label; linked or not.
    pub fn hub(&self, name: &str) -> Option<Hub> {
        lock(&self.0.store).hubs.find(name).cloned()
    }

    /// All hubs, linked or not.
    pub fn hubs(&self) -> Vec<Hub> {
        lock(&self.0.store).hubs.all().to_vec()
    }
}

impl Store {
    fn check_group(&self, group: &EnrollmentGroup) -> Result<(), DpsError> {
        self.hubs
            .check_linked(&group.iot_hubs, group.iot_hub_host_name.as_deref())?;
        let x509 = group.attestation.x509.as_ref();
        let references = x509.and_then(|x509| x509.ca_references.as_ref());
        references.map_or(Ok(()), |references| {
            references
                .names()
                .try_for_each(|name| self.certificates.get(name).map(drop))
        })
    }
}

/// The CA certificates of a provisioning service.
#[derive(Clone, Copy)]
pub struct Certificates<'a>(&'a Dps);

impl Certificates<'_> {
    /// Uploads a CA certificate (PEM or base64), not verified yet: devices below it are refused until it is.
    pub fn upload(&self, name: &str, certificate: &str) -> Result<CaCertificate, DpsError> {
        lock(&self.0.0.store)
            .certificates
            .upload(name, certificate, false)
    }

    /// Uploads a CA certificate (PEM or base64) and declares it verified, as the portal's "set certificate status to
    /// verified on upload" does.
    pub fn upload_verified(&self, name: &str, certificate: &str) -> Result<CaCertificate, DpsError> {
        lock(&self.0.0.store).certificates.upload(name, certificate, true)
    }

    /// A new verification code: a certificate with this common name, signed by the CA, proves possession of its key.
    pub fn generate_verification_code(&self, name: &str) -> Result<String, DpsError> {
        lock(&self.0.0.store).certificates.verification_code(name)
    }

    /// Verifies a CA certificate by the proof (PEM or base64).
    pub fn verify(&self, name: &str, proof: &str) -> Result<CaCertificate, DpsError> {
        lock(&self.0.0.store)
            .certificates
            .verify(name, proof, self.0.0.clock.now())
    }

    /// One by its name.
    pub fn get(&self, name: &str) -> Result<CaCertificate, DpsError> {
        lock(&self.0.0.store).certificates.get(name)
    }

    /// All in the order of their names.
    pub fn list(&self) -> Vec<CaCertificate> {
        lock(&self.0.0.store).certificates.list()
    }

    /// Deletes one; groups that refer to it take nobody any more.
    pub fn delete(&self, name: &str) -> Result<(), DpsError> {
        lock(&self.0.0.store).certificates.delete(name)
    }
}
