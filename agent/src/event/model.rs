//! The events, and what scripts are told of them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_protocol::dps::{Refusal, Substatus};

use crate::alarms::life::Kind;
use crate::alarms::rule;
use crate::places::CrossingKind;
use crate::platform::clock::rfc3339;
use crate::platform::heartbeat::Hung;
use crate::settings::Answer;

/// A change that a person wants to know.
#[derive(Debug, Clone)]
pub enum Event {
    /// The agent runs.
    Started {
        /// Version of this program.
        version: &'static str,
    },
    /// DPS is being asked.
    Registering {
        /// DPS host.
        host: String,
        /// ID scope.
        id_scope: String,
    },
    /// DPS gave a hub.
    Assigned {
        /// Host name of the hub.
        hub: String,
        /// Device ID there.
        device_id: String,
        /// How it came about.
        substatus: Option<Substatus>,
    },
    /// DPS will not have this device.
    Refused {
        /// Why.
        refusal: Refusal,
        /// When it will be asked again.
        again: Duration,
    },
    /// DPS could not be asked, or said "later".
    RegisterLater {
        /// Why.
        why: String,
        /// When it will be asked again.
        again: Duration,
    },
    /// The assigned hub is being connected to.
    Connecting {
        /// Host name of the hub.
        hub: String,
    },
    /// The hub could not be connected to.
    ConnectLater {
        /// Why.
        why: String,
        /// When the next attempt, at hub or DPS, will be made.
        again: Duration,
    },
    /// The hub accepts readings.
    Online {
        /// Host name of the hub.
        hub: String,
        /// Readings to be sent.
        backlog: u64,
    },
    /// The certificate was replaced on disk; the new one is used from now on.
    CertificateChanged,
    /// The hub is asked for a new certificate, before the one in use ends.
    RenewingCertificate,
    /// A certificate that Azure has issued is in use from now on.
    CertificateRenewed {
        /// Its last moment.
        until: DateTime<Utc>,
        /// When the next one will be asked for.
        due: DateTime<Utc>,
    },
    /// The hub has refused a certificate that Azure has issued; the one before is shown to it.
    CertificateRefused {
        /// What the hub said.
        why: String,
    },
    /// The connection is gone.
    Lost {
        /// Why.
        why: String,
        /// What it may mean.
        loss: Loss,
        /// When it will be tried again.
        again: Duration,
    },
    /// The hub has acknowledged a reading.
    Delivered {
        /// Its sequence number.
        seq: u64,
    },
    /// A desired property was answered.
    Setting(Answer),
    /// The hub called a direct method.
    Method {
        /// Its name.
        name: String,
        /// What was answered.
        status: i32,
    },
    /// The health of a sensor changed.
    Sensor {
        /// Which.
        name: &'static str,
        /// Its new state.
        health: tracker_sensors::health::Health,
    },
    /// The container was at a fence.
    Fence {
        /// What happened there.
        kind: CrossingKind,
        /// Its name.
        fence: Arc<str>,
    },
    /// An alarm was raised, became worse, or is over.
    Alarm {
        /// In words.
        what: String,
        /// Which of them.
        kind: Kind,
        /// How bad it is, or was.
        severity: rule::Severity,
    },
    /// Something is as it should be, and could be better.
    Note(String),
    /// Something is wrong that the agent lives with.
    Trouble(String),
    /// Something on this device keeps it from asking DPS or its hub at all.
    Offline(String),
    /// What was held back, as others could make it happen without end.
    Repeated {
        /// The last one.
        last: Box<Event>,
        /// How many there were.
        times: u64,
    },
    /// An essential task makes no progress.
    Hung(Hung),
    /// The configuration is taken in anew.
    Reloading,
    /// The agent ends.
    Stopped {
        /// Readings kept for the next start.
        backlog: u64,
        /// Readings that the disk did not take, and that are gone.
        lost: u64,
    },
}

/// What a lost connection may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The network, or a restart of the hub.
    Ordinary,
    /// Dropped right after connecting, again and again.
    TakenOver,
    /// Another client has the place of this one, as the hub says.
    Displaced,
}

impl Event {
    /// A short name for scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Registering { .. } => "registering",
            Self::Assigned { .. } => "assigned",
            Self::Refused { .. } => "refused",
            Self::RegisterLater { .. } => "registerLater",
            Self::Connecting { .. } => "connecting",
            Self::ConnectLater { .. } => "connectLater",
            Self::Online { .. } => "online",
            Self::CertificateChanged => "certificateChanged",
            Self::RenewingCertificate => "renewingCertificate",
            Self::CertificateRenewed { .. } => "certificateRenewed",
            Self::CertificateRefused { .. } => "certificateRefused",
            Self::Lost { loss: Loss::Ordinary, .. } => "lost",
            Self::Lost { loss: Loss::TakenOver | Loss::Displaced, .. } => "takenOver",
            Self::Delivered { .. } => "delivered",
            Self::Setting(_) => "setting",
            Self::Method { .. } => "method",
            Self::Sensor { .. } => "sensor",
            Self::Fence { .. } => "fence",
            Self::Alarm { .. } => "alarm",
            Self::Note(_) => "note",
            Self::Trouble(_) | Self::Offline(_) => "trouble",
            Self::Repeated { .. } => "repeated",
            Self::Hung(_) => "hung",
            Self::Reloading => "reloading",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// Why the device is not online from now on, where that is what it tells.
    pub fn keeps_offline(&self) -> Option<String> {
        match self {
            Self::RegisterLater { why, .. }
            | Self::ConnectLater { why, .. }
            | Self::Lost { why, .. }
            | Self::Offline(why) => Some(why.clone()),
            Self::Refused { refusal, .. } => Some(refusal.to_string()),
            _ => None,
        }
    }

    /// The parts of it that scripts may want beside name and sentence.
    pub fn details(&self) -> Value {
        match self {
            Self::Assigned { hub, device_id, .. } => serde_json::json!({"hub": hub, "deviceId": device_id}),
            Self::Online { hub, backlog } => serde_json::json!({"hub": hub, "backlog": backlog}),
            Self::Refused { refusal, again } => {
                serde_json::json!({"code": refusal.code, "reason": refusal.to_string(), "againSeconds": again.as_secs()})
            }
            Self::CertificateRenewed { until, due } => {
                serde_json::json!({"validUntil": rfc3339(*until), "renewalDue": rfc3339(*due)})
            }
            Self::Setting(Answer { property, acknowledgement, .. }) => {
                serde_json::json!({"property": property, "acknowledgement": acknowledgement.to_value()})
            }
            Self::Sensor { name, health } => serde_json::json!({"sensor": name, "state": health.state}),
            Self::Fence { kind, fence } => serde_json::json!({"state": kind.as_str(), "fence": **fence}),
            Self::Alarm { kind, severity, .. } => {
                serde_json::json!({"state": kind.word(), "severity": severity.word()})
            }
            Self::Method { name, status } => serde_json::json!({"method": name, "status": status}),
            Self::Repeated { last, times } => serde_json::json!({"times": times, "last": last.name()}),
            _ => Value::Null,
        }
    }
}
