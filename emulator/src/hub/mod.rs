//! An IoT hub: device identities, twins, and the devices connected to it.
//!
//! ```text
//!  service side (Hub) ──▶ Registry ◀── device side (session)
//!                            │ Order: desired change, method, messages
//!                            └──────────────▶ session ──▶ device
//! ```
//!
//! Every change is made in the registry under one lock, and what a connected device is to hear of it is put into its
//! orders under the same lock: pushes reach a device in the order of their versions.

mod admission;
mod c2d;
mod connection;
mod error;
mod method;
mod model;
mod registry;
mod section;
mod session;
mod telemetry;
mod twin;

use std::sync::{Arc, Mutex};

use tokio::sync::{broadcast, watch};

pub use c2d::CloudToDeviceMessage;
pub use error::HubError;
pub use method::{DirectMethod, MethodResult};
pub use model::{
    Authentication, AuthenticationType, ConnectionState, Device, DeviceStatus, Twin, TwinProperties,
    X509Thumbprint,
};
use registry::Registry;
pub(crate) use registry::TwinRecord;
pub use section::TwinError;
pub(crate) use session::serve;
pub use telemetry::{TelemetryCounters, TelemetryMessage};
pub use twin::TwinPatch;

use crate::{
    clock::Clock,
    dps::{DeviceCapabilities, IfMatch, InitialTwin},
    events::{DisconnectReason, EventBus},
    faults::Faults,
    lock::lock,
    subscription::Subscription,
};

/// The service side of one hub. Clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Core>);

pub(crate) struct Core {
    name: String,
    clock: Arc<dyn Clock>,
    events: EventBus,
    faults: Faults,
    registry: Mutex<Registry>,
    telemetry: broadcast::Sender<Arc<TelemetryMessage>>,
    /// Counts connections and subscriptions, for those who wait for a device.
    arrivals: watch::Sender<u64>,
}

impl Hub {
    pub(crate) fn new(
        name: String,
        clock: Arc<dyn Clock>,
        events: EventBus,
        faults: Faults,
        telemetry_capacity: usize,
    ) -> Self {
        Self(Arc::new(Core {
            name,
            clock,
            events,
            faults,
            registry: Mutex::default(),
            telemetry: broadcast::Sender::new(telemetry_capacity),
            arrivals: watch::Sender::new(0),
        }))
    }

    /// The host name, `hub-1.azure-devices.net`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// All device identities in the order of their IDs.
    pub fn devices(&self) -> Vec<Device> {
        lock(&self.0.registry)
            .iter()
            .map(|(id, entry)| entry.device(id))
            .collect()
    }

    /// One device identity.
    pub fn device(&self, device_id: &str) -> Result<Device, HubError> {
        lock(&self.0.registry)
            .get(device_id)
            .map(|entry| entry.device(device_id))
    }

    /// Creates a device identity, enabled and with an empty twin.
    ///
    /// `device_id`: 1 to 128 of letters, digits and `-.+%_#*?!(),:=@$';`.
    pub fn create_device(
        &self,
        device_id: &str,
        authentication: Authentication,
        capabilities: DeviceCapabilities,
    ) -> Result<Device, HubError> {
        check_device_id(device_id)?;
        let mut registry = lock(&self.0.registry);
        registry.create(
            device_id,
            authentication,
            capabilities,
            TwinRecord::new(None, self.0.clock.now()),
        )?;
        registry.get(device_id).map(|entry| entry.device(device_id))
    }

    /// Disables a device: it is disconnected, and refused with CONNACK 5 from now on.
    pub fn disable(&self, device_id: &str) -> Result<Device, HubError> {
        self.set_status(device_id, DeviceStatus::Disabled, None)
    }

    /// Enables a device.
    pub fn enable(&self, device_id: &str) -> Result<Device, HubError> {
        self.set_status(device_id, DeviceStatus::Enabled, None)
    }

    /// Sets the status of a device, with the operator's reason.
    pub fn set_status(
        &self,
        device_id: &str,
        status: DeviceStatus,
        reason: Option<String>,
    ) -> Result<Device, HubError> {
        let mut registry = lock(&self.0.registry);
        let entry = registry.entry(device_id)?;
        if entry.identity.status != status {
            entry.identity.status_updated = self.0.clock.now();
        }
        entry.identity.status = status;
        entry.identity.status_reason = reason;
        entry.identity.etag = crate::id::device_etag();
        if status == DeviceStatus::Disabled
            && let Some(connection) = &entry.connection
        {
            connection.close(DisconnectReason::DeviceDisabled);
        }
        Ok(entry.device(device_id))
    }

