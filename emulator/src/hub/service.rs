//! The service side of a hub: what it is made of, and the calls that need no file of their own.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracker_protocol::dps::ConnectionProfile;

use super::{
    Device, DeviceStatus, HubError, TelemetryCounters, TelemetryMessage,
    c2d::FeedbackRecord,
    configurations::{KeptConfiguration, Store as Configurations},
    endpoint::{Groups, KeptGroup, Mark, Receivers, Retention, Store, StoreParts},
    event_grid::{EventGrid, KeptSubscription},
    jobs::{KeptJobs, Store as Jobs},
    module_id::check_is_device,
    notice::NoticeKind,
    registry::{KeptDevice, Registry},
    routing::{KeptRouting, Router, RouterParts},
    silence::Silence,
    telemetry::KEPT_BYTES,
    trust::{self, Authorities, KeptAuthority},
};
use crate::{
    clock::Clock,
    etag::IfMatch,
    events::{DisconnectReason, EventBus},
    faults::Faults,
    host_names,
    issuance::Namespace,
    lock::{Changes, Tracked, lock},
    security::{access::AccessPolicies, x509::GoodSignatures},
    subscription::{Feed, Subscription},
};

/// How hubs renew certificates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RenewalSettings {
    /// Between the answer that a request is taken and the certificates.
    pub issuing_time: Duration,
    /// Errors have the numbers that were seen in January 2026.
    pub older_numbers: bool,
}

/// How hubs keep messages for the readers of their built-in endpoints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndpointSettings {
    pub partitions: u16,
    pub retention: Retention,
}

/// What a hub is made with.
pub(crate) struct HubParts {
    pub name: String,
    pub clock: Arc<dyn Clock>,
    pub events: EventBus,
    pub faults: Faults,
    pub telemetry_capacity: usize,
    pub changes: Changes,
    /// Below it are the files that routes lead to.
    pub files: PathBuf,
    /// The wait after a delivery that failed for the first time.
    pub first_redelivery: Duration,
    /// Issues certificates, and is trusted.
    pub namespace: Namespace,
    pub renewal: RenewalSettings,
    pub endpoint: EndpointSettings,
    pub kept: KeptHub,
}

/// What of a hub has to outlive a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeptHub {
    access: AccessPolicies,
    devices: Vec<KeptDevice>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    modules: Vec<KeptDevice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    routing: Option<KeptRouting>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event_subscriptions: Vec<KeptSubscription>,
    #[serde(default, skip_serializing_if = "Silence::is_default")]
    silence: Silence,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    authorities: Vec<KeptAuthority>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    feedback: Vec<FeedbackRecord>,
    /// Absent for a classic hub, as all were once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection_profile: Option<KeptProfile>,
    #[serde(default, skip_serializing_if = "KeptEndpoint::is_empty")]
    endpoint: KeptEndpoint,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    configurations: Vec<KeptConfiguration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    jobs: KeptJobs,
}

/// Of the built-in endpoint: no messages.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptEndpoint {
    /// Where numbers go on, by partition.
    #[serde(default)]
    partitions: Vec<Mark>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    consumer_groups: Vec<KeptGroup>,
}

impl KeptEndpoint {
    fn is_empty(&self) -> bool {
        self.consumer_groups.is_empty() && self.partitions.iter().all(|mark| *mark == Mark::default())
    }
}

/// The profile of a hub that is not a classic one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum KeptProfile {
    #[serde(rename = "mqttV5")]
    MqttV5,
}

impl KeptHub {
    /// A new hub: random keys, no devices.
    pub(crate) fn new(profile: ConnectionProfile) -> Self {
        Self {
            access: AccessPolicies::of_hub(),
            devices: Vec::new(),
            modules: Vec::new(),
            routing: None,
            event_subscriptions: Vec::new(),
            silence: Silence::default(),
            connection_profile: keep_profile(profile),
            authorities: Vec::new(),
            endpoint: KeptEndpoint::default(),
            feedback: Vec::new(),
            configurations: Vec::new(),
            jobs: KeptJobs::new(),
        }
    }
}

fn keep_profile(profile: ConnectionProfile) -> Option<KeptProfile> {
    match profile {
        ConnectionProfile::Classic => None,
        ConnectionProfile::MqttV5 => Some(KeptProfile::MqttV5),
    }
}

