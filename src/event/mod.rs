//! What happens to a tracker, one sentence each: for the log, and for whoever else listens.

pub mod recent;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tracing::{debug, error, info, warn};
use tracker_protocol::dps::{Refusal, Substatus};

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
    /// Something is wrong that the agent lives with.
    Trouble(String),
    /// An essential task makes no progress.
    Hung(Hung),
    /// The configuration is taken in anew.
    Reloading,
    /// The agent ends.
    Stopped {
        /// Readings kept for the next start.
        backlog: u64,
    },
}

/// What a lost connection may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The network, or a restart of the hub.
    Ordinary,
    /// Dropped right after connecting, again and again.
    TakenOver,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { version } => write!(f, "container-tracker {version} starts"),
            Self::Registering { host, id_scope } => {
                write!(f, "asking DPS {host} (ID scope {id_scope}) for a hub")
            }
            Self::Assigned { hub, device_id, substatus } => {
                write!(f, "DPS assigned the hub {hub}, device ID {device_id}")?;
                match substatus {
                    Some(Substatus::InitialAssignment) => f.write_str(", for the first time"),
                    Some(Substatus::DeviceDataMigrated) => f.write_str(", its twin came along"),
                    Some(Substatus::DeviceDataReset) => f.write_str(", its twin was reset"),
                    Some(Substatus::ReprovisionedToInitialAssignment) => {
                        f.write_str(", where it was at first")
                    }
                    Some(Substatus::Other(word)) => write!(f, ", {word}"),
                    None => Ok(()),
                }
            }
            Self::Refused { refusal, again } => {
                write!(
                    f,
                    "DPS refuses this device: {refusal}; it goes on measuring and asks again in {}",
                    Span(*again)
                )
            }
            Self::RegisterLater { why, again } => {
                write!(f, "no hub from DPS: {why}; trying again in {}", Span(*again))
            }
            Self::Connecting { hub } => write!(f, "connecting to {hub}"),
            Self::ConnectLater { why, again } if again.is_zero() => {
                write!(f, "no connection to the hub: {why}; asking DPS where this device belongs")
            }
            Self::ConnectLater { why, again } => {
                write!(f, "no connection to the hub: {why}; trying again in {}", Span(*again))
            }
            Self::Online { hub, backlog: 0 } => write!(f, "online at {hub}"),
            Self::Online { hub, backlog } => write!(f, "online at {hub}, {backlog} readings to send"),
            Self::CertificateChanged => {
                f.write_str("the certificate was replaced, connecting with the new one")
            }
            Self::Lost { why, loss: Loss::Ordinary, again } => {
                write!(f, "connection lost: {why}; trying again in {}", Span(*again))
            }
            Self::Lost { why, loss: Loss::TakenOver, again } => write!(
                f,
                "dropped right after connecting again and again ({why}): another client uses this device's identity; \
                 find it, or give this device a certificate of its own; trying again in {}",
                Span(*again)
            ),
            Self::Delivered { seq } => write!(f, "reading {seq} delivered"),
            Self::Setting(Answer { property, acknowledgement: ack }) => match ack.code as u16 {
                200 => write!(f, "twin: {property} = {}", ack.value),
                203 => write!(f, "twin: {property} is not set, {} is in force", ack.value),
                202 => write!(f, "twin: {property}: {}", ack.description),
                _ => write!(f, "twin: {property} refused: {}; {} stays in force", ack.description, ack.value),
            },
            Self::Method { name, status } => write!(f, "method {name} called, answered {status}"),
            Self::Sensor { name, health } => match &health.cause {
                Some(cause) => write!(f, "{name}: {cause}"),
                None => write!(f, "{name} is well"),
            },
            Self::Trouble(what) => f.write_str(what),
            Self::Hung(hung) => {
                write!(f, "{hung}: the watchdog is not fed any more, so that systemd restarts the agent")
            }
            Self::Reloading => f.write_str("taking in the configuration and the certificates anew"),
            Self::Stopped { backlog: 0 } => f.write_str("stopped, everything is sent"),
            Self::Stopped { backlog } => write!(f, "stopped, {backlog} readings wait for the next start"),
        }
    }
}

/// A wait as people say it.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..=119 => write!(f, "{:.0} s", self.0.as_secs_f64().ceil()),
            seconds => write!(f, "{} min", seconds.div_ceil(60)),
        }
    }
}

/// Somebody who listens beside the log.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Where a tracker's events go.
#[derive(Clone)]
pub struct Events {
    device: String,
    listener: Option<Listener>,
    also: Option<Listener>,
}

impl Events {
    /// Events of this device go to the log.
    pub fn log(device: impl Into<String>) -> Self {
        Self { device: device.into(), listener: None, also: None }
    }

    /// Events go to `listener` instead of the log.
    pub fn to(device: impl Into<String>, listener: Listener) -> Self {
        Self { device: device.into(), listener: Some(listener), also: None }
    }

    /// Beside where they go already, events go to `also`.
    #[must_use]
    pub fn and_to(self, also: Listener) -> Self {
        Self { also: Some(also), ..self }
    }

    /// Tells an event.
    #[expect(clippy::needless_pass_by_value, reason = "an event is told once and then gone")]
    pub fn emit(&self, event: Event) {
        if let Some(also) = &self.also {
            also(&event);
        }
        if let Some(listener) = &self.listener {
            listener(&event);
            return;
        }
        let device = &self.device;
        match event.severity() {
            Severity::Debug => debug!(device, "{event}"),
            Severity::Info => info!(device, "{event}"),
            Severity::Warning => warn!(device, "{event}"),
            Severity::Error => error!(device, "{event}"),
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({})", self.device)
    }
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Only for those who look closely.
    Debug,
    /// All as it should be.
    Info,
    /// Not as it should be, and the agent deals with it.
    Warning,
    /// A person must do something.
    Error,
}

impl Event {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        use tracker_sensors::health::State;
        match self {
            Self::Refused { .. } | Self::Lost { loss: Loss::TakenOver, .. } | Self::Hung(_) => {
                Severity::Error
            }
            Self::RegisterLater { .. } | Self::ConnectLater { .. } | Self::Lost { .. } | Self::Trouble(_) => {
                Severity::Warning
            }
            Self::Setting(answer) if answer.acknowledgement.code as u16 >= 400 => Severity::Warning,
            Self::Sensor { health, .. } if matches!(health.state, State::Failed | State::Degraded) => {
                Severity::Warning
            }
            Self::Delivered { .. } => Severity::Debug,
            _ => Severity::Info,
        }
    }

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
            Self::Lost { loss: Loss::Ordinary, .. } => "lost",
            Self::Lost { loss: Loss::TakenOver, .. } => "takenOver",
            Self::Delivered { .. } => "delivered",
            Self::Setting(_) => "setting",
            Self::Method { .. } => "method",
            Self::Sensor { .. } => "sensor",
            Self::Trouble(_) => "trouble",
            Self::Hung(_) => "hung",
            Self::Reloading => "reloading",
            Self::Stopped { .. } => "stopped",
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
            Self::Setting(Answer { property, acknowledgement }) => {
                serde_json::json!({"property": property, "acknowledgement": acknowledgement.to_value()})
            }
            Self::Sensor { name, health } => serde_json::json!({"sensor": name, "state": health.state}),
            Self::Method { name, status } => serde_json::json!({"method": name, "status": status}),
            _ => Value::Null,
        }
    }
}
