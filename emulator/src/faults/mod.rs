//! Misbehaviour on request: each fault says which service does what, to whom, and how often.

mod chance;
mod history;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chance::Chances;
use history::History;
pub use history::Strike;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{host_names, lock::lock};

/// A fault to inject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Which service misbehaves.
    pub service: FaultyService,
    /// To which registration ID (at DPS) or device ID (at a hub); to all when `None`.
    #[serde(default)]
    pub device: Option<String>,
    /// What it does.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// How many times; until it is cleared when `None`.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Fault {
    /// Whether its numbers make sense; `Err` says which do not.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.kind {
            FaultKind::RefuseConnect { code } if !(1..=5).contains(&code) && code < 0x80 => Err(format!(
                "the return code {code} of a CONNACK is not in 1 to 5, nor in 128 to 255 (MQTT 5)"
            )),
            FaultKind::RefuseSubscribe { code } | FaultKind::RefusePublish { code } if code < 0x80 => {
                Err(format!("the reason code {code} is not in 128 to 255"))
            }
            FaultKind::DpsError { status, .. } if !(300..=599).contains(&status) => {
                Err(format!("the status {status} is not in 300 to 599"))
            }
            FaultKind::TwinError { status } if !(400..=599).contains(&status) => {
                Err(format!("the status {status} is not in 400 to 599"))
            }
            FaultKind::IssueRefused { code } if !(400_000..=599_999).contains(&code) => Err(format!(
                "the code {code} is not in 400000 to 599999: the first three digits are the status"
            )),
            FaultKind::Throttle { per_second: 0 } => Err("perSecond has to be 1 or more".into()),
            _ => Ok(()),
        }
    }
}

/// Whose fault it is. As text: `dps`, `hubs`, or the host name of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FaultyService {
    /// The provisioning service.
    Dps,
    /// The hub of this host name.
    Hub(String),
    /// Every hub.
    AnyHub,
}

impl From<String> for FaultyService {
    fn from(text: String) -> Self {
        match text.to_ascii_lowercase() {
            text if text == "dps" => Self::Dps,
            text if text == "hubs" => Self::AnyHub,
            name => Self::Hub(name),
        }
    }
}

impl From<FaultyService> for String {
    fn from(service: FaultyService) -> Self {
        match service {
            FaultyService::Dps => "dps".into(),
            FaultyService::AnyHub => "hubs".into(),
            FaultyService::Hub(name) => name,
        }
    }
}

