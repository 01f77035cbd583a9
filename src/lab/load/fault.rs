//! What goes wrong, by what can be done about it.

use std::io;

use serde::{Deserialize, Serialize};

use crate::link::{LinkError, LinkErrorKind};

/// Kinds of faults, as summaries name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The process may open no more files.
    OutOfDescriptors,
    /// There is no free port at the source address.
    OutOfPorts,
    /// The source address is none of this machine.
    BadSource,
    /// Connection refused.
    NobodyListens,
    /// No answer at all, or no such name.
    Silent,
    /// The connection broke, or an answer is missing.
    Outage,
    /// The server closed the connection.
    Closed,
    /// It did so again and again, while it took others: another client has the same identity.
    TakenOver,
    /// TLS did not come about, or somebody else answers.
    Answered,
    /// The server does not take the certificate.
    Certificate,
    /// The hub does not know the device.
    Identity,
    /// The provisioning service says no.
    DpsRefused,
    /// The provisioning service says not now.
    DpsLater,
    /// The hub did not give the twin.
    Twin,
    /// A message was refused.
    Message,
    /// A method that was called was not answered.
    Method,
    /// No certificate could be made or read.
    Leaf,
}

impl FaultKind {
    /// As summaries have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OutOfDescriptors => "out-of-descriptors",
            Self::OutOfPorts => "out-of-ports",
            Self::BadSource => "bad-source",
            Self::NobodyListens => "nobody-listens",
            Self::Silent => "silent",
            Self::Outage => "outage",
            Self::Closed => "closed",
            Self::TakenOver => "taken-over",
            Self::Answered => "answered",
            Self::Certificate => "certificate",
            Self::Identity => "identity",
            Self::DpsRefused => "dps-refused",
            Self::DpsLater => "dps-later",
            Self::Twin => "twin",
            Self::Message => "message",
            Self::Method => "method",
            Self::Leaf => "leaf",
        }
    }

    /// What a person does about it.
    pub fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::OutOfDescriptors => {
                "raise the limit of open files (ulimit -n), or play fewer devices in one program"
            }
            Self::OutOfPorts => {
                "name more source addresses with --source, or widen net.ipv4.ip_local_port_range"
            }
            Self::BadSource => "--source must name addresses of this machine",
            Self::TakenOver => {
                "another client has the same identities: was this shard started twice, or does another run use the same --prefix?"
            }
            Self::NobodyListens => "does the emulator still run, at this port?",
            Self::Identity => {
                "was the emulator restarted without --state-directory, which forgets its devices?"
            }
            Self::Answered => {
                "is it the server that was meant? An emulator that is started anew without --state-directory has other certificates"
            }
            Self::DpsRefused => "is the CA enrolled there?",
            _ => return None,
        })
    }
}

/// What went wrong.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// What can be done about it.
    pub kind: FaultKind,
    /// For people.
    pub why: String,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }

    /// Of a TCP connection that did not come about.
    pub(super) fn of_tcp(error: &io::Error, place: &str) -> Self {
        let kind = match (error.kind(), error.raw_os_error()) {
            // EMFILE and ENFILE, which have no kinds of their own.
            (_, Some(23 | 24)) => FaultKind::OutOfDescriptors,
            (io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse, _) => FaultKind::OutOfPorts,
            (io::ErrorKind::ConnectionRefused, _) => FaultKind::NobodyListens,
            (
                io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable,
                _,
            ) => FaultKind::Silent,
            _ => FaultKind::Outage,
        };
        Self::new(kind, format!("{place}: {error}"))
    }
}

impl From<LinkError> for Fault {
    fn from(error: LinkError) -> Self {
        let kind = match error.kind {
            LinkErrorKind::Identity | LinkErrorKind::Moved => FaultKind::Identity,
            LinkErrorKind::Certificate => FaultKind::Certificate,
            LinkErrorKind::Answered | LinkErrorKind::Barred | LinkErrorKind::Terminal => FaultKind::Answered,
            LinkErrorKind::NobodyListens => FaultKind::NobodyListens,
            LinkErrorKind::Closed => FaultKind::Closed,
            LinkErrorKind::TakenOver => FaultKind::TakenOver,
            LinkErrorKind::Outage => FaultKind::Outage,
            LinkErrorKind::Silent => FaultKind::Silent,
            LinkErrorKind::Unsendable => FaultKind::Message,
        };
        Self::new(kind, error.why)
    }
}
