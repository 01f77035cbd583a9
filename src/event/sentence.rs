//! Events as sentences, for people.

use std::fmt;
use std::time::Duration;

use tracker_protocol::dps::Substatus;

use crate::event::model::{Event, Loss};
use crate::settings::Answer;

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
                write!(f, "no hub from DPS: {}trying again in {}", Before(why), Span(*again))
            }
            Self::Connecting { hub } => write!(f, "connecting to {hub}"),
            Self::ConnectLater { why, again } if again.is_zero() => {
                write!(f, "no connection to the hub: {}asking DPS where this device belongs", Before(why))
            }
            Self::ConnectLater { why, again } => {
                write!(f, "no connection to the hub: {}trying again in {}", Before(why), Span(*again))
            }
            Self::Online { hub, backlog: 0 } => write!(f, "online at {hub}"),
            Self::Online { hub, backlog } => write!(f, "online at {hub}, {backlog} readings to send"),
            Self::CertificateChanged => {
                f.write_str("the certificate was replaced, connecting with the new one")
            }
            Self::Lost { why, loss: Loss::Ordinary, again } => {
                write!(f, "connection lost: {}trying again in {}", Before(why), Span(*again))
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
            Self::Trouble(what) | Self::Offline(what) => f.write_str(what),
            Self::Hung(hung) => {
                write!(f, "{hung}: the watchdog is not fed any more, so that systemd restarts the agent")
            }
            Self::Reloading => f.write_str("taking in the configuration and the certificates anew"),
            Self::Stopped { backlog: 0 } => f.write_str("stopped, everything is sent"),
            Self::Stopped { backlog } => write!(f, "stopped, {backlog} readings wait for the next start"),
        }
    }
}

/// A part of a sentence that goes on behind it. What ends with a question is no half of a sentence.
struct Before<'a>(&'a str);

impl fmt::Display for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.0.ends_with('?') { " – " } else { "; " };
        write!(f, "{}{between}", self.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_not_followed_by_a_semicolon() {
        let again = Duration::from_secs(2);
        let said = |why: &str| {
            let why = || why.to_owned();
            [
                Event::RegisterLater { why: why(), again },
                Event::ConnectLater { why: why(), again },
                Event::ConnectLater { why: why(), again: Duration::ZERO },
                Event::Lost { why: why(), loss: Loss::Ordinary, again },
            ]
            .map(|event| event.to_string())
        };
        for sentence in said("is the ID scope 0ne1 right (dps.id_scope)?") {
            assert!(sentence.contains(")? – "), "{sentence}");
        }
        assert_eq!(said("an outage")[0], "no hub from DPS: an outage; trying again in 2 s");
    }
}