/// What goes wrong. As JSON: `{"fault":"latency","milliseconds":250}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultKind {
    /// CONNECT is answered with a refusal.
    RefuseConnect {
        /// The return code, 1 to 5.
        code: u8,
    },
    /// DPS answers a register or status request with this status (429, 503, …) and an error body.
    DpsError {
        /// Of the response topic, 300 and above.
        status: u16,
        /// Whole seconds for `retry-after`, if it is to be sent.
        #[serde(rename = "retryAfterSeconds", default, with = "seconds")]
        retry_after: Option<Duration>,
    },
    /// DPS goes on answering `assigning` to status requests.
    NeverAssign,
    /// A hub answers twin requests, of reading and of reporting, with this status and an error body.
    TwinError {
        /// Of the response topic, 400 and above.
        status: u16,
    },
    /// The body of a DPS or twin answer is not JSON.
    GarbageBody,
    /// A request for a certificate is refused: at DPS the registration; at a hub the request, for 400037 and 400040 after it
    /// was taken.
    IssueRefused {
        /// Azure's six digits, of which the first three are the status.
        code: u32,
    },
    /// A certificate is issued late.
    IssueSlow {
        /// How late, in whole milliseconds.
        #[serde(rename = "milliseconds", with = "milliseconds")]
        delay: Duration,
    },
    /// A certificate is issued and never arrives: DPS assigns without it, a hub takes the request and is silent.
    IssueLost,
    /// A PUBLISH of `QoS` 1 is taken, and not acknowledged.
    WithholdPubAck,
    /// A PUBLISH of `QoS` 1 is acknowledged late.
    DelayPubAck {
        /// How late, in whole milliseconds.
        #[serde(rename = "milliseconds", with = "milliseconds")]
        delay: Duration,
    },
    /// A PUBLISH of `QoS` 1 is acknowledged twice.
    DuplicatePubAck,
    /// A message from the cloud, a change of desired properties, or a method call is delivered twice.
    DuplicateDelivery,
    /// Every packet of the client arrives late; their order stays.
    Latency {
        /// How late, in whole milliseconds.
        #[serde(rename = "milliseconds", with = "milliseconds")]
        delay: Duration,
    },
    /// A client that publishes more often than this in a second is throttled as Azure does it: a hub drops the
    /// connection, DPS answers 429.
    Throttle {
        /// Publishes allowed in any second.
        per_second: u32,
    },
    /// A subscription at a hub of MQTT 5 is refused.
    RefuseSubscribe {
        /// Reason code of the SUBACK, 128 to 255.
        code: u8,
    },
    /// A PUBLISH at a hub of MQTT 5 comes to nothing, and is answered so where it is of `QoS` 1.
    RefusePublish {
        /// Reason code of the PUBACK, 128 to 255.
        code: u8,
    },
    /// A hub of MQTT 5 ends the connection in words, at the next PUBLISH, SUBSCRIBE or UNSUBSCRIBE of the client.
    Disconnect {
        /// Reason code of the DISCONNECT.
        code: u8,
    },
    /// The connection is closed at the next packet of the client.
    DropConnection,
    /// Packets are read and nothing comes of them.
    BlackHole,
}

/// A time in whole milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        u64::deserialize(input).map(Duration::from_millis)
    }
}

/// A time in whole seconds, or none.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs()).serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
        Option::<u64>::deserialize(input).map(|seconds| seconds.map(Duration::from_secs))
    }
}

/// Names an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

impl FaultId {
    /// The number by which the REST API names it.
    pub fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// The faults in force. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether there are any: asked several times for every packet of every client, and nearly always no.
    any: AtomicBool,
    rules: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    next_id: u64,
    rules: Vec<(FaultId, Fault)>,
    /// Of those that strike now and then.
    probabilities: BTreeMap<u64, f64>,
    chances: Chances,
    history: History,
}

impl Rules {
    fn add(&mut self, fault: Fault) -> FaultId {
        let id = FaultId(self.next_id);
        self.next_id += 1;
        self.rules.push((id, fault));
        id
    }
}