/// Somebody who sees every message in the call that takes it in.
pub(super) type Observer = Box<dyn Fn(&TelemetryMessage) + Send + Sync>;

/// The service side of one hub. Clones are the same hub.
#[derive(Clone)]
pub struct Hub(pub(super) Arc<Core>);

pub(super) struct Core {
    pub(super) name: String,
    pub(super) profile: ConnectionProfile,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: EventBus,
    pub(super) faults: Faults,
    pub(super) access: AccessPolicies,
    pub(super) registry: Tracked<Registry>,
    /// In the order of sequence numbers, of which the first is 1.
    pub(super) telemetry: Feed<TelemetryMessage>,
    /// The same messages, for readers of the built-in endpoint.
    pub(super) endpoint: Arc<Store>,
    pub(super) groups: Groups,
    pub(super) receivers: Arc<Receivers>,
    pub(super) router: Router,
    pub(super) event_grid: EventGrid,
    pub(super) silence: Mutex<Silence>,
    pub(super) authorities: Mutex<Authorities>,
    pub(super) configurations: Mutex<Configurations>,
    pub(super) jobs: Mutex<Jobs>,
    pub(super) changes: Changes,
    pub(super) namespace: Namespace,
    pub(super) issuing_time: Duration,
    pub(super) older_numbers: bool,
    pub(super) good_signatures: GoodSignatures,
    /// When this run of the hub began.
    pub(super) began: DateTime<Utc>,
    pub(super) observers: RwLock<Vec<Observer>>,
    /// Counts connections and subscriptions, for those who wait for a device.
    pub(super) arrivals: watch::Sender<u64>,
}

impl Hub {
    pub(crate) fn new(parts: HubParts) -> Self {
        let HubParts {
            name,
            clock,
            events,
            faults,
            telemetry_capacity,
            changes,
            files,
            first_redelivery,
            namespace,
            renewal,
            endpoint: settings,
            kept,
        } = parts;
        let KeptHub {
            access,
            devices,
            modules,
            routing,
            event_subscriptions,
            silence,
            connection_profile,
            authorities,
            endpoint,
            feedback,
            configurations,
            jobs,
        } = kept;
        let configurations = Configurations::restore(configurations);
        let mut registry = Registry::restore(devices, modules, feedback);
        registry.complete_edges(clock.now());
        registry.touch_all(!configurations.is_empty());
        let router = RouterParts {
            hub_name: label(&name).to_owned(),
            clock: Arc::clone(&clock),
            files,
            first_wait: first_redelivery,
        };
        let profile = connection_profile
            .map_or(ConnectionProfile::Classic, |KeptProfile::MqttV5| ConnectionProfile::MqttV5);
        Self(Arc::new(Core {
            name,
            profile,
            events,
            faults,
            access,
            registry: Tracked::new(registry, changes.clone()),
            event_grid: EventGrid::new(router.clone(), event_subscriptions),
            router: Router::new(router, routing),
            silence: Mutex::new(silence),
            authorities: Mutex::new(trust::restore(authorities)),
            configurations: Mutex::new(configurations),
            jobs: Mutex::new(Jobs::restore(jobs)),
            changes: changes.clone(),
            namespace,
            issuing_time: renewal.issuing_time,
            older_numbers: renewal.older_numbers,
            good_signatures: GoodSignatures::default(),
            began: clock.now(),
            telemetry: Feed::new(telemetry_capacity, KEPT_BYTES),
            endpoint: Arc::new(Store::new(StoreParts {
                partitions: settings.partitions,
                retention: settings.retention,
                changes,
                marks: endpoint.partitions,
            })),
            groups: Groups::new(endpoint.consumer_groups, clock.now()),
            receivers: Arc::default(),
            clock,
            observers: RwLock::default(),
            arrivals: watch::Sender::new(0),
        }))
    }

    /// What has to outlive a restart.
    pub(crate) fn keep(&self) -> KeptHub {
        let registry = self.0.registry.lock();
        let ((devices, modules), feedback) = (registry.keep(), registry.feedback.keep());
        drop(registry);
        KeptHub {
            access: self.0.access.clone(),
            devices,
            modules,
            feedback,
            routing: self.0.router.keep(),
            event_subscriptions: self.0.event_grid.keep(),
            silence: self.silence(),
            connection_profile: keep_profile(self.0.profile),
            authorities: trust::keep(&lock(&self.0.authorities)),
            endpoint: KeptEndpoint {
                partitions: self.0.endpoint.keep(),
                consumer_groups: self.0.groups.keep(),
            },
            configurations: lock(&self.0.configurations).keep(),
            jobs: lock(&self.0.jobs).keep(),
        }
    }

