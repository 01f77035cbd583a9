//! Events as sentences, for people.

use std::fmt;
use std::time::Duration;

use tracker_protocol::Printable;
use tracker_protocol::dps::Substatus;

use crate::event::model::{Event, Loss};
use crate::places::CrossingKind;
use crate::platform::clock::rfc3339;
use crate::settings::{Answer, Standing};

/// One line, whatever stands in it: much of it comes from the other side.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(Sentence(self)).fmt(f)
    }
}

struct Sentence<'a>(&'a Event);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.sentence(f)
    }
}

impl Event {
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            Self::Online { hub, backlog } => write!(f, "online at {hub}, {} to send", Readings(*backlog)),
            Self::Lost { why, loss, again } => lost(f, why, *loss, &Span(*again)),
            Self::CertificateChanged
            | Self::RenewingCertificate
            | Self::CertificateRenewed { .. }
            | Self::CertificateRefused { .. } => self.certificate(f),
            Self::Delivered { seq } => write!(f, "reading {seq} delivered"),
            Self::Setting(answer) => setting(f, answer),
            Self::Method { name, status } => write!(f, "method {name} called, answered {status}"),
            Self::Sensor { name, health } => match &health.cause {
                Some(cause) => write!(f, "{name}: {cause}"),
                None => write!(f, "{name} is well"),
            },
            Self::Fence { kind, fence } => write!(f, "the container {} {fence}", has(*kind)),
            Self::Alarm { what, .. } | Self::Note(what) | Self::Trouble(what) | Self::Offline(what) => {
                f.write_str(what)
            }
            Self::Repeated { last, times } => write!(f, "{times} times more: {last}"),
            Self::Hung(hung) => {
                write!(f, "{hung}: the watchdog is not fed any more, so that systemd restarts the agent")
            }
            Self::Reloading => f.write_str("taking in the configuration and the certificates anew"),
            Self::Stopped { backlog: 0, lost: 0 } => f.write_str("stopped, everything is sent"),
            Self::Stopped { backlog: 1, lost: 0 } => {
                f.write_str("stopped, 1 reading waits for the next start")
            }
            Self::Stopped { backlog, lost: 0 } => {
                write!(f, "stopped, {backlog} readings wait for the next start")
            }
            Self::Stopped { backlog, lost } => write!(
                f,
                "stopped, {backlog} readings wait for the next start, and {lost} are lost: the disk did not take them"
            ),
        }
    }

    /// Those about the device's certificate.
    fn certificate(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RenewingCertificate => f.write_str("asking the hub for a new certificate"),
            Self::CertificateRenewed { until, due } => write!(
                f,
                "the hub has taken the new certificate, valid until {}; the next one is due {}",
                rfc3339(*until),
                rfc3339(*due)
            ),
            Self::CertificateRefused { why } => {
                write!(
                    f,
                    "the hub does not take the new certificate: {}showing it the one before",
                    Before(why)
                )
            }
            _ => f.write_str("the certificate was replaced, connecting with the new one"),
        }
    }
}

/// That a connection is gone, and what that may mean.
fn lost(f: &mut fmt::Formatter<'_>, why: &str, loss: Loss, again: &Span) -> fmt::Result {
    match loss {
        Loss::Ordinary => write!(f, "connection lost: {}trying again in {again}", Before(why)),
        Loss::TakenOver => write!(
            f,
            "dropped right after connecting again and again ({why}): another client uses this device's identity; find it, \
             or give this device a certificate of its own; trying again in {again}"
        ),
        Loss::Displaced => write!(
            f,
            "{why}: it uses this device's identity; find it, or give this device a certificate of its own; trying again in \
             {again}"
        ),
    }
}

/// How many, with the noun.
pub struct Readings(pub u64);

impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reading{}", self.0, if self.0 == 1 { "" } else { "s" })
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

/// What was answered to a desired property.
/// What it has to do with a fence.
fn has(kind: CrossingKind) -> &'static str {
    match kind {
        CrossingKind::Inside => "is in",
        CrossingKind::Enter => "has entered",
        CrossingKind::Exit => "has left",
        CrossingKind::Crossed => "has passed through, between two fixes,",
    }
}

