//! The service side of DPS: what it is made of, and its hubs.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_protocol::dps::ConnectionProfile;

use super::{
    DpsError, EnrollmentGroup, IndividualEnrollment, LinkedHub,
    ca_certificates::{CertificateStore, KeptCertificate},
    enrollment_store::EnrollmentStore,
    linked_hubs::{Hubs, full_name, name_in_full, profile_of},
    records::Records,
    store::Store,
    tpm::Challenges,
};
use crate::{
    clock::Clock,
    events::EventBus,
    faults::Faults,
    host_names::{self, HostKind},
    hub::{EndpointSettings, Hub, HubParts, KeptHub, RenewalSettings},
    issuance::{KeptNamespace, Namespace},
    lock::{Changes, Tracked},
    net::tls::ServerIdentity,
    security::{access::AccessPolicies, x509::GoodSignatures},
    storage::Storage,
};

/// The service side of the provisioning service. Clones are the same service.
#[derive(Clone)]
pub struct Dps(pub(super) Arc<Core>);

pub(super) struct Core {
    pub(super) id_scope: String,
    pub(super) retry_after: Duration,
    pub(super) assigning_time: Duration,
    pub(super) assign_at_once: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: EventBus,
    pub(super) faults: Faults,
    pub(super) identity: Arc<ServerIdentity>,
    /// How a hub is made, once its name is known.
    pub(super) telemetry_capacity: usize,
    pub(super) files: PathBuf,
    pub(super) storage: Storage,
    pub(super) first_redelivery: Duration,
    pub(super) changes: Changes,
    pub(super) access: AccessPolicies,
    pub(super) host_name: String,
    pub(super) good_signatures: GoodSignatures,
    pub(super) challenges: Challenges,
    pub(super) namespace: Namespace,
    pub(super) renewal: RenewalSettings,
    endpoint: EndpointSettings,
    pub(super) store: Tracked<Store>,
}

/// What the service is made with.
pub(crate) struct DpsParts {
    pub id_scope: String,
    pub retry_after: Duration,
    pub assigning_time: Duration,
    pub assign_at_once: bool,
    pub clock: Arc<dyn Clock>,
    pub events: EventBus,
    pub faults: Faults,
    pub identity: Arc<ServerIdentity>,
    pub telemetry_capacity: usize,
    pub files: PathBuf,
    /// Of all hubs.
    pub storage: Storage,
    pub first_redelivery: Duration,
    pub changes: Changes,
    /// `{name}.azure-devices-provisioning.net`
    pub host_name: String,
    /// Whether devices are told the device names of all hubs.
    pub assign_device_names: bool,
    pub namespace: Namespace,
    pub renewal: RenewalSettings,
    pub endpoint: EndpointSettings,
    pub kept: KeptDps,
}

/// What of the service has to outlive a restart. The hubs are kept beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeptDps {
    access: AccessPolicies,
    certificates: Vec<KeptCertificate>,
    individual_enrollments: Vec<IndividualEnrollment>,
    enrollment_groups: Vec<EnrollmentGroup>,
    registrations: Records,
    linked_hubs: Vec<LinkedHub>,
    #[serde(default, skip_serializing_if = "KeptNamespace::is_empty")]
    namespace: KeptNamespace,
    /// The key of the storage's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storage_key: Option<String>,
}

impl KeptDps {
    /// A new service: random keys, and nothing else.
    pub(crate) fn new() -> Self {
        Self {
            access: AccessPolicies::of_dps(),
            certificates: Vec::new(),
            individual_enrollments: Vec::new(),
            enrollment_groups: Vec::new(),
            registrations: Records::new(),
            linked_hubs: Vec::new(),
            namespace: KeptNamespace::default(),
            storage_key: None,
        }
    }

    pub(crate) fn storage_key(&self) -> Option<&str> {
        self.storage_key.as_deref()
    }

    pub(crate) fn namespace(&self) -> &KeptNamespace {
        &self.namespace
    }
}

