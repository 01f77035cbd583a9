//! Module identities: making, changing, deleting. Their twins, methods and messages are those of devices: whatever asks for a
//! device ID there takes the address of a module (`module_address`).

use super::{
    Authentication, AuthenticationType, DeviceCapabilities, Hub, HubError, Module, TwinRecord,
    module_id::{check_is_device, check_module_id, module_address},
    notice::NoticeKind,
    registry::{Entry, Registry},
};
use crate::{etag::IfMatch, events::DisconnectReason, id::device_etag, security::keys::SymmetricKey};

/// The longest name of who manages a module.
const LONGEST_MANAGER: usize = 128;

/// The part of a module identity that its maker sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleSettings {
    /// How it proves who it is.
    pub authentication: Authentication,
    /// Who looks after it; `None` leaves that as it is.
    pub managed_by: Option<String>,
}

impl Default for ModuleSettings {
    /// With symmetric keys that the hub makes.
    fn default() -> Self {
        Self { authentication: Authentication::sas(SymmetricKey::default()), managed_by: None }
    }
}

impl ModuleSettings {
    fn check(&self) -> Result<(), HubError> {
        match &self.managed_by {
            Some(manager) if manager.chars().count() > LONGEST_MANAGER => Err(HubError::ArgumentInvalid(
                format!("managedBy has more than {LONGEST_MANAGER} characters"),
            )),
            _ => Ok(()),
        }
    }
}

impl Hub {
    /// Creates a module of a device, with an empty twin. Keys that are absent or empty are made. A device has at most fifty.
    pub fn create_module(
        &self,
        device_id: &str,
        module_id: &str,
        settings: ModuleSettings,
    ) -> Result<Module, HubError> {
        check_module_id(module_id).map_err(HubError::ArgumentInvalid)?;
        settings.check()?;
        let now = self.0.clock.now();
        let address = module_address(device_id, module_id);
        let mut registry = self.0.registry.change();
        let authentication = settings.authentication.complete(None)?;
        registry.create(
            &address,
            authentication,
            DeviceCapabilities::default(),
            TwinRecord::new(None, now),
        )?;
        let entry = registry.entry(&address)?;
        entry.identity.managed_by = settings.managed_by.map(Into::into);
        let module = entry.module(&address);
        self.tell_of_life(&mut registry, NoticeKind::Created, &address);
        Ok(module)
    }

    /// Replaces the settings of a module. Keys that are absent stay, empty ones are made anew.
    pub fn update_module(
        &self,
        device_id: &str,
        module_id: &str,
        settings: ModuleSettings,
        if_match: &IfMatch,
    ) -> Result<Module, HubError> {
        settings.check()?;
        let address = module_address(device_id, module_id);
        let mut registry = self.0.registry.change();
        let entry = registry.entry(&address)?;
        check_etag(&address, entry, if_match)?;
        let authentication = settings.authentication.complete(Some(&entry.identity.authentication))?;
        entry.identity.authentication = authentication;
        if let Some(manager) = settings.managed_by {
            entry.identity.managed_by = Some(manager).filter(|manager| !manager.is_empty()).map(Into::into);
        }
        entry.identity.etag = device_etag();
        Ok(entry.module(&address))
    }

    /// One module of a device.
    pub fn module(&self, device_id: &str, module_id: &str) -> Result<Module, HubError> {
        let address = module_address(device_id, module_id);
        self.0.registry.lock().get(&address).map(|entry| entry.module(&address))
    }

    /// The modules of a device in the order of their IDs.
    pub fn modules(&self, device_id: &str) -> Result<Vec<Module>, HubError> {
        check_is_device(device_id)?;
        let registry = self.0.registry.lock();
        registry.get(device_id)?;
        Ok(registry.modules_of(device_id).map(|(address, entry)| entry.module(address)).collect())
    }

    /// Deletes a module with its twin, if its entity tag is the one given; if connected, it is disconnected.
    pub fn delete_module(
        &self,
        device_id: &str,
        module_id: &str,
        if_match: &IfMatch,
    ) -> Result<(), HubError> {
        let mut registry = self.0.registry.change();
        self.take_module(&mut registry, &module_address(device_id, module_id), if_match)
    }

    /// Takes a module out.
    pub(super) fn take_module(
        &self,
        registry: &mut Registry,
        address: &str,
        if_match: &IfMatch,
    ) -> Result<(), HubError> {
        check_etag(address, registry.get(address)?, if_match)?;
        self.tell_of_life(registry, NoticeKind::Deleted, address);
        if let Some(connection) = registry.remove(address)?.connection {
            connection.close(DisconnectReason::DeviceDeleted);
        }
        Ok(())
    }

    /// Takes out what goes with a device: its modules, and the ties of those below it.
    pub(super) fn take_modules(&self, registry: &mut Registry, device_id: &str) {
        let scopes = registry.find(device_id).and_then(|entry| entry.identity.scopes.clone());
        if let Some(scopes) = scopes {
            registry.let_go(device_id, &scopes);
        }
        let addresses: Vec<_> = registry.modules_of(device_id).map(|(address, _)| address.clone()).collect();
        for address in addresses {
            // It was there a moment ago, under the same lock.
            let _ = self.take_module(registry, &address, &IfMatch::Any);
        }
    }

    /// The modules of a device that has been shut out are disconnected.
    pub(super) fn disconnect_modules(registry: &Registry, device_id: &str) {
        for (_, entry) in registry.modules_of(device_id) {
            if let Some(connection) = &entry.connection {
                connection.close(DisconnectReason::DeviceDisabled);
            }
        }
    }

    /// Makes one of the keys of a device or a module anew, or both; refused for one that has none.
    pub(crate) fn renew_keys(
        &self,
        address: &str,
        primary: bool,
        secondary: bool,
    ) -> Result<SymmetricKey, HubError> {
        let mut registry = self.0.registry.change();
        let entry = registry.entry(address)?;
        let stored = entry.identity.authentication.clone();
        if stored.kind != AuthenticationType::Sas {
            return Err(HubError::ArgumentInvalid(format!("\"{address}\" has no symmetric keys")));
        }
        let renew = |wanted: bool| wanted.then(String::new);
        let asked = Authentication::sas(SymmetricKey {
            primary_key: renew(primary),
            secondary_key: renew(secondary),
        });
        entry.identity.authentication = asked.complete(Some(&stored))?;
        entry.identity.etag = device_etag();
        Ok(entry.identity.authentication.symmetric_key.clone())
    }
}

fn check_etag(address: &str, entry: &Entry, if_match: &IfMatch) -> Result<(), HubError> {
    if if_match.admits(Some(&entry.identity.etag)) {
        Ok(())
    } else {
        Err(HubError::PreconditionFailed(address.to_owned()))
    }
}