    pub(crate) fn access(&self) -> &AccessPolicies {
        &self.0.access
    }

    /// The classic host name, `hub-1.azure-devices.net`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// All its host names, the classic one first.
    pub(crate) fn names(&self) -> [String; 3] {
        host_names::all(&self.0.name)
    }

    /// What devices speak here. A hub never changes it.
    pub fn profile(&self) -> ConnectionProfile {
        self.0.profile
    }

    /// The first label of the host name, by which messages and events call the hub.
    pub(super) fn label(&self) -> &str {
        label(&self.0.name)
    }

    /// All device identities in the order of their IDs.
    pub fn devices(&self) -> Vec<Device> {
        self.0.registry.lock().iter().map(|(id, entry)| entry.device(id)).collect()
    }

    /// One device identity.
    pub fn device(&self, device_id: &str) -> Result<Device, HubError> {
        check_is_device(device_id)?;
        self.0.registry.lock().get(device_id).map(|entry| entry.device(device_id))
    }

    /// Disables a device: it is disconnected, and refused with CONNACK 5 from now on.
    pub fn disable(&self, device_id: &str) -> Result<Device, HubError> {
        self.set_status(device_id, DeviceStatus::Disabled, None)
    }

    /// Enables a device.
    pub fn enable(&self, device_id: &str) -> Result<Device, HubError> {
        self.set_status(device_id, DeviceStatus::Enabled, None)
    }

    /// Deletes a device identity with its twin and its modules; if connected, it is disconnected.
    pub fn delete(&self, device_id: &str) -> Result<(), HubError> {
        self.delete_if(device_id, &IfMatch::Any)
    }

    /// Deletes a device identity if its entity tag is the one given.
    pub fn delete_if(&self, device_id: &str, if_match: &IfMatch) -> Result<(), HubError> {
        check_is_device(device_id)?;
        let mut registry = self.0.registry.change();
        if !if_match.admits(Some(&registry.get(device_id)?.identity.etag)) {
            return Err(HubError::PreconditionFailed(device_id.to_owned()));
        }
        self.take_modules(&mut registry, device_id);
        self.tell_of_life(&mut registry, NoticeKind::Deleted, device_id);
        let removed = registry.remove(device_id)?;
        drop(registry);
        if let Some(connection) = removed.connection {
            connection.close(DisconnectReason::DeviceDeleted);
        }
        Ok(())
    }

    /// Cuts the connection of a device without a reason; tells whether there was one.
    pub fn drop_connection(&self, device_id: &str) -> Result<bool, HubError> {
        let registry = self.0.registry.lock();
        let connection = registry.get(device_id)?.connection.as_ref();
        if let Some(connection) = connection {
            connection.close(DisconnectReason::Fault);
        }
        Ok(connection.is_some())
    }

    /// Every message from now on, as the hub receives it.
    pub fn telemetry(&self) -> Subscription<TelemetryMessage> {
        self.0.telemetry.subscribe()
    }

    /// Shows `observer` every message from now on before it is acknowledged, one after the other. Unlike a subscriber it
    /// misses none however fast they come, and what it does holds up the hub: it should count, and no more.
    pub fn observe(&self, observer: impl Fn(&TelemetryMessage) + Send + Sync + 'static) {
        self.0.observers.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(observer));
    }

    /// The messages after one of this sequence number, as far back as the hub remembers (without one, none), and every
    /// message from now on.
    ///
    /// A number that the hub has not reached yet is of an earlier life of it: all that is remembered came after.
    pub fn telemetry_after(&self, sequence_number: Option<u64>) -> Subscription<TelemetryMessage> {
        sequence_number.map_or_else(|| self.telemetry(), |last| self.0.telemetry.since(last))
    }

    /// How much was received from a device.
    pub fn counters(&self, device_id: &str) -> Result<TelemetryCounters, HubError> {
        self.0.registry.lock().get(device_id).map(|entry| entry.tally.counters)
    }
}

fn label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
