//! Trouble on purpose as the console has it, made of the emulator's faults: one for each device and service.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracker_console::backend::BackendError;
use tracker_console::model::{Fault, FaultKind, FaultWish, Targets};
use tracker_emulator::{Fault as Part, FaultKind as PartKind, Faults, FaultyService};

use tokio::task::spawn_blocking;

use crate::platform::clock::system_time;

/// The return code of CONNACK for a server that is not available.
const UNAVAILABLE: u8 = 3;
/// And for a client that is not authorised.
const IDENTITY: u8 = 5;

/// The faults of an emulator, wherever it is. Calls may wait for an answer.
pub(crate) trait Emulated: Send + Sync {
    /// Puts one in force; gives its number.
    fn inject(&self, part: Part) -> Result<u64, BackendError>;
    /// Ends one; whether it was in force.
    fn clear(&self, number: u64) -> Result<bool, BackendError>;
    /// Those in force.
    fn list(&self) -> Result<Vec<(u64, Part)>, BackendError>;
}

impl Emulated for Faults {
    fn inject(&self, part: Part) -> Result<u64, BackendError> {
        Ok(Faults::inject(self, part).number())
    }

    fn clear(&self, number: u64) -> Result<bool, BackendError> {
        let known = Faults::list(self).into_iter().find(|(id, _)| id.number() == number);
        Ok(known.is_some_and(|(id, _)| Faults::clear(self, id)))
    }

    fn list(&self) -> Result<Vec<(u64, Part)>, BackendError> {
        Ok(Faults::list(self).into_iter().map(|(id, part)| (id.number(), part)).collect())
    }
}

/// The faults that were asked for here. Clones share it.
#[derive(Clone)]
pub(crate) struct FaultBook {
    emulator: Arc<dyn Emulated>,
    entries: Arc<Mutex<Vec<Entry>>>,
}

/// One, and what it is made of.
struct Entry {
    fault: Fault,
    parts: Vec<u64>,
}

impl FaultBook {
    pub(crate) fn new(emulator: Arc<dyn Emulated>) -> Self {
        Self { emulator, entries: Arc::default() }
    }

    /// Puts a fault in force, until its time is over.
    pub(crate) fn inject(&self, wish: &FaultWish) -> Result<u64, BackendError> {
        let mut numbers = Vec::new();
        for part in parts(wish) {
            match self.emulator.inject(part) {
                Ok(number) => numbers.push(number),
                Err(error) => {
                    // Half a fault is none: what there is of it goes, if anybody still listens.
                    for number in numbers {
                        let _ = self.emulator.clear(number);
                    }
                    return Err(error);
                }
            }
        }
        // Numbers of the emulator's: they are no one else's.
        let id = numbers.first().copied().unwrap_or_default();
        let until = wish.seconds.and_then(|seconds| end(seconds, system_time()));
        let (text, devices) = (text(wish), wish.devices.clone());
        let fault = Fault { id, kind: Some(wish.kind), text, devices, until };
        self.entries().push(Entry { fault, parts: numbers });
        Ok(id)
    }

    /// Lets a hub refuse a device once, so that it asks the provisioning service anew.
    pub(crate) fn refuse_once(&self, hub: &str, device: &str) -> Result<(), BackendError> {
        let part = Part {
            service: FaultyService::Hub(hub.into()),
            device: Some(device.into()),
            kind: PartKind::RefuseConnect { code: IDENTITY },
            times: Some(1),
        };
        self.emulator.inject(part).map(drop)
    }

