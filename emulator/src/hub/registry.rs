//! The device identities and twins of one hub, and who of them is connected.
//!
//! Identity and twin are what has to outlive a restart: they are plain records with a serialised form, apart from
//! what belongs to this run (connection, counters, kept sessions). All changes go through the methods here.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{
    HubError,
    broker::KeptSession,
    c2d::{FeedbackQueue, FeedbackRecord, KeptMessage, MessageQueue},
    configurations::Managed,
    connection::{Handle, Push, Subscriptions},
    endpoint::Origin,
    initial_twin::InitialTwin,
    model::{
        Authentication, ConnectionState, Device, DeviceCapabilities, DeviceStatus, Module, Twin,
        TwinProperties,
    },
    module_id::{beginning, is_module, split_address},
    query::Sections,
    renewal::Renewal,
    scopes::Scopes,
    section::Section,
    telemetry::Tally,
    twin_rules::without_system,
};
use crate::{
    id::{device_etag, guid, twin_etag},
    packed::PackedObject,
};

/// Modules that a device may have, as at Azure.
pub(super) const MOST_MODULES: usize = 50;

/// "Never", in Azure's way.
pub(super) const NEVER: DateTime<Utc> = match DateTime::from_timestamp(-62_135_596_800, 0) {
    Some(never) => never,
    None => DateTime::UNIX_EPOCH,
};

/// The durable part of an identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct IdentityRecord {
    pub generation_id: String,
    pub etag: String,
    pub status: DeviceStatus,
    pub status_reason: Option<String>,
    pub status_updated: DateTime<Utc>,
    pub authentication: Authentication,
    pub capabilities: DeviceCapabilities,
    /// The certificate policy by which the device's certificate is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Its place among edge devices, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Box<Scopes>>,
    /// Of a module: who looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Box<str>>,
}

/// The durable part of a twin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TwinRecord {
    pub(super) tags: PackedObject,
    pub(super) desired: Section,
    pub(super) reported: Section,
    pub(super) model_id: String,
    /// Counts all changes.
    pub(super) version: u64,
    /// Counts those the service made; the entity tag.
    pub(super) service_changes: u64,
}

impl TwinRecord {
    pub(super) fn new(initial: Option<&InitialTwin>, now: DateTime<Utc>) -> Self {
        let mut twin = Self {
            tags: PackedObject::default(),
            desired: Section::desired(now),
            reported: Section::reported(now),
            model_id: String::new(),
            version: 1,
            service_changes: 1,
        };
        if let Some(initial) = initial {
            twin.tags = without_system(initial.tags.clone()).into();
            twin.desired.initialize(&without_system(initial.properties.desired.clone()), now);
        }
        twin
    }

    pub(super) fn etag(&self) -> String {
        twin_etag(self.service_changes)
    }
}

/// What of a device, or of a module, has to outlive a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptDevice {
    /// Or the address of the module.
    device_id: String,
    identity: IdentityRecord,
    twin: TwinRecord,
    last_activity: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silent_since: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    messages: Vec<KeptMessage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewal: Option<Renewal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    managed: Option<Box<Managed>>,
}

/// One device, or one module.
#[derive(Debug)]
pub(super) struct Entry {
    pub identity: IdentityRecord,
    pub twin: TwinRecord,
    pub connection: Option<Handle>,
    pub connection_updated: DateTime<Utc>,
    pub last_activity: DateTime<Utc>,
    /// When it was last heard, if it is told to be silent since.
    pub silent_since: Option<DateTime<Utc>>,
    pub tally: Tally,
    pub queue: MessageQueue,
    /// Subscriptions of a client that connects with clean session 0; for its next connection.
    pub kept_session: Option<Subscriptions>,
    /// The newest request for a certificate.
    pub renewal: Option<Renewal>,
    /// The same of one of MQTT 5, whose session outlives its connection.
    pub kept_five: Option<KeptSession>,
    /// What configurations have done to the twin; most have none.
    pub managed: Option<Box<Managed>>,
    origin: Option<Arc<Origin>>,
}

/// Entries by their names, in boxes: the tree keeps room for more in all of its nodes.
type Row = BTreeMap<String, Box<Entry>>;

/// The devices of one hub by ID, and their modules by address. Who asks for one may name either; who asks for all gets the
/// devices.
#[derive(Debug, Default)]
pub(super) struct Registry {
    devices: Row,
    modules: Row,
    connections: u64,
    connection_changes: u64,
    messages: u64,
    /// What became of messages to devices.
    pub feedback: FeedbackQueue,
    /// Devices whose twins configurations have to look at again; nobody asks while there are none.
    pub stale: Option<Stale>,
}

