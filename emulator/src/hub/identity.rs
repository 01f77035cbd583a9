//! Device identities: making, changing, and what DPS writes.

use chrono::{DateTime, Utc};

use super::{
    Authentication, Device, DeviceCapabilities, DeviceStatus, Hub, HubError, InitialTwin, TwinError,
    TwinRecord,
    device_id::check_device_id,
    module_id::check_is_device,
    notice::{Notice, NoticeKind},
    registry::{Entry, Registry},
    twin_rules::check_initial,
};
use crate::{
    etag::IfMatch,
    events::{DisconnectReason, EventKind},
    id::device_etag,
    security::keys::SymmetricKey,
};

/// The part of a device identity that the service side sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSettings {
    /// Whether the device may connect.
    pub status: DeviceStatus,
    /// Why not, in the operator's words; at most 128 characters.
    pub status_reason: Option<String>,
    /// How it proves who it is.
    pub authentication: Authentication,
    /// Edge or not.
    pub capabilities: DeviceCapabilities,
    /// The scope of the edge device that it is below; empty for none. An edge device has one of its own, which the hub makes.
    /// `None` leaves it as it is.
    pub device_scope: Option<String>,
    /// The scope of the edge device above, at most one. `None` leaves it as it is.
    pub parent_scopes: Option<Vec<String>>,
}

impl Default for DeviceSettings {
    /// Enabled, with symmetric keys that the hub makes.
    fn default() -> Self {
        Self {
            status: DeviceStatus::Enabled,
            status_reason: None,
            authentication: Authentication::sas(SymmetricKey::default()),
            capabilities: DeviceCapabilities::default(),
            device_scope: None,
            parent_scopes: None,
        }
    }
}

impl DeviceSettings {
    fn check(&self) -> Result<(), HubError> {
        if self.parent_scopes.as_ref().is_some_and(|scopes| scopes.len() > 1) {
            return Err(HubError::ArgumentInvalid("parentScopes has more than one scope".into()));
        }
        match &self.status_reason {
            Some(reason) if reason.chars().count() > 128 => {
                Err(HubError::ArgumentInvalid("statusReason has more than 128 characters".into()))
            }
            _ => Ok(()),
        }
    }
}

impl Hub {
    /// Creates a device identity, enabled and with an empty twin.
    ///
    /// `device_id`: 1 to 128 of letters, digits and `-.+%_#*?!(),:=@$';`.
    pub fn create_device(
        &self,
        device_id: &str,
        authentication: Authentication,
        capabilities: DeviceCapabilities,
    ) -> Result<Device, HubError> {
        self.create_device_with(
            device_id,
            DeviceSettings { authentication, capabilities, ..DeviceSettings::default() },
        )
    }

    /// Creates a device identity with an empty twin. Keys that are absent or empty are made.
    pub fn create_device_with(&self, device_id: &str, settings: DeviceSettings) -> Result<Device, HubError> {
        check_device_id(device_id).map_err(HubError::ArgumentInvalid)?;
        settings.check()?;
        let now = self.0.clock.now();
        let mut registry = self.0.registry.change();
        if registry.get(device_id).is_ok() {
            return Err(HubError::DeviceAlreadyExists(device_id.to_owned()));
        }
        let scopes = registry.scopes(device_id, &settings, now)?;
        let authentication = settings.authentication.complete(None)?;
        registry.create(device_id, authentication, settings.capabilities, TwinRecord::new(None, now))?;
        let entry = registry.entry(device_id)?;
        entry.identity.scopes = scopes;
        entry.identity.status_reason = settings.status_reason;
        if settings.status == DeviceStatus::Disabled {
            entry.identity.status = settings.status;
            entry.identity.status_updated = now;
        }
        let device = entry.device(device_id);
        self.tell_of_life(&mut registry, NoticeKind::Created, device_id);
        self.fit_edge(&mut registry, device_id, None, now);
        Ok(device)
    }

    /// Replaces the settings of a device. Keys that are absent stay, empty ones are made anew. A device that becomes
    /// disabled is disconnected.
    pub fn update_device(
        &self,
        device_id: &str,
        settings: DeviceSettings,
        if_match: &IfMatch,
    ) -> Result<Device, HubError> {
        settings.check()?;
        check_is_device(device_id)?;
        let now = self.0.clock.now();
        let mut registry = self.0.registry.change();
        registry.get(device_id)?;
        let scopes = registry.scopes(device_id, &settings, now);
        let entry = registry.entry(device_id)?;
        if !if_match.admits(Some(&entry.identity.etag)) {
            return Err(HubError::PreconditionFailed(device_id.to_owned()));
        }
        let authentication = settings.authentication.complete(Some(&entry.identity.authentication))?;
        let before = std::mem::replace(&mut entry.identity.scopes, scopes?);
        let is_other = entry.identity.status != settings.status;
        if is_other {
            entry.identity.status_updated = now;
        }
        entry.identity.status = settings.status;
        entry.identity.status_reason = settings.status_reason;
        entry.identity.authentication = authentication;
        entry.identity.capabilities = settings.capabilities;
        entry.identity.etag = device_etag();
        let device = entry.device(device_id);
        if settings.status == DeviceStatus::Disabled {
            if let Some(connection) = &entry.connection {
                connection.close(DisconnectReason::DeviceDisabled);
            }
            Self::disconnect_modules(&registry, device_id);
        }
        registry.touch(device_id);
        self.fit_edge(&mut registry, device_id, before.as_deref(), now);
        if is_other {
            let (hub, device_id) = (self.0.name.clone(), device_id.to_owned());
            let is_enabled = device.status == DeviceStatus::Enabled;
            self.0.events.tell(EventKind::IdentityUpdated { hub, device_id, is_enabled });
        }
        Ok(device)
    }