fn setting(f: &mut fmt::Formatter<'_>, answer: &Answer) -> fmt::Result {
    let Answer { property, acknowledgement: ack, standing } = answer;
    write!(f, "twin: {property}")?;
    match (standing, ack.code as u16) {
        (Standing::WithoutMeaning(None), _) => f.write_str(" kept, without meaning"),
        (Standing::WithoutMeaning(Some(meant)), _) => {
            write!(f, " kept, without meaning; did you mean {meant}?")
        }
        (Standing::Absent, _) => write!(f, " is not set any more, {} stays in force", ack.value),
        (_, 200) => write!(f, " = {}", ack.value),
        (_, 203) => write!(f, " is not set, {} is in force", ack.value),
        (_, 202) => write!(f, ": {}", ack.description),
        _ => write!(f, " refused: {}; {} stays in force", ack.description, ack.value),
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
    use serde_json::json;
    use tracker_protocol::dps::{Refusal, RefusalKind};
    use tracker_protocol::hub::{AckCode, Acknowledgement};
    use tracker_sensors::health::{Health, State};

    use super::*;
    use crate::alarms;
    use crate::alarms::life::Kind;
    use crate::event::severity::Severity;

    /// What clouds, files and devices have tried.
    const NASTY: [&str; 5] = [
        "a\n<3>all is well",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "\u{9b}31m\r\t\0\u{7f}",
        "\u{202e}lla\u{2066}si\u{2069}",
        "x\u{2028}y\u{85}z",
    ];

    fn setting(text: &str, code: AckCode, standing: Standing) -> Event {
        let (value, description) = (json!({ text: [text] }), text.to_owned());
        let acknowledgement = Acknowledgement { value, code, version: 1, description };
        Event::Setting(Answer { property: text.into(), acknowledgement, standing })
    }

    fn events(text: &str) -> Vec<Event> {
        let t = || text.to_owned();
        let again = Duration::from_secs(1);
        let health = Health { state: State::Failed, cause: Some(t()), ..Health::default() };
        let refusal = Refusal { kind: RefusalKind::Failed, code: 401_002, message: t() };
        let codes = [AckCode::Applied, AckCode::Pending, AckCode::Default, AckCode::Bad];
        let known = codes.map(|code| setting(text, code, Standing::Meaningful));
        let others = [Standing::Removed, Standing::Absent, Standing::WithoutMeaning(None)];
        let others = others.map(|standing| setting(text, AckCode::NoSuchProperty, standing));
        let rest = [
            Event::Registering { host: t(), id_scope: t() },
            Event::Assigned { hub: t(), device_id: t(), substatus: Some(Substatus::Other(t())) },
            Event::Refused { refusal, again },
            Event::RegisterLater { why: t(), again },
            Event::Connecting { hub: t() },
            Event::ConnectLater { why: t(), again: Duration::ZERO },
            Event::ConnectLater { why: t(), again },
            Event::Online { hub: t(), backlog: 1 },
            Event::CertificateRefused { why: t() },
            Event::Lost { why: t(), loss: Loss::Ordinary, again },
            Event::Lost { why: t(), loss: Loss::TakenOver, again },
            Event::Lost { why: t(), loss: Loss::Displaced, again },
            Event::Method { name: t(), status: 404 },
            Event::Sensor { name: "gps", health },
            Event::Alarm { what: t(), kind: Kind::Raised, severity: alarms::rule::Severity::Warning },
            Event::Note(t()),
            Event::Trouble(t()),
            Event::Repeated { last: Box::new(Event::Trouble(t())), times: 9 },
        ];
        known.into_iter().chain(others).chain(rest).collect()
    }

    #[test]
    fn one_is_one() {
        let told = |backlog| Event::Stopped { backlog, lost: 0 }.to_string();
        assert_eq!(told(1), "stopped, 1 reading waits for the next start");
        assert_eq!(told(2), "stopped, 2 readings wait for the next start");
        let online = |backlog| Event::Online { hub: "h".into(), backlog }.to_string();
        assert_eq!(
            (online(1), online(2)),
            ("online at h, 1 reading to send".into(), "online at h, 2 readings to send".into())
        );
    }

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

    #[test]
    fn no_event_carries_what_a_terminal_or_a_log_would_obey() {
        for text in NASTY {
            for event in events(text) {
                let line = event.to_string();
                let obeyed = |c: char| {
                    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                };
                assert!(!line.contains(obeyed), "{line:?}");
                assert!(line.contains('\\'), "it is shown: {line}");
            }
        }
        for event in events(&"é".repeat(300_000)) {
            assert!(event.to_string().chars().count() <= 2100, "{}", event.name());
        }
    }

    #[test]
    fn a_property_that_nobody_set_and_one_without_meaning_are_told_as_such() {
        let answer = |standing, code| {
            let description = "null or removed is no interval".into();
            let acknowledgement = Acknowledgement { value: json!(2), code, version: 1, description };
            Event::Setting(Answer { property: "telemetryInterval".into(), acknowledgement, standing })
        };
        for (standing, code, level, words) in [
            (
                Standing::Removed,
                AckCode::Bad,
                Severity::Warning,
                " refused: null or removed is no interval; 2 stays in force",
            ),
            (Standing::Absent, AckCode::Bad, Severity::Info, " is not set any more, 2 stays in force"),
            (Standing::WithoutMeaning(None), AckCode::Applied, Severity::Info, " kept, without meaning"),
            (
                Standing::WithoutMeaning(Some("delivery")),
                AckCode::NoSuchProperty,
                Severity::Warning,
                " kept, without meaning; did you mean delivery?",
            ),
        ] {
            let event = answer(standing, code);
            assert_eq!(event.to_string(), format!("twin: telemetryInterval{words}"));
            assert_eq!(event.severity(), level);
        }
    }
}
