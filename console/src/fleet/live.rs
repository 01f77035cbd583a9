//! All containers as they are, and what has changed since a version.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};

use super::device::Device;
use super::entry::Entry;
use super::events;
use super::members::{self, Members};
use crate::model::{CloudEvent, Delta, Fault, Fence, Identity, Row, StoryEntry};
use crate::telemetry::{Alarm, Notice, Reading};

/// So many removals and entries are remembered for those who look again.
pub(super) const REMEMBERED: usize = 2000;

/// Beyond so many devices a name that only tries to register is not taken for one.
pub(super) const MOST_STRANGERS: usize = 20_000;

/// All containers.
pub(crate) struct Fleet {
    version: u64,
    devices: BTreeMap<String, Entry>,
    faults: Vec<Fault>,
    gone: Remembered<String>,
    entries: Remembered<StoryEntry>,
}

/// The newest of something, each with the version that it came with.
struct Remembered<T> {
    items: VecDeque<(u64, T)>,
    /// What came with this version, or before, may be forgotten.
    floor: u64,
}

/// What a reading was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Taken {
    /// It came before.
    Again,
    /// It is new.
    New,
    /// It is new, and tells that the door has moved.
    Door(Box<StoryEntry>),
}

impl<T: Clone> Remembered<T> {
    fn push(&mut self, version: u64, item: T) {
        self.items.push_back((version, item));
        if self.items.len() > REMEMBERED
            && let Some((version, _)) = self.items.pop_front()
        {
            self.floor = version;
        }
    }

    fn since(&self, version: u64) -> impl Iterator<Item = &T> {
        self.items.iter().filter(move |(at, _)| *at > version).map(|(_, item)| item)
    }
}

impl Fleet {
    /// Nobody yet. Versions count up from this one, which should be another one at each start: a page that was open before is
    /// told then that it has missed something.
    pub(crate) fn new(version: u64) -> Self {
        let (gone, entries) = (
            Remembered { items: VecDeque::new(), floor: version },
            Remembered { items: VecDeque::new(), floor: version },
        );
        Self { version, devices: BTreeMap::new(), faults: Vec::new(), gone, entries }
    }

    /// A device as it was when the console was last here.
    pub(crate) fn restore(&mut self, id: String, device: Device) {
        let entry = self.devices.entry(id).or_default();
        entry.device = device;
        entry.is_known = true;
        entry.is_dirty = true;
    }

    /// A message of the device, with the container's number where its properties say it.
    pub(crate) fn heard(&mut self, id: &str, hub: &str, container: Option<&str>, time: DateTime<Utc>) {
        self.device(id).heard(hub, container, time.timestamp_millis());
    }

    /// Takes a reading.
    pub(crate) fn reading(&mut self, id: &str, reading: &Reading, enqueued: DateTime<Utc>) -> Taken {
        if !self.entry(id).recent.is_new(&reading.key()) {
            return Taken::Again;
        }
        match self.device(id).reading(reading, enqueued.timestamp_millis()) {
            Some(is_open) => Taken::Door(Box::new(self.tell(events::door(id, reading, is_open)))),
            None => Taken::New,
        }
    }

    /// Takes what a device has told by a message of its own; gives the entry for the story. `None` of one that came before.
    pub(crate) fn notice(&mut self, id: &str, notice: &Notice) -> Option<StoryEntry> {
        let entry = events::of_notice(id, notice);
        if !self.entry(id).recent.is_new(&(entry.time.timestamp_millis(), &entry.text, &entry.state)) {
            return None;
        }
        if let Notice::Alarm(alarm) = notice {
            self.device(id).alarms.take(alarm);
        }
        // That one has fallen silent is told in the cloud's own words.
        let is_silence = matches!(notice, Notice::Alarm(alarm) if alarm.name == Alarm::SILENT);
        (!is_silence).then(|| self.tell(entry))
    }

    /// Takes what happened in the cloud; gives the entry for the story, if it is worth one.
    pub(crate) fn cloud_event(&mut self, event: &CloudEvent) -> Option<StoryEntry> {
        // Whoever likes can try to register under whatever name.
        let may_be = self.devices.len() < MOST_STRANGERS || self.devices.contains_key(&event.device);
        if may_be && !event.device.is_empty() && events::concerns_device(&event.kind) {
            self.device(&event.device).cloud_event(event);
        }
        events::of_cloud(event).map(|entry| self.tell(entry))
    }

    /// All identities that there are. Devices that were among them and are not any more are gone; one that is refused stays to
    /// be seen.
    pub(crate) fn identities(&mut self, identities: &[Identity]) {
        for entry in self.devices.values_mut() {
            entry.is_listed = false;
        }
        for identity in identities {
            let entry = self.entry(&identity.id);
            // A device that is at two hubs while it moves is at the one where it is connected.
            if entry.is_listed && identity.connection != crate::model::Connection::Connected {
                continue;
            }
            entry.is_listed = true;
            entry.is_known = true;
            entry.device.identity(identity);
            if let Some(twin) = &identity.twin {
                entry.device.twin(twin);
            }
        }
        let is_gone = |entry: &Entry| entry.is_known && !entry.is_listed && entry.device.refusal.is_none();
        let gone: Vec<String> =
            self.devices.iter().filter(|(_, entry)| is_gone(entry)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.devices.remove(&id);
            self.version += 1;
            self.gone.push(self.version, id);
        }
        for entry in self.devices.values_mut() {
            entry.is_dirty = true;
        }
    }