    /// Sets the status of a device, with the operator's reason.
    pub fn set_status(
        &self,
        device_id: &str,
        status: DeviceStatus,
        reason: Option<String>,
    ) -> Result<Device, HubError> {
        let device = self.device(device_id)?;
        let settings = DeviceSettings {
            status,
            status_reason: reason,
            authentication: device.authentication,
            capabilities: device.capabilities,
            device_scope: None,
            parent_scopes: None,
        };
        self.update_device(device_id, settings, &IfMatch::Any)
    }

    /// Makes one of the keys of a device anew, or both; refused for a device that has none.
    pub fn regenerate_keys(
        &self,
        device_id: &str,
        primary: bool,
        secondary: bool,
    ) -> Result<Device, HubError> {
        check_is_device(device_id)?;
        self.renew_keys(device_id, primary, secondary)?;
        self.device(device_id)
    }

    /// Writes what DPS has decided: the identity is made, or its credentials renewed; `data` says what becomes of the
    /// twin. `before` is how it stood at the hub that it comes from: disabled there, it is disabled here.
    pub(crate) fn provision(
        &self,
        device_id: &str,
        credentials: Credentials,
        capabilities: DeviceCapabilities,
        data: ProvisionedData<'_>,
        before: Option<Standing>,
    ) -> Result<(), HubError> {
        check_device_id(device_id).map_err(HubError::ArgumentInvalid)?;
        data.check()?;
        let Credentials { authentication, policy } = credentials;
        let now = self.0.clock.now();
        let mut registry = self.0.registry.change();
        if let ProvisionedData::Keep(_) = data
            && let Some(entry) = registry.find(device_id)
        {
            if entry.identity.authentication != authentication {
                entry.identity.authentication = authentication;
                entry.identity.etag = device_etag();
            }
            entry.identity.capabilities = capabilities;
            entry.renewal.take_if(|_| policy.is_none());
            entry.identity.policy = policy;
            let before = entry.identity.scopes.clone();
            registry.touch(device_id);
            self.fit_edge(&mut registry, device_id, before.as_deref(), now);
            return Ok(());
        }
        let twin = match data {
            ProvisionedData::Keep(initial) | ProvisionedData::Reset(initial) => TwinRecord::new(initial, now),
            ProvisionedData::Migrate(twin) => *twin,
        };
        self.take_modules(&mut registry, device_id);
        self.tell_of_life(&mut registry, NoticeKind::Deleted, device_id);
        let replaced = registry.remove(device_id).ok().map(leave);
        let standings = [before, replaced.map(|(_, standing)| standing)];
        registry.create(device_id, authentication, capabilities, twin)?;
        registry.entry(device_id)?.identity.policy = policy;
        if let Some(disabled) = standings.into_iter().flatten().find(Standing::is_disabled) {
            let identity = &mut registry.entry(device_id)?.identity;
            identity.status = disabled.status;
            identity.status_reason = disabled.reason;
            identity.status_updated = disabled.updated;
        }
        self.tell_of_life(&mut registry, NoticeKind::Created, device_id);
        self.fit_edge(&mut registry, device_id, None, now);
        Ok(())
    }

    /// Takes a device out, for another hub; `None` if it is not here (any more).
    pub(crate) fn emigrate(&self, device_id: &str) -> Option<(TwinRecord, Standing)> {
        let mut registry = self.0.registry.change();
        self.take_modules(&mut registry, device_id);
        self.tell_of_life(&mut registry, NoticeKind::Deleted, device_id);
        registry.remove(device_id).ok().map(leave)
    }

    /// Tells that an identity is there, or is about to go.
    pub(super) fn tell_of_life(&self, registry: &mut Registry, kind: NoticeKind, device_id: &str) {
        if registry.find(device_id).is_some() {
            let (hub, device_id) = (self.0.name.clone(), device_id.to_owned());
            self.0.events.tell(match kind {
                NoticeKind::Deleted => EventKind::IdentityDeleted { hub, device_id },
                _ => EventKind::IdentityCreated { hub, device_id },
            });
        }
        if !self.is_heard(kind) {
            return;
        }
        if let Some(twin) = registry.find(device_id).map(|entry| entry.twin(device_id)) {
            self.notify(registry, device_id, &Notice::whole(kind, &twin));
        }
    }
}

/// What goes along with a device that leaves its place in a registry.
fn leave(entry: Entry) -> (TwinRecord, Standing) {
    if let Some(connection) = entry.connection {
        connection.close(DisconnectReason::DeviceDeleted);
    }
    let identity = entry.identity;
    let standing = Standing {
        status: identity.status,
        reason: identity.status_reason,
        updated: identity.status_updated,
    };
    (entry.twin, standing)
}

/// Whether a device may connect, in its operator's eyes. It goes along when DPS moves the device or makes its identity
/// anew: who has been shut out is not let in by asking DPS.
pub(crate) struct Standing {
    status: DeviceStatus,
    reason: Option<String>,
    updated: DateTime<Utc>,
}

impl Standing {
    fn is_disabled(&self) -> bool {
        self.status == DeviceStatus::Disabled
    }
}

/// How a device that DPS assigns is known.
pub(crate) struct Credentials {
    pub authentication: Authentication,
    /// The certificate policy by which its certificate was issued.
    pub policy: Option<String>,
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

impl ProvisionedData<'_> {
    /// Whether a hub takes it.
    pub(crate) fn check(&self) -> Result<(), TwinError> {
        match self {
            Self::Keep(Some(initial)) | Self::Reset(Some(initial)) => check_initial(initial),
            Self::Keep(None) | Self::Reset(None) | Self::Migrate(_) => Ok(()),
        }
    }
}