impl Dps {
    pub(crate) fn new(parts: DpsParts) -> Result<Self, DpsError> {
        let DpsParts {
            id_scope,
            retry_after,
            assigning_time,
            assign_at_once,
            clock,
            events,
            faults,
            identity,
            telemetry_capacity,
            files,
            storage,
            first_redelivery,
            changes,
            host_name,
            assign_device_names,
            namespace,
            renewal,
            endpoint,
            kept,
        } = parts;
        let store = Store {
            certificates: CertificateStore::restore(kept.certificates)?,
            individuals: EnrollmentStore::restore(kept.individual_enrollments),
            groups: EnrollmentStore::restore(kept.enrollment_groups),
            registrations: kept.registrations,
            hubs: Hubs::restore(kept.linked_hubs, assign_device_names),
        };
        Ok(Self(Arc::new(Core {
            id_scope,
            retry_after,
            assigning_time,
            assign_at_once,
            clock,
            events,
            faults,
            identity,
            telemetry_capacity,
            files,
            storage,
            first_redelivery,
            changes: changes.clone(),
            access: kept.access,
            host_name,
            good_signatures: GoodSignatures::default(),
            challenges: Challenges::default(),
            namespace,
            renewal,
            endpoint,
            store: Tracked::new(store, changes),
        })))
    }

    /// What has to outlive a restart.
    pub(crate) fn keep(&self) -> KeptDps {
        let store = self.0.store.lock();
        KeptDps {
            access: self.0.access.clone(),
            certificates: store.certificates.keep(),
            individual_enrollments: store.individuals.iter().cloned().collect(),
            enrollment_groups: store.groups.iter().cloned().collect(),
            registrations: store.registrations.clone(),
            linked_hubs: store.hubs.linked().to_vec(),
            namespace: self.0.namespace.keep(),
            storage_key: self.0.storage.account().keep(),
        }
    }

    /// A hub as it was kept over a restart; whether it is linked, the service itself knows.
    pub(crate) fn restore_hub(&self, name: &str, kept: KeptHub) -> Result<(), DpsError> {
        let name = full_name(name, 1)?;
        self.0.identity.add_names(host_names::all(&name))?;
        let hub = self.make_hub(name, kept);
        self.0.store.lock().hubs.insert(hub);
        Ok(())
    }

    fn make_hub(&self, name: String, kept: KeptHub) -> Hub {
        Hub::new(HubParts {
            name,
            clock: Arc::clone(&self.0.clock),
            events: self.0.events.clone(),
            faults: self.0.faults.clone(),
            telemetry_capacity: self.0.telemetry_capacity,
            changes: self.0.changes.clone(),
            files: self.0.files.clone(),
            storage: self.0.storage.clone(),
            first_redelivery: self.0.first_redelivery,
            namespace: self.0.namespace.clone(),
            renewal: self.0.renewal,
            endpoint: self.0.endpoint,
            kept,
        })
    }