/// Devices by ID, and how often configurations themselves have made each of them stale since somebody else has.
pub(super) type Stale = BTreeMap<String, u8>;

impl Registry {
    pub(super) fn restore(
        devices: Vec<KeptDevice>,
        modules: Vec<KeptDevice>,
        feedback: Vec<FeedbackRecord>,
    ) -> Self {
        let restore = |kept: KeptDevice| {
            let mut entry = Entry::new(kept.identity, kept.twin, kept.last_activity);
            entry.queue = MessageQueue::restore(kept.messages);
            entry.silent_since = kept.silent_since;
            entry.renewal = kept.renewal;
            entry.managed = kept.managed;
            (kept.device_id, Box::new(entry))
        };
        Self {
            devices: devices.into_iter().map(restore).collect(),
            modules: modules.into_iter().map(restore).collect(),
            feedback: FeedbackQueue::restore(feedback),
            ..Self::default()
        }
    }

    /// Devices, and modules.
    pub(super) fn keep(&self) -> (Vec<KeptDevice>, Vec<KeptDevice>) {
        let keep = |(device_id, entry): (&String, &Entry)| KeptDevice {
            device_id: device_id.clone(),
            identity: entry.identity.clone(),
            twin: entry.twin.clone(),
            last_activity: entry.last_activity,
            silent_since: entry.silent_since,
            messages: entry.queue.keep(),
            renewal: entry.renewal.clone(),
            managed: entry.managed.clone(),
        };
        (self.iter().map(keep).collect(), self.modules().map(keep).collect())
    }

    pub(super) fn create(
        &mut self,
        device_id: &str,
        authentication: Authentication,
        capabilities: DeviceCapabilities,
        twin: TwinRecord,
    ) -> Result<(), HubError> {
        if self.row(device_id).contains_key(device_id) {
            return Err(already_there(device_id));
        }
        if let (above, Some(_)) = split_address(device_id) {
            self.get(above)?;
            if self.modules_of(above).count() >= MOST_MODULES {
                return Err(HubError::TooManyModules { device_id: above.to_owned(), limit: MOST_MODULES });
            }
        }
        let identity = IdentityRecord {
            generation_id: guid(),
            etag: device_etag(),
            status: DeviceStatus::Enabled,
            status_reason: None,
            status_updated: NEVER,
            authentication,
            capabilities,
            policy: None,
            scopes: None,
            managed_by: None,
        };
        let entry = Box::new(Entry::new(identity, twin, NEVER));
        self.row_mut(device_id).insert(device_id.to_owned(), entry);
        self.touch(device_id);
        Ok(())
    }

    /// Notes that a twin, or the identity shown with it, has changed: who looks at such things will.
    pub(super) fn touch(&mut self, device_id: &str) {
        if let Some(stale) = &mut self.stale {
            stale.insert(device_id.to_owned(), 0);
        }
    }

    /// The same of all devices and modules; `watched` says whether further changes are to be noted.
    pub(super) fn touch_all(&mut self, watched: bool) {
        let all =
            self.devices.iter().chain(&self.modules).filter(|(_, entry)| watched || entry.managed.is_some());
        let all: Stale = all.map(|(device_id, _)| (device_id.clone(), 0)).collect();
        self.stale = (watched || !all.is_empty()).then_some(all);
    }

    /// Takes out a device or a module. Of a device the modules are to be taken out before.
    pub(super) fn remove(&mut self, device_id: &str) -> Result<Entry, HubError> {
        match self.row_mut(device_id).remove(device_id) {
            Some(entry) => Ok(*entry),
            None => Err(self.not_found(device_id)),
        }
    }

    pub(super) fn entry(&mut self, device_id: &str) -> Result<&mut Entry, HubError> {
        if self.get(device_id).is_err() {
            return Err(self.not_found(device_id));
        }
        self.find(device_id).ok_or_else(|| HubError::DeviceNotFound(device_id.to_owned()))
    }

    pub(super) fn get(&self, device_id: &str) -> Result<&Entry, HubError> {
        self.row(device_id).get(device_id).map(|entry| &**entry).ok_or_else(|| self.not_found(device_id))
    }

    pub(super) fn find(&mut self, device_id: &str) -> Option<&mut Entry> {
        self.row_mut(device_id).get_mut(device_id).map(|entry| &mut **entry)
    }

