//! What happens at the emulator, as one stream for those who want to show or check it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_protocol::Printable;

use crate::{
    clock::{Clock, wire_time},
    subscription::{Feed, Subscription},
};

/// The most bytes of events that are kept for subscribers that have fallen behind.
const KEPT_BYTES: usize = 8 * 1024 * 1024;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// By the emulator's clock.
    #[serde(with = "wire_time")]
    pub time: DateTime<Utc>,
    /// What it was.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen. The `Display` form is one line for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// TLS did not come about.
    HandshakeFailed {
        /// Address of the client.
        peer: String,
        /// What went wrong.
        reason: String,
    },
    /// A connection ended before, or was refused at, its CONNECT.
    ConnectionRefused {
        /// `DPS`, the name of a hub, or empty when the client had not said.
        service: String,
        /// Client identifier, empty when there was none.
        client_id: String,
        /// Return code of the CONNACK; `None` when the connection was closed without one.
        code: Option<u8>,
        /// Why.
        reason: String,
    },
    /// A device connected to DPS.
    DpsConnected {
        /// Its registration ID.
        registration_id: String,
    },
    /// DPS took a registration and works on it.
    Assigning {
        /// Of the device.
        registration_id: String,
        /// What the device polls for.
        operation_id: String,
        /// The enrollment that let it in.
        enrollment: String,
    },
    /// A device was told its hub.
    Assigned {
        /// Of the device.
        registration_id: String,
        /// Host name.
        hub: String,
        /// At that hub.
        device_id: String,
        /// How it came about: `initialAssignment`, …
        substatus: String,
    },
    /// DPS answered a registration with the status `disabled`.
    RegistrationDisabled {
        /// Of the device.
        registration_id: String,
        /// The disabled enrollment.
        enrollment: String,
    },
    /// DPS answered a registration with an error.
    RegistrationRefused {
        /// As the device gave it.
        registration_id: String,
        /// Azure's six digits.
        error_code: u32,
        /// What Azure would not say, for the operator.
        reason: String,
    },
    /// A device left DPS.
    DpsDisconnected {
        /// Its registration ID.
        registration_id: String,
        /// How.
        reason: DisconnectReason,
    },
    /// A hub has an identity that it did not have: an operator made it, or DPS.
    IdentityCreated {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
    },
    /// An operator let a device in, or shut it out.
    IdentityUpdated {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
        /// Whether it is let in now.
        is_enabled: bool,
    },
    /// An identity was deleted, or DPS gave it to another hub.
    IdentityDeleted {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
    },
    /// A device connected to its hub.
    DeviceConnected {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
    },
    /// A device's connection to its hub ended.
    DeviceDisconnected {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
        /// How.
        reason: DisconnectReason,
    },
    /// A device was not heard for too many of its intervals.
    DeviceSilent {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
        /// How long it has not been heard.
        seconds: i64,
    },
    /// A device that was silent is heard again.
    DeviceHeard {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
    },
    /// A device was issued a certificate.
    CertificateIssued {
        /// `DPS`, or host name of the hub that renewed it.
        service: String,
        /// The device; at DPS its registration ID.
        device_id: String,
        /// The certificate policy.
        policy: String,
    },
    /// A hub refused a device a new certificate.
    CertificateRefused {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
        /// Azure's six digits.
        error_code: u32,
        /// Why.
        reason: String,
    },
    /// A device reported properties.
    Reported {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
        /// The reported section's version afterwards.
        version: u64,
    },
    /// A device has uploaded a file.
    FileUploaded {
        /// Host name.
        hub: String,
        /// The device.
        device_id: String,
        /// In the container of the hub's uploads.
        blob_name: String,
        /// Its size.
        bytes: u64,
    },
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "detail", rename_all = "camelCase")]
pub enum DisconnectReason {
    /// The client sent DISCONNECT.
    Disconnect,
    /// The client closed, or lost, the connection without DISCONNECT.
    ConnectionLost(String),
    /// Nothing came for one and a half times the keep-alive.
    KeepAliveTimeout,
    /// The client did what ends a connection at Azure: `QoS` 2, a topic that is not documented, an oversized message,
    /// malformed bytes.
    ProtocolViolation(String),
    /// Another client connected with the same identity.
    TakenOver,
    /// The identity was disabled.
    DeviceDisabled,
    /// The identity was deleted, by the operator or because the device was provisioned to another hub.
    DeviceDeleted,
    /// The shared access signature that let it in has expired, some minutes ago.
    TokenExpired,
    /// The client let what was meant for it pile up.
    Backlog,
    /// A fault asked for it.
    Fault,
    /// The emulator was shut down.
    Shutdown,
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnect => f.write_str("it said goodbye"),
            Self::ConnectionLost(detail) => write!(f, "connection lost: {detail}"),
            Self::KeepAliveTimeout => f.write_str("silent for 1.5 times its keep-alive"),
            Self::ProtocolViolation(detail) => write!(f, "protocol violation: {detail}"),
            Self::TakenOver => f.write_str("taken over by another client with the same identity"),
            Self::DeviceDisabled => f.write_str("the device was disabled"),
            Self::DeviceDeleted => f.write_str("the device was deleted"),
            Self::TokenExpired => f.write_str("its shared access signature has expired"),
            Self::Backlog => f.write_str("it does not read what is sent to it"),
            Self::Fault => f.write_str("a fault was asked for"),
            Self::Shutdown => f.write_str("the emulator shuts down"),
        }
    }
}