    pub(crate) fn access(&self) -> &AccessPolicies {
        &self.0.access
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Where devices upload to, and jobs read and write.
    pub(crate) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    pub(crate) fn events(&self) -> &EventBus {
        &self.0.events
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// The namespace that issues certificates to devices.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// The host name of the service side, `emulator-dps.azure-devices-provisioning.net`.
    pub fn host_name(&self) -> &str {
        &self.0.host_name
    }

    /// The ID scope that devices name in their user name.
    pub fn id_scope(&self) -> &str {
        &self.0.id_scope
    }

    /// Makes a hub and links it, with allocation weight 1. `name` without a dot gets `.azure-devices.net`; with the device
    /// name, `hub-1.device.azure-devices.net`, that is the one that devices are told. A hub that exists already is returned.
    pub fn add_hub(&self, name: &str) -> Result<Hub, DpsError> {
        self.add_weighted_hub(name, 1)
    }

    /// Makes a hub and links it with an allocation weight, 1 to 1000; one that exists already gets the weight.
    pub fn add_weighted_hub(&self, name: &str, allocation_weight: u16) -> Result<Hub, DpsError> {
        self.link_hub(name, allocation_weight, ConnectionProfile::Classic)
    }

    /// Makes a hub at which devices speak MQTT 5 (`connectionProfile` `mqttV5`), and links it with allocation weight 1. One
    /// that exists already is returned.
    pub fn add_mqtt5_hub(&self, name: &str) -> Result<Hub, DpsError> {
        self.link_hub(name, 1, ConnectionProfile::MqttV5)
    }

    fn link_hub(
        &self,
        name: &str,
        allocation_weight: u16,
        profile: ConnectionProfile,
    ) -> Result<Hub, DpsError> {
        let (name, named) = name_in_full(name, allocation_weight)?;
        self.0.identity.add_names(host_names::all(&name))?;
        let make = |name: String| self.make_hub(name, KeptHub::new(profile));
        let mut store = self.0.store.change();
        let hub = store.hubs.add(name, allocation_weight, make);
        if named == Some(HostKind::Device) {
            store.hubs.assign_device_name(hub.name(), true)?;
        }
        Ok(hub)
    }

    /// Makes and links a hub of the options, unless it is there. A host name in full says which of the hub's names devices
    /// are told; the first label alone leaves that as it was.
    pub(crate) fn take_hub(&self, name: &str) -> Result<(), DpsError> {
        let (name, profile) = profile_of(name)?;
        let (full, named) = name_in_full(name, 1)?;
        let Some(hub) = self.hub(name) else {
            return self.link_hub(name, 1, profile.unwrap_or_default()).map(drop);
        };
        if profile.is_some_and(|profile| profile != hub.profile()) {
            return Err(DpsError::InvalidArgument(format!(
                "the hub {full} is one of connectionProfile {}, which a hub never changes",
                hub.profile().word()
            )));
        }
        // One that was kept is linked, or not any more, as it was.
        let is_linked = self.linked_hubs().iter().any(|hub| hub.is_named(&full));
        match named {
            Some(kind) if is_linked => self.assign_device_name(&full, kind == HostKind::Device),
            _ => Ok(()),
        }
    }

    /// Says whether DPS tells devices a linked hub's name of TLS 1.3, `{hub}.device.azure-devices.net`, or the classic one.
    /// It counts from each device's next registration on.
    pub fn assign_device_name(&self, hub: &str, on: bool) -> Result<(), DpsError> {
        self.0.store.change().hubs.assign_device_name(hub, on)
    }

    /// Takes a hub out of the choice for new assignments. It goes on serving the devices it has.
    pub fn unlink_hub(&self, name: &str) -> Result<(), DpsError> {
        self.0.store.change().hubs.unlink(name)
    }

    /// The hubs linked, in the order they were.
    pub fn linked_hubs(&self) -> Vec<LinkedHub> {
        self.0.store.lock().hubs.linked().to_vec()
    }

    /// A hub by any of its host names, or by its first label; linked or not.
    pub fn hub(&self, name: &str) -> Option<Hub> {
        self.0.store.lock().hubs.find(name).cloned()
    }

    /// A hub by one of its host names in full.
    pub(crate) fn hub_at(&self, host: &str) -> Option<Hub> {
        self.0.store.lock().hubs.at(host).map(|(hub, _)| hub.clone())
    }

    /// Which kind of a service's names this is; `None` if it is neither one of a service here nor of Azure's.
    pub(crate) fn host_kind(&self, host: &str) -> Option<HostKind> {
        let at_hub = self.0.store.lock().hubs.at(host).map(|(_, kind)| kind);
        at_hub.or_else(|| host_names::kind_at_azure(host))
    }

    /// All hubs, linked or not.
    pub fn hubs(&self) -> Vec<Hub> {
        self.0.store.lock().hubs.all().to_vec()
    }
}