impl Faults {
    /// Puts a fault in force; those injected earlier go first.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.change(|rules| rules.add(fault))
    }

    /// Puts a fault in force that strikes now and then, with this probability from 0 to 1. With the same seed, the same faults in
    /// the same order, and the same doings of a device it strikes that device the same.
    pub fn inject_sometimes(&self, fault: Fault, probability: f64) -> FaultId {
        self.change(|rules| {
            let id = rules.add(fault);
            rules.probabilities.insert(id.0, probability);
            id
        })
    }

    /// Puts a fault in force that is written as JSON, with its probability if it has one.
    pub(crate) fn inject_json(&self, mut written: Value) -> Result<(FaultId, Fault), String> {
        let probability = match written.as_object_mut().and_then(|members| members.remove("probability")) {
            None | Some(Value::Null) => None,
            Some(given) => {
                let given = given.as_f64().filter(|probability| (0.0..=1.0).contains(probability));
                Some(given.ok_or("probability has to be a number from 0 to 1")?)
            }
        };
        let fault: Fault =
            serde_json::from_value(written).map_err(|error| format!("it is not a fault: {error}"))?;
        fault.check()?;
        let id = match probability {
            Some(probability) => self.inject_sometimes(fault.clone(), probability),
            None => self.inject(fault.clone()),
        };
        Ok((id, fault))
    }

    /// The probability of a fault that strikes now and then.
    pub fn probability(&self, id: FaultId) -> Option<f64> {
        lock(&self.0.rules).probabilities.get(&id.0).copied()
    }

    /// What chance is reckoned from; counting begins anew.
    pub fn set_seed(&self, seed: u64) {
        let mut rules = lock(&self.0.rules);
        rules.chances.seed = seed;
        rules.chances.begin_anew();
    }

    /// The newest ten thousand strikes, the oldest first.
    pub fn history(&self) -> Vec<Strike> {
        lock(&self.0.rules).history.all()
    }

    /// Forgets the strikes, and begins to count anew, for chance as well.
    pub fn forget_history(&self) {
        let mut rules = lock(&self.0.rules);
        rules.history.forget();
        rules.chances.begin_anew();
    }

    /// Ends a fault; tells whether it was still in force.
    pub fn clear(&self, id: FaultId) -> bool {
        self.change(|rules| {
            let before = rules.rules.len();
            rules.rules.retain(|(known, _)| *known != id);
            rules.rules.len() < before
        })
    }

    /// Ends all faults.
    pub fn clear_all(&self) {
        self.change(|rules| rules.rules.clear());
    }

    /// Those in force.
    pub fn list(&self) -> Vec<(FaultId, Fault)> {
        lock(&self.0.rules).rules.clone()
    }

    /// The first fault in force at this place that `pick` accepts, counted as used once.
    pub(crate) fn take<T>(&self, place: Place<'_>, pick: impl Fn(&FaultKind) -> Option<T>) -> Option<T> {
        if !self.0.any.load(Ordering::Acquire) {
            return None;
        }
        self.change(|rules| {
            let Rules { rules, probabilities, chances, history, .. } = rules;
            for index in 0..rules.len() {
                let (id, fault) = &mut rules[index];
                let id = id.0;
                if !place.is_meant_by(fault) {
                    continue;
                }
                let Some(picked) = pick(&fault.kind) else { continue };
                if let Some(probability) = probabilities.get(&id)
                    && !chances.strikes(id, place.device, *probability)
                {
                    continue;
                }
                // These types have no form that JSON lacks.
                let struck = serde_json::to_value(&fault.kind).unwrap_or_default();
                history.put(id, (place.hub.unwrap_or("dps"), place.device), struck);
                if let Some(times) = &mut fault.times {
                    *times = times.saturating_sub(1);
                    if *times == 0 {
                        rules.remove(index);
                    }
                }
                return Some(picked);
            }
            None
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Rules) -> T) -> T {
        let mut rules = lock(&self.0.rules);
        let changed = change(&mut rules);
        self.0.any.store(!rules.rules.is_empty(), Ordering::Release);
        changed
    }

    /// Whether a fault of this kind is to be played here.
    pub(crate) fn strikes(&self, place: Place<'_>, kind: &FaultKind) -> bool {
        self.take(place, |candidate| (candidate == kind).then_some(())).is_some()
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
            (FaultyService::Hub(meant), Some(hub)) => host_names::kind_at(hub, meant).is_some(),
            _ => false,
        };
        service && fault.device.as_deref().is_none_or(|device| device.eq_ignore_ascii_case(self.device))
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
        assert!(!faults.strikes(Place { hub: None, device: "a" }, &FaultKind::GarbageBody));
        assert!(strikes(None, "A"), "registration IDs are compared without regard to case");
        assert!(strikes(None, "a"));
        assert!(!strikes(None, "a"));
        assert!(faults.list().is_empty());
    }

    #[test]
    fn what_strikes_now_and_then_is_in_the_history_and_the_same_again() {
        let run = || {
            let faults = Faults::default();
            faults.set_seed(42);
            let fault = Fault {
                service: FaultyService::AnyHub,
                device: None,
                kind: FaultKind::BlackHole,
                times: None,
            };
            let id = faults.inject_sometimes(fault, 0.25);
            assert_eq!(faults.probability(id), Some(0.25));
            let place = |device| Place { hub: Some("hub"), device };
            for _ in 0..100 {
                faults.strikes(place("a"), &FaultKind::BlackHole);
                faults.strikes(place("b"), &FaultKind::BlackHole);
            }
            let first = faults.history();
            faults.forget_history();
            assert!(faults.history().is_empty());
            first
        };
        let first = run();
        assert_eq!(first, run());
        assert!((20..80).contains(&first.len()), "{}", first.len());
        let strike = &first[0];
        assert_eq!((strike.number, strike.fault_id, strike.service.as_str()), (1, 0, "hub"));
        assert_eq!(strike.fault, serde_json::json!({"fault": "blackHole"}));
    }

    #[test]
    fn every_fault_has_the_form_that_the_documentation_gives() {
        let forms = [
            (FaultKind::RefuseConnect { code: 3 }, r#"{"fault":"refuseConnect","code":3}"#),
            (
                FaultKind::DpsError { status: 503, retry_after: Some(Duration::from_secs(7)) },
                r#"{"fault":"dpsError","status":503,"retryAfterSeconds":7}"#,
            ),
            (
                FaultKind::DpsError { status: 503, retry_after: None },
                r#"{"fault":"dpsError","status":503,"retryAfterSeconds":null}"#,
            ),
            (FaultKind::NeverAssign, r#"{"fault":"neverAssign"}"#),
            (FaultKind::TwinError { status: 429 }, r#"{"fault":"twinError","status":429}"#),
            (FaultKind::GarbageBody, r#"{"fault":"garbageBody"}"#),
            (FaultKind::IssueRefused { code: 429_002 }, r#"{"fault":"issueRefused","code":429002}"#),
            (
                FaultKind::IssueSlow { delay: Duration::from_millis(250) },
                r#"{"fault":"issueSlow","milliseconds":250}"#,
            ),
            (FaultKind::IssueLost, r#"{"fault":"issueLost"}"#),
            (FaultKind::WithholdPubAck, r#"{"fault":"withholdPubAck"}"#),
            (
                FaultKind::DelayPubAck { delay: Duration::from_millis(250) },
                r#"{"fault":"delayPubAck","milliseconds":250}"#,
            ),
            (FaultKind::DuplicatePubAck, r#"{"fault":"duplicatePubAck"}"#),
            (FaultKind::DuplicateDelivery, r#"{"fault":"duplicateDelivery"}"#),
            (
                FaultKind::Latency { delay: Duration::from_millis(250) },
                r#"{"fault":"latency","milliseconds":250}"#,
            ),
            (FaultKind::Throttle { per_second: 5 }, r#"{"fault":"throttle","perSecond":5}"#),
            (FaultKind::RefuseSubscribe { code: 151 }, r#"{"fault":"refuseSubscribe","code":151}"#),
            (FaultKind::RefusePublish { code: 151 }, r#"{"fault":"refusePublish","code":151}"#),
            (FaultKind::Disconnect { code: 0 }, r#"{"fault":"disconnect","code":0}"#),
            (FaultKind::DropConnection, r#"{"fault":"dropConnection"}"#),
            (FaultKind::BlackHole, r#"{"fault":"blackHole"}"#),
        ];
        for (kind, text) in forms {
            assert_eq!(serde_json::to_string(&kind).expect("it is written"), text);
            let fault: Fault =
                serde_json::from_str(&text.replacen('{', r#"{"service":"hubs","#, 1)).expect("it is read");
            assert_eq!((fault.kind, fault.times), (kind, None));
        }
        let absent: FaultKind =
            serde_json::from_str(r#"{"fault":"dpsError","status":500}"#).expect("it is read");
        assert_eq!(absent, FaultKind::DpsError { status: 500, retry_after: None });
    }
}