/// One line, whatever strangers have put into their names.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(Sentence(self)).fmt(f)
    }
}

struct Sentence<'a>(&'a EventKind);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.sentence(f)
    }
}

impl EventKind {
    /// Whether something is no longer there.
    fn is_farewell(&self) -> bool {
        matches!(
            self,
            Self::DpsDisconnected { .. } | Self::DeviceDisconnected { .. } | Self::IdentityDeleted { .. }
        )
    }

    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandshakeFailed { peer, reason } => write!(f, "{peer}: TLS handshake failed: {reason}"),
            Self::ConnectionRefused { service, client_id, code, reason } => {
                let service = if service.is_empty() { "MQTT" } else { service };
                write!(f, "{service}: \"{client_id}\" refused")?;
                if let Some(code) = code {
                    write!(f, " with CONNACK {code}")?;
                }
                write!(f, ": {reason}")
            }
            Self::DpsConnected { registration_id } => write!(f, "DPS: \"{registration_id}\" connected"),
            Self::Assigning { registration_id, enrollment, .. } => {
                write!(f, "DPS: \"{registration_id}\" is being assigned by {enrollment}")
            }
            Self::Assigned { registration_id, hub, device_id, substatus } => {
                write!(f, "DPS: \"{registration_id}\" assigned to {hub} as \"{device_id}\" ({substatus})")
            }
            Self::RegistrationDisabled { registration_id, enrollment } => {
                write!(f, "DPS: \"{registration_id}\" refused: {enrollment} is disabled")
            }
            Self::RegistrationRefused { registration_id, error_code, reason } => {
                write!(f, "DPS: \"{registration_id}\" refused with {error_code}: {reason}")
            }
            Self::DpsDisconnected { registration_id, reason } => {
                write!(f, "DPS: \"{registration_id}\" disconnected: {reason}")
            }
            Self::IdentityCreated { hub, device_id } => write!(f, "{hub}: \"{device_id}\" has an identity"),
            Self::IdentityUpdated { hub, device_id, is_enabled } => {
                let is = if *is_enabled { "enabled" } else { "disabled" };
                write!(f, "{hub}: the identity of \"{device_id}\" is {is}")
            }
            Self::IdentityDeleted { hub, device_id } => {
                write!(f, "{hub}: \"{device_id}\" has no identity any more")
            }
            Self::DeviceConnected { hub, device_id } => write!(f, "{hub}: \"{device_id}\" connected"),
            Self::DeviceDisconnected { hub, device_id, reason } => {
                write!(f, "{hub}: \"{device_id}\" disconnected: {reason}")
            }
            Self::DeviceSilent { hub, device_id, seconds } => {
                write!(f, "{hub}: \"{device_id}\" is silent, not heard for {seconds} s")
            }
            Self::DeviceHeard { hub, device_id } => write!(f, "{hub}: \"{device_id}\" is heard again"),
            Self::CertificateIssued { service, device_id, policy } => {
                write!(f, "{service}: \"{device_id}\" is issued a certificate by the policy \"{policy}\"")
            }
            Self::CertificateRefused { hub, device_id, error_code, reason } => {
                write!(f, "{hub}: \"{device_id}\" is refused a certificate with {error_code}: {reason}")
            }
            Self::Reported { hub, device_id, version } => {
                write!(f, "{hub}: \"{device_id}\" reported properties, version {version}")
            }
            Self::FileUploaded { hub, device_id, blob_name, bytes } => {
                write!(f, "{hub}: \"{device_id}\" uploaded \"{blob_name}\", {bytes} bytes")
            }
        }
    }
}