    /// Deletes a device identity with its twin; if connected, it is disconnected.
    pub fn delete(&self, device_id: &str) -> Result<(), HubError> {
        self.delete_if(device_id, &IfMatch::Any)
    }

    /// Deletes a device identity if its entity tag is the one given.
    pub fn delete_if(&self, device_id: &str, if_match: &IfMatch) -> Result<(), HubError> {
        let mut registry = lock(&self.0.registry);
        match if_match {
            IfMatch::ETag(etag) if *etag != registry.get(device_id)?.identity.etag => {
                return Err(HubError::PreconditionFailed(device_id.to_owned()));
            }
            _ => {}
        }
        let removed = registry.remove(device_id)?;
        drop(registry);
        if let Some(connection) = removed.connection {
            connection.close(DisconnectReason::DeviceDeleted);
        }
        Ok(())
    }

    /// Cuts the connection of a device without a reason; tells whether there was one.
    pub fn drop_connection(&self, device_id: &str) -> Result<bool, HubError> {
        let registry = lock(&self.0.registry);
        let connection = registry.get(device_id)?.connection.as_ref();
        if let Some(connection) = connection {
            connection.close(DisconnectReason::Fault);
        }
        Ok(connection.is_some())
    }

    /// Every message from now on, as the hub receives it.
    pub fn telemetry(&self) -> Subscription<TelemetryMessage> {
        Subscription(self.0.telemetry.subscribe())
    }

    /// How much was received from a device.
    pub fn counters(&self, device_id: &str) -> Result<TelemetryCounters, HubError> {
        lock(&self.0.registry)
            .get(device_id)
            .map(|entry| entry.tally.counters)
    }

    /// Queues a message for a device; it is delivered as soon as the device is connected and subscribed.
    pub fn send(&self, device_id: &str, message: CloudToDeviceMessage) -> Result<(), HubError> {
        let mut registry = lock(&self.0.registry);
        let entry = registry.entry(device_id)?;
        entry.queue.push(device_id, message, self.0.clock.now())?;
        if let Some(connection) = &entry.connection {
            connection.give(connection::Order::Messages);
        }
        Ok(())
    }

    /// Writes what DPS has decided: the identity is made, or its thumbprint renewed; `data` says what becomes of the
    /// twin.
    pub(crate) fn provision(
        &self,
        device_id: &str,
        thumbprint: &str,
        capabilities: DeviceCapabilities,
        data: ProvisionedData<'_>,
    ) -> Result<(), HubError> {
        check_device_id(device_id)?;
        let now = self.0.clock.now();
        let mut registry = lock(&self.0.registry);
        let authentication = Authentication::self_signed(thumbprint);
        if let ProvisionedData::Keep(_) = data
            && let Some(entry) = registry.find(device_id)
        {
            if entry.identity.authentication != authentication {
                entry.identity.authentication = authentication;
                entry.identity.etag = crate::id::device_etag();
            }
            entry.identity.capabilities = capabilities;
            return Ok(());
        }
        let twin = match data {
            ProvisionedData::Keep(initial) | ProvisionedData::Reset(initial) => TwinRecord::new(initial, now),
            ProvisionedData::Migrate(twin) => *twin,
        };
        if let Ok(replaced) = registry.remove(device_id)
            && let Some(connection) = replaced.connection
        {
            connection.close(DisconnectReason::DeviceDeleted);
        }
        registry.create(device_id, authentication, capabilities, twin)
    }

    /// Takes a device out, for another hub; `None` if it is not here (any more).
    pub(crate) fn emigrate(&self, device_id: &str) -> Option<TwinRecord> {
        let removed = lock(&self.0.registry).remove(device_id).ok()?;
        if let Some(connection) = removed.connection {
            connection.close(DisconnectReason::DeviceDeleted);
        }
        Some(removed.twin)
    }
}

/// What becomes of a device's twin when DPS assigns it to a hub.
pub(crate) enum ProvisionedData<'a> {
    /// Left alone; made from this if the device is not there.
    Keep(Option<&'a InitialTwin>),
    /// Made anew from this.
    Reset(Option<&'a InitialTwin>),
    /// Brought along from another hub.
    Migrate(Box<TwinRecord>),
}

fn check_device_id(device_id: &str) -> Result<(), HubError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.+%_#*?!(),:=@$';".contains(c);
    if device_id.is_empty() || device_id.len() > 128 || !device_id.chars().all(allowed) {
        return Err(HubError::ArgumentInvalid(format!(
            "\"{device_id}\" cannot be a device ID: 1 to 128 of letters, digits and -.+%_#*?!(),:=@$';"
        )));
    }
    Ok(())
}