    fn row(&self, device_id: &str) -> &Row {
        if is_module(device_id) { &self.modules } else { &self.devices }
    }

    fn row_mut(&mut self, device_id: &str) -> &mut Row {
        if is_module(device_id) { &mut self.modules } else { &mut self.devices }
    }

    fn not_found(&self, address: &str) -> HubError {
        match split_address(address) {
            (device_id, Some(module_id)) if self.devices.contains_key(device_id) => {
                HubError::ModuleNotFound { device_id: device_id.to_owned(), module_id: module_id.to_owned() }
            }
            (device_id, _) => HubError::DeviceNotFound(device_id.to_owned()),
        }
    }

    /// The modules of a device, by address.
    pub(super) fn modules_of(&self, device_id: &str) -> impl Iterator<Item = (&String, &Entry)> {
        // Most hubs have none.
        let beginning = (!self.modules.is_empty()).then(|| beginning(device_id));
        let range = beginning.clone().map(|beginning| self.modules.range(beginning..));
        let is_own = move |address: &String| beginning.as_ref().is_some_and(|own| address.starts_with(own));
        let own = range.into_iter().flatten().take_while(move |(address, _)| is_own(address));
        own.map(|(address, entry)| (address, &**entry))
    }

    /// All modules, by address.
    pub(super) fn modules(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.modules.iter().map(|(address, entry)| (address, &**entry))
    }