/// Where events are told.
#[derive(Clone)]
pub(crate) struct EventBus {
    feed: Feed<Event>,
    clock: Arc<dyn Clock>,
    left: Arc<AtomicU64>,
}

impl EventBus {
    pub(crate) fn new(capacity: usize, clock: Arc<dyn Clock>) -> Self {
        Self { feed: Feed::of_listeners(capacity, KEPT_BYTES), clock, left: Arc::default() }
    }

    pub(crate) fn tell(&self, kind: EventKind) {
        tracing::info!(target: "tracker_emulator::events", "{kind}");
        if kind.is_farewell() {
            self.left.fetch_add(1, Ordering::Relaxed);
        }
        if !self.feed.is_heard() {
            return;
        }
        // Names in them come from clients, and may be long.
        let size = size_of::<Event>() + length(&kind);
        self.feed.put(Event { time: self.clock.now(), kind }, size);
    }

    /// How many connections have ended, and identities have been deleted, since the beginning.
    pub(crate) fn farewells(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    pub(crate) fn subscribe(&self) -> Subscription<Event> {
        self.feed.subscribe()
    }
}

/// How long something is when it is shown.
fn length(shown: &impl fmt::Display) -> usize {
    struct Counted(usize);
    impl fmt::Write for Counted {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut counted = Counted(0);
    // Counting does not fail.
    let _ = fmt::Write::write_fmt(&mut counted, format_args!("{shown}"));
    counted.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of strangers, as they have tried it.
    const NASTY: [&str; 6] = [
        "a\n<3>all is well",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "\u{9b}31m\r\t\0\u{7f}",
        "\u{202e}lla\u{2066}si\u{2069}",
        "x\u{2028}y\u{85}z",
        "\u{200f}\u{61c}",
    ];

    fn events(text: &str) -> [EventKind; 20] {
        let t = || text.to_owned();
        let lost = DisconnectReason::ConnectionLost(t());
        let violation = DisconnectReason::ProtocolViolation(t());
        [
            EventKind::HandshakeFailed { peer: t(), reason: t() },
            EventKind::ConnectionRefused { service: t(), client_id: t(), code: Some(2), reason: t() },
            EventKind::ConnectionRefused { service: String::new(), client_id: t(), code: None, reason: t() },
            EventKind::DpsConnected { registration_id: t() },
            EventKind::Assigning { registration_id: t(), operation_id: t(), enrollment: t() },
            EventKind::Assigned { registration_id: t(), hub: t(), device_id: t(), substatus: t() },
            EventKind::RegistrationDisabled { registration_id: t(), enrollment: t() },
            EventKind::RegistrationRefused { registration_id: t(), error_code: 401_002, reason: t() },
            EventKind::DpsDisconnected { registration_id: t(), reason: lost },
            EventKind::IdentityCreated { hub: t(), device_id: t() },
            EventKind::IdentityUpdated { hub: t(), device_id: t(), is_enabled: false },
            EventKind::IdentityDeleted { hub: t(), device_id: t() },
            EventKind::DeviceConnected { hub: t(), device_id: t() },
            EventKind::DeviceDisconnected { hub: t(), device_id: t(), reason: violation },
            EventKind::DeviceSilent { hub: t(), device_id: t(), seconds: 1 },
            EventKind::DeviceHeard { hub: t(), device_id: t() },
            EventKind::CertificateIssued { service: t(), device_id: t(), policy: t() },
            EventKind::CertificateRefused { hub: t(), device_id: t(), error_code: 400_040, reason: t() },
            EventKind::Reported { hub: t(), device_id: t(), version: 1 },
            EventKind::FileUploaded { hub: t(), device_id: t(), blob_name: t(), bytes: 1 },
        ]
    }

    #[test]
    fn no_event_carries_what_a_terminal_would_obey() {
        for text in NASTY {
            for event in events(text) {
                let line = event.to_string();
                let obeyed = |c: char| {
                    c.is_control()
                        || matches!(c, '\u{200f}' | '\u{61c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                };
                assert!(!line.contains(obeyed), "{line:?}");
                assert!(line.contains("\\u{"), "it is shown: {line}");
            }
        }
    }
}