    /// The twin of a device, as Azure has it.
    pub(crate) fn twin(&mut self, id: &str, twin: &serde_json::Value) {
        if self.devices.contains_key(id) {
            self.device(id).twin(twin);
        }
    }

    /// What waits in journals that somebody can look into.
    pub(crate) fn backlogs(&mut self, backlogs: &[(String, u64)]) {
        for (id, backlog) in backlogs {
            if self.devices.contains_key(id) {
                self.device(id).counted(*backlog);
            }
        }
    }

    /// The faults in force.
    pub(crate) fn faults(&mut self, faults: Vec<Fault>) {
        self.faults = faults;
        for entry in self.devices.values_mut() {
            entry.is_dirty = true;
        }
    }

    /// Somebody has taken note of an alarm.
    pub(crate) fn acknowledged(&mut self, id: &str, alarm: &str, by: &str) {
        if self.devices.contains_key(id) {
            self.device(id).alarms.acknowledge(alarm, Some(by));
        }
    }

    /// Puts an entry where those who look again find it; gives it back.
    pub(crate) fn tell(&mut self, entry: StoryEntry) -> StoryEntry {
        self.version += 1;
        self.entries.push(self.version, entry.clone());
        entry
    }

    /// The version after all changes so far. It is the same as long as nothing that is seen has changed.
    pub(crate) fn version(&mut self, now: DateTime<Utc>) -> u64 {
        let next = self.version + 1;
        let mut has_changed = false;
        for (id, entry) in &mut self.devices {
            if std::mem::take(&mut entry.is_dirty) {
                let is_struck = self.faults.iter().any(|fault| fault.devices.strike(id));
                has_changed |= entry.show(entry.device.row(id, is_struck, now), next);
            }
        }
        if has_changed {
            self.version = next;
        }
        self.version
    }

    /// All rows in the order of their IDs, and their version.
    pub(crate) fn rows(&mut self, now: DateTime<Utc>) -> (u64, Vec<Row>) {
        let version = self.version(now);
        (version, self.devices.values().filter_map(|entry| entry.shown.clone()).collect())
    }

    /// The row of one.
    pub(crate) fn row(&mut self, id: &str, now: DateTime<Utc>) -> Option<Row> {
        self.version(now);
        self.devices.get(id)?.shown.clone()
    }

    /// What has changed since a version; `None` where that is too long ago, or of another life.
    pub(crate) fn delta(&mut self, since: u64, now: DateTime<Utc>) -> Option<(u64, Delta)> {
        let version = self.version(now);
        if since < self.gone.floor.max(self.entries.floor) || since > version {
            return None;
        }
        let changed = |(id, entry): (&String, &Entry)| {
            let members: Members = entry.changed_since(since);
            let row = entry.shown.as_ref().filter(|_| members != 0)?;
            Some(members::of(row, id, members))
        };
        let devices = self.devices.iter().filter_map(changed).collect();
        let mut gone: Vec<String> =
            self.gone.since(since).filter(|id| !self.devices.contains_key(*id)).cloned().collect();
        gone.sort();
        gone.dedup();
        let entries = self.entries.since(since).cloned().collect();
        Some((version, Delta { time: now, devices, gone, entries }))
    }

    /// The fences that devices know, each once.
    pub(crate) fn fences(&self) -> Vec<Fence> {
        let mut fences: Vec<Fence> = Vec::new();
        for (id, entry) in &self.devices {
            for fence in &entry.device.fences {
                let known = fences.iter_mut().find(|known| {
                    known.name == fence.name
                        && known.geometry == fence.geometry
                        && known.radius == fence.radius
                });
                match known {
                    Some(known) => known.device = None,
                    None => fences.push(Fence { device: Some(id.clone()), ..fence.clone() }),
                }
            }
        }
        fences
    }

    /// Devices that have changed since this was last asked, to be kept.
    pub(crate) fn unsaved(&mut self) -> Vec<(String, String)> {
        let save = |(id, entry): (&String, &mut Entry)| {
            let is_unsaved = std::mem::take(&mut entry.is_unsaved);
            let state = is_unsaved.then(|| serde_json::to_string(&entry.device).ok()).flatten()?;
            Some((id.clone(), state))
        };
        self.devices.iter_mut().filter_map(save).collect()
    }

    fn entry(&mut self, id: &str) -> &mut Entry {
        let entry = self.devices.entry(id.to_owned()).or_default();
        entry.is_dirty = true;
        entry.is_unsaved = true;
        entry
    }

    fn device(&mut self, id: &str) -> &mut Device {
        &mut self.entry(id).device
    }
}