    /// A device as the business of one connection: after a takeover, or a deletion, it is not that any more.
    pub(super) fn connected(&mut self, device_id: &str, connection_id: u64) -> Option<&mut Entry> {
        self.find(device_id).filter(|entry| {
            entry.connection.as_ref().is_some_and(|connection| connection.id == connection_id)
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.devices.iter().map(|(device_id, entry)| (device_id, &**entry))
    }

    /// Those whose IDs lie between these two, both included.
    pub(super) fn between(&self, from: &str, to: &str) -> impl Iterator<Item = (&String, &Entry)> {
        // A range that ends before it begins is no range to the map.
        let last = if from <= to { Bound::Included(to) } else { Bound::Excluded(from) };
        let found = self.devices.range::<str, _>((Bound::Included(from), last));
        found.map(|(device_id, entry)| (device_id, &**entry))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Entry)> {
        self.devices.iter_mut().map(|(device_id, entry)| (device_id, &mut **entry))
    }

    /// Files what became of messages to this device, and when its queue is to be looked at again. To be called after every
    /// change of a queue.
    pub(super) fn settle_messages(&mut self, device_id: &str, now: DateTime<Utc>) {
        let row = if is_module(device_id) { &mut self.modules } else { &mut self.devices };
        if let Some(entry) = row.get_mut(device_id) {
            entry.settle_messages(device_id, &mut self.feedback, now);
        }
    }

    /// Ends the locks and the messages whose time is over, and tells the devices that are to have a message again.
    /// Looks at the devices only when something is due; tells whether it was.
    pub(super) fn pass_message_time(&mut self, now: DateTime<Utc>) -> bool {
        if self.feedback.look_again.is_none_or(|due| due > now) {
            return false;
        }
        self.feedback.look_again = None;
        for (device_id, entry) in self.devices.iter_mut().filter(|(_, entry)| entry.queue.len() > 0) {
            let is_due = entry.queue.due().is_some_and(|due| due <= now);
            entry.queue.pass_time(now);
            entry.settle_messages(device_id, &mut self.feedback, now);
            if is_due
                && entry.queue.has_free()
                && let Some(connection) = &entry.connection
            {
                connection.give(Push::Messages);
            }
        }
        true
    }

    pub(super) fn next_connection_id(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    pub(super) fn next_connection_change(&mut self) -> u64 {
        self.connection_changes += 1;
        self.connection_changes
    }

    pub(super) fn next_sequence_number(&mut self) -> u64 {
        self.messages += 1;
        self.messages
    }
}

impl Entry {
    fn new(identity: IdentityRecord, twin: TwinRecord, last_activity: DateTime<Utc>) -> Self {
        Self {
            identity,
            twin,
            connection: None,
            connection_updated: NEVER,
            last_activity,
            silent_since: None,
            tally: Tally::default(),
            queue: MessageQueue::default(),
            kept_session: None,
            renewal: None,
            kept_five: None,
            managed: None,
            origin: None,
        }
    }

    /// The device as its messages name it; made anew when that has changed.
    pub(super) fn origin(&mut self, is_module: bool) -> Arc<Origin> {
        let (kind, model_id) = (self.identity.authentication.kind, &self.twin.model_id);
        let is_current = |origin: &&Arc<Origin>| origin.kind == kind && origin.model_id == *model_id;
        if let Some(origin) = self.origin.as_ref().filter(is_current) {
            return Arc::clone(origin);
        }
        let generation_id = self.identity.generation_id.clone();
        let origin = Arc::new(Origin { generation_id, kind, is_module, model_id: model_id.clone() });
        self.origin = Some(Arc::clone(&origin));
        origin
    }

    fn settle_messages(&mut self, device_id: &str, feedback: &mut FeedbackQueue, now: DateTime<Utc>) {
        feedback.look_again = feedback.look_again.into_iter().chain(self.queue.due()).min();
        for settled in self.queue.take_settled() {
            let generation_id = self.identity.generation_id.clone();
            feedback.put(FeedbackRecord::new(settled, generation_id, device_id.to_owned(), now));
        }
    }

    /// The identity as the service shows it.
    pub(super) fn device(&self, device_id: &str) -> Device {
        let identity = self.identity.clone();
        let scopes = identity.scopes.map(|scopes| *scopes).unwrap_or_default();
        Device {
            device_id: device_id.to_owned(),
            generation_id: identity.generation_id,
            etag: identity.etag,
            connection_state: self.connection_state(),
            status: identity.status,
            status_reason: identity.status_reason,
            connection_state_updated_time: self.connection_updated,
            status_updated_time: identity.status_updated,
            last_activity_time: self.last_activity,
            cloud_to_device_message_count: self.queue.len(),
            authentication: identity.authentication,
            capabilities: identity.capabilities,
            device_scope: scopes.device_scope,
            parent_scopes: scopes.parent_scopes,
        }
    }

    /// The identity of a module as the service shows it.
    pub(super) fn module(&self, address: &str) -> Module {
        let identity = self.identity.clone();
        let (device_id, module_id) = split_address(address);
        Module {
            module_id: module_id.unwrap_or_default().to_owned(),
            managed_by: identity.managed_by.map(String::from),
            device_id: device_id.to_owned(),
            generation_id: identity.generation_id,
            etag: identity.etag,
            connection_state: self.connection_state(),
            connection_state_updated_time: self.connection_updated,
            last_activity_time: self.last_activity,
            cloud_to_device_message_count: self.queue.len(),
            authentication: identity.authentication,
        }
    }

    /// The twin of a device or a module as the service shows it.
    pub(super) fn twin(&self, address: &str) -> Twin {
        self.twin_in_part(address, Sections::WHOLE)
    }

    /// The same with these sections alone; the others are empty.
    pub(super) fn twin_in_part(&self, address: &str, sections: Sections) -> Twin {
        let identity = &self.identity;
        let scopes = identity.scopes.as_deref().cloned().unwrap_or_default();
        let (device_id, module_id) = split_address(address);
        Twin {
            device_id: device_id.to_owned(),
            module_id: module_id.map(str::to_owned),
            etag: self.twin.etag(),
            device_etag: identity.etag.clone(),
            status: identity.status,
            status_reason: identity.status_reason.clone(),
            status_update_time: identity.status_updated,
            connection_state: self.connection_state(),
            last_activity_time: self.last_activity,
            cloud_to_device_message_count: self.queue.len(),
            authentication_type: identity.authentication.kind,
            x509_thumbprint: identity.authentication.x509_thumbprint.clone(),
            model_id: self.twin.model_id.clone(),
            version: self.twin.version,
            tags: if sections.tags { self.twin.tags.get() } else { Map::new() },
            properties: TwinProperties {
                desired: self.twin.desired.shown(sections.desired),
                reported: self.twin.reported.shown(sections.reported),
            },
            capabilities: identity.capabilities,
            configurations: self.managed.as_ref().map(|managed| managed.shown()).unwrap_or_default(),
            device_scope: scopes.device_scope,
            parent_scopes: scopes.parent_scopes,
        }
    }

    fn connection_state(&self) -> ConnectionState {
        if self.connection.is_some() { ConnectionState::Connected } else { ConnectionState::Disconnected }
    }
}

fn already_there(address: &str) -> HubError {
    match split_address(address) {
        (device_id, Some(module_id)) => {
            HubError::ModuleAlreadyExists { device_id: device_id.to_owned(), module_id: module_id.to_owned() }
        }
        (device_id, None) => HubError::DeviceAlreadyExists(device_id.to_owned()),
    }
}
