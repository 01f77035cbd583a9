//! Misbehaviour on request: each fault says which service does what, to whom, and how often.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::lock::lock;

/// A fault to inject.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Which service misbehaves.
    pub service: FaultyService,
    /// To which registration ID (at DPS) or device ID (at a hub); to all when `None`.
    pub device: Option<String>,
    /// What it does.
    pub kind: FaultKind,
    /// How many times; until it is cleared when `None`.
    pub times: Option<u32>,
}

/// Whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultyService {
    /// The provisioning service.
    Dps,
    /// The hub of this host name.
    Hub(String),
    /// Every hub.
    AnyHub,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// CONNECT is answered with this return code, 1 to 5.
    RefuseConnect(u8),
    /// DPS answers a register or status request with this status (429, 503, …) and an error body.
    DpsError {
        /// Of the response topic, 300 and above.
        status: u16,
        /// Whole seconds for `retry-after`, if it is to be sent.
        retry_after: Option<Duration>,
    },
    /// DPS goes on answering `assigning` to status requests.
    NeverAssign,
    /// The body of a DPS or twin answer is not JSON.
    GarbageBody,
    /// A PUBLISH of `QoS` 1 is taken, and not acknowledged.
    WithholdPubAck,
    /// A PUBLISH of `QoS` 1 is acknowledged this much later.
    DelayPubAck(Duration),
    /// A PUBLISH of `QoS` 1 is acknowledged twice.
    DuplicatePubAck,
    /// The connection is closed at the next packet of the client.
    DropConnection,
    /// Packets are read and nothing comes of them.
    BlackHole,
}

/// Names an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

/// The faults in force. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Rules>>);

#[derive(Debug, Default)]
struct Rules {
    next_id: u64,
    rules: Vec<(FaultId, Fault)>,
}

impl Faults {
    /// Puts a fault in force; those injected earlier go first.
    pub fn inject(&self, fault: Fault) -> FaultId {
        let mut rules = lock(&self.0);
        let id = FaultId(rules.next_id);
        rules.next_id += 1;
        rules.rules.push((id, fault));
        id
    }

    /// Ends a fault; tells whether it was still in force.
    pub fn clear(&self, id: FaultId) -> bool {
        let mut rules = lock(&self.0);
        let before = rules.rules.len();
        rules.rules.retain(|(known, _)| *known != id);
        rules.rules.len() < before
    }

    /// Ends all faults.
    pub fn clear_all(&self) {
        lock(&self.0).rules.clear();
    }

    /// Those in force.
    pub fn list(&self) -> Vec<(FaultId, Fault)> {
        lock(&self.0).rules.clone()
    }

    /// The first fault in force at this place that `pick` accepts, counted as used once.
    pub(crate) fn take<T>(&self, place: Place<'_>, pick: impl Fn(&FaultKind) -> Option<T>) -> Option<T> {
        let mut rules = lock(&self.0);
        for index in 0..rules.rules.len() {
            let (_, fault) = &mut rules.rules[index];
            if !place.is_meant_by(fault) {
                continue;
            }
            let Some(picked) = pick(&fault.kind) else { continue };
            if let Some(times) = &mut fault.times {
                *times = times.saturating_sub(1);
                if *times == 0 {
                    rules.rules.remove(index);
                }
            }
            return Some(picked);
        }
        None
    }

    /// Whether a fault of this kind is to be played here.
    pub(crate) fn strikes(&self, place: Place<'_>, kind: &FaultKind) -> bool {
        self.take(place, |candidate| (candidate == kind).then_some(()))
            .is_some()
    }
}

/// Where a fault may strike: one device at one service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// `None` for DPS.
    pub hub: Option<&'a str>,
    pub device: &'a str,
}

impl Place<'_> {
    fn is_meant_by(self, fault: &Fault) -> bool {
        let service = match (&fault.service, self.hub) {
            (FaultyService::Dps, None) | (FaultyService::AnyHub, Some(_)) => true,
            (FaultyService::Hub(meant), Some(hub)) => meant == hub,
            _ => false,
        };
        service
            && fault
                .device
                .as_deref()
                .is_none_or(|device| device.eq_ignore_ascii_case(self.device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_whom_it_names_as_often_as_it_says() {
        let faults = Faults::default();
        faults.inject(Fault {
            service: FaultyService::Dps,
            device: Some("a".into()),
            kind: FaultKind::NeverAssign,
            times: Some(2),
        });
        let strikes = |hub, device| faults.strikes(Place { hub, device }, &FaultKind::NeverAssign);
        assert!(!strikes(None, "b"));
        assert!(!strikes(Some("hub"), "a"));
        assert!(!faults.strikes(
            Place {
                hub: None,
                device: "a"
            },
            &FaultKind::GarbageBody
        ));
        assert!(
            strikes(None, "A"),
            "registration IDs are compared without regard to case"
        );
        assert!(strikes(None, "a"));
        assert!(!strikes(None, "a"));
        assert!(faults.list().is_empty());
    }
}