    /// Ends a fault when its time is over.
    pub(crate) fn end_after(&self, id: u64, seconds: u64) {
        let book = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            // An emulator that can't be reached has forgotten it, most likely.
            let _ = spawn_blocking(move || book.clear(id)).await;
        });
    }

    /// Ends one; whether it was there.
    pub(crate) fn clear(&self, id: u64) -> Result<bool, BackendError> {
        let mut entries = self.entries();
        let Some(index) = entries.iter().position(|entry| entry.fault.id == id) else {
            drop(entries);
            return self.emulator.clear(id);
        };
        let parts = entries.swap_remove(index).parts;
        drop(entries);
        for part in parts {
            self.emulator.clear(part)?;
        }
        Ok(true)
    }

    /// Those in force, with those that were asked for elsewhere.
    pub(crate) fn list(&self) -> Result<Vec<Fault>, BackendError> {
        let inside = self.emulator.list()?;
        let mut entries = self.entries();
        // Somebody may have ended all of them over there.
        entries.retain(|entry| entry.parts.iter().any(|part| inside.iter().any(|(known, _)| known == part)));
        let mut faults: Vec<Fault> = entries.iter().map(|entry| entry.fault.clone()).collect();
        let strangers = inside.iter().filter(|(id, _)| !entries.iter().any(|entry| entry.parts.contains(id)));
        faults.extend(strangers.map(|(id, part)| stranger(*id, part)));
        faults.sort_by_key(|fault| fault.id);
        Ok(faults)
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(seconds: u64, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    now.checked_add_signed(TimeDelta::try_seconds(i64::try_from(seconds).ok()?)?)
}

/// What the emulator is told.
fn parts(wish: &FaultWish) -> Vec<Part> {
    let devices: Vec<Option<&String>> = match &wish.devices {
        Targets::All(_) => vec![None],
        Targets::Devices(devices) => devices.iter().map(Some).collect(),
    };
    let hub = wish.hub.clone().map_or(FaultyService::AnyHub, FaultyService::Hub);
    let latency = Duration::from_millis(wish.latency_ms.unwrap_or_default());
    let (kind, has_dps) = match wish.kind {
        // Who is cut off reaches neither service.
        FaultKind::BlackHole => (PartKind::BlackHole, true),
        FaultKind::Latency => (PartKind::Latency { delay: latency }, true),
        FaultKind::Throttle => (PartKind::Throttle { per_second: wish.per_second.unwrap_or(1) }, false),
        FaultKind::HubGone => (PartKind::RefuseConnect { code: UNAVAILABLE }, false),
    };
    let services = if has_dps && wish.hub.is_none() { vec![hub, FaultyService::Dps] } else { vec![hub] };
    devices
        .into_iter()
        .flat_map(|device| {
            let part = |service: &FaultyService| Part {
                service: service.clone(),
                device: device.cloned(),
                kind: kind.clone(),
                times: None,
            };
            services.iter().map(part).collect::<Vec<_>>()
        })
        .collect()
}

/// In a few words.
fn text(wish: &FaultWish) -> String {
    let what = match wish.kind {
        FaultKind::BlackHole => "a black hole: packets are taken, and nothing comes of them".to_owned(),
        FaultKind::Latency => format!("packets arrive {} ms late", wish.latency_ms.unwrap_or_default()),
        FaultKind::Throttle => {
            format!("no more than {} messages a second", wish.per_second.unwrap_or_default())
        }
        FaultKind::HubGone => "the hub is gone".to_owned(),
    };
    let whom = match &wish.devices {
        Targets::All(_) => "all".to_owned(),
        Targets::Devices(devices) if devices.len() == 1 => devices.concat(),
        Targets::Devices(devices) => format!("{} devices", devices.len()),
    };
    let time = wish.seconds.map(|seconds| format!(", for {seconds} s")).unwrap_or_default();
    format!("{what}, for {whom}{time}")
}

/// A fault of the emulator that the console did not ask for.
fn stranger(id: u64, part: &Part) -> Fault {
    let kind = match part.kind {
        PartKind::BlackHole => Some(FaultKind::BlackHole),
        PartKind::Latency { .. } => Some(FaultKind::Latency),
        PartKind::Throttle { .. } => Some(FaultKind::Throttle),
        _ => None,
    };
    let devices = part.device.clone().map_or(Targets::ALL, |device| Targets::Devices(vec![device]));
    let text = super::forms::json(part).to_string();
    Fault { id, kind, text, devices, until: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(kind: FaultKind, devices: Targets) -> FaultWish {
        FaultWish { kind, devices, seconds: None, latency_ms: Some(250), per_second: Some(2), hub: None }
    }

    #[test]
    fn a_fault_is_made_of_one_for_each_device_and_service_and_ends_with_all_of_them() {
        let emulator = Faults::default();
        let book = FaultBook::new(Arc::new(emulator.clone()));
        let two = Targets::Devices(vec!["a".into(), "b".into()]);
        let hole = book.inject(&wish(FaultKind::BlackHole, two.clone())).unwrap();
        assert_eq!(emulator.list().len(), 4);
        let gone = book.inject(&wish(FaultKind::HubGone, Targets::ALL)).unwrap();
        let foreign = emulator.inject(parts(&wish(FaultKind::Latency, Targets::ALL)).remove(0)).number();
        let faults = book.list().unwrap();
        let told: Vec<_> = faults.iter().map(|fault| (fault.id, fault.kind, fault.devices.clone())).collect();
        assert_eq!(
            told,
            [
                (hole, Some(FaultKind::BlackHole), two),
                (gone, Some(FaultKind::HubGone), Targets::ALL),
                (foreign, Some(FaultKind::Latency), Targets::ALL)
            ]
        );
        assert!(book.clear(hole).unwrap() && !book.clear(hole).unwrap());
        assert!(book.clear(foreign).unwrap());
        assert_eq!((emulator.list().len(), book.list().unwrap().len()), (1, 1));
        emulator.clear_all();
        assert!(book.list().unwrap().is_empty(), "ended elsewhere is ended here");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fault_with_a_time_ends_by_itself() {
        let emulator = Faults::default();
        let book = FaultBook::new(Arc::new(emulator.clone()));
        let wish = FaultWish { seconds: Some(30), ..wish(FaultKind::Throttle, Targets::ALL) };
        book.end_after(book.inject(&wish).unwrap(), 30);
        assert!(book.list().unwrap()[0].until.is_some());
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert_eq!(emulator.list().len(), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        while !emulator.list().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(emulator.list().is_empty() && book.list().unwrap().is_empty());
    }
}
