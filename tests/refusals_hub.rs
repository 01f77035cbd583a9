//! Every way in which a hub refuses a device: what passes on the wire, what the agent logs, and what it does next.
//!
//! Two clients with one identity are in `life.rs`. What the agent never does (unknown topics, `QoS` 2, oversized messages)
//! is refused to other clients in the emulator's own tests.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::type_complexity)]

mod support;

use chrono::TimeDelta;
use serde_json::json;
use support::agent::Agent;
use support::stage::{DEVICE, Stage, play};
use tracing::Level;
use tracker_emulator::pki::Validity;
use tracker_emulator::{
    Authentication, AuthenticationType, DeviceSettings, FaultKind, FaultyService, IfMatch, SymmetricKey,
    X509Thumbprint,
};

const WARN: Level = Level::WARN;
const ERROR: Level = Level::ERROR;

/// A hub that does not let the device in: DPS is asked, and decides.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of all cases, to be read at a glance")]
fn a_hub_that_refuses_a_connection_sends_the_device_to_dps() {
    #[derive(Clone, Copy, PartialEq)]
    enum After {
        /// DPS assigns the device, and its hub lets it in.
        Online,
        /// DPS assigns it, its hub goes on refusing it, and a person is told.
        StillRefused,
        /// DPS refuses it as well.
        Refused,
        /// The hub is tried again, without DPS.
        TriedAgain,
    }
    type Arrange = fn(&mut Stage);
    let identity = "the server does not accept this device (CONNACK 5, not authorized); asking DPS";
    let cases: &[(&str, (Arrange, &str, &str, After))] = &[
        (
            "deleted",
            (|stage| stage.cloud.hub.delete(DEVICE).unwrap(), "-> CONNACK 5", identity, After::Online),
        ),
        (
            "disabled",
            (
                |stage| drop(stage.cloud.hub.disable(DEVICE).unwrap()),
                "-> CONNACK 5",
                identity,
                After::StillRefused,
            ),
        ),
        (
            "another certificate",
            (
                |stage| {
                    let thumbprint = Some("A".repeat(64));
                    let settings = DeviceSettings {
                        authentication: Authentication {
                            kind: AuthenticationType::SelfSigned,
                            symmetric_key: SymmetricKey::default(),
                            x509_thumbprint: X509Thumbprint {
                                primary_thumbprint: thumbprint.clone(),
                                secondary_thumbprint: thumbprint,
                            },
                        },
                        ..DeviceSettings::default()
                    };
                    stage.cloud.hub.update_device(DEVICE, settings, &IfMatch::Any).unwrap();
                },
                "-> CONNACK 5",
                identity,
                After::Online,
            ),
        ),
        (
            "expired by the hub's clock",
            (|stage| stage.clock.advance(TimeDelta::days(20)), "-> CONNACK 5", identity, After::Refused),
        ),
        (
            "client ID rejected",
            (
                |stage| stage.fault(FaultyService::AnyHub, FaultKind::RefuseConnect { code: 2 }, Some(1)),
                "-> CONNACK 2",
                "the server does not accept the client ID (CONNACK 2); asking DPS",
                After::Online,
            ),
        ),
        (
            "unavailable",
            (
                |stage| stage.fault(FaultyService::AnyHub, FaultKind::RefuseConnect { code: 3 }, Some(1)),
                "-> CONNACK 3",
                "the server is unavailable (CONNACK 3); trying again in",
                After::TriedAgain,
            ),
        ),
        (
            "bad user name",
            (
                |stage| stage.fault(FaultyService::AnyHub, FaultKind::RefuseConnect { code: 4 }, Some(1)),
                "-> CONNACK 4",
                "the server does not accept this device (CONNACK 4, bad user name); asking DPS",
                After::Online,
            ),
        ),
        (
            "quota used up",
            (
                |stage| stage.fault(FaultyService::AnyHub, FaultKind::RefuseConnect { code: 5 }, None),
                "-> CONNACK 5",
                identity,
                After::StillRefused,
            ),
        ),
    ];
    play(cases, async |mut stage, (arrange, packet, words, after)| {
        let validity = Validity {
            not_before: stage.now() - TimeDelta::days(1),
            not_after: stage.now() + TimeDelta::days(10),
        };
        stage.config = stage.cloud.device_valid(DEVICE, validity).unwrap();
        stage.online().await.stop().await;
        arrange(&mut stage);
        let mut agent = stage.agent();
        stage.log.wait_for(WARN, words).await;
        assert!(stage.log.has_passed(packet), "{}", stage.log.wire().join("\n"));
        let assigned = |agent: &Agent| agent.story().contains("DPS assigned the hub");
        match after {
            After::Online => {
                agent.wait_for_words("online at").await;
                assert!(assigned(&agent), "{}", agent.story());
            }
            After::TriedAgain => {
                agent.wait_for_words("online at").await;
                assert!(!assigned(&agent), "{}", agent.story());
            }
            After::StillRefused => {
                let words = "and DPS has just assigned this device there: is it disabled at the hub, or the hub's quota used up?";
                stage.log.wait_for(WARN, words).await;
            }
            After::Refused => {
                stage
                    .log
                    .wait_for(ERROR, "DPS refuses this device: no enrollment accepts this certificate")
                    .await;
            }
        }
        agent.stop().await;
    });
}

/// A hub that drops a connected device gives no reason; the device finds out by coming back.
#[test]
fn a_hub_that_drops_the_device_is_connected_to_again() {
    type Arrange = fn(&Stage);
    let lost = "connection lost: the server closed the connection; trying again in";
    let cases: &[(&str, (Arrange, &str, &str))] = &[
        (
            "deleted",
            (
                |stage| stage.cloud.hub.delete(DEVICE).unwrap(),
                "the device was deleted",
                "asking DPS where this device belongs",
            ),
        ),
        (
            "disabled",
            (
                |stage| drop(stage.cloud.hub.disable(DEVICE).unwrap()),
                "the device was disabled",
                "asking DPS where this device belongs",
            ),
        ),
        (
            "dropped",
            (
                |stage| assert!(stage.cloud.hub.drop_connection(DEVICE).unwrap()),
                "a fault was asked for",
                "online at",
            ),
        ),
        (
            "throttled",
            (
                |stage| {
                    stage.fault(FaultyService::AnyHub, FaultKind::Throttle { per_second: 1 }, Some(2));
                    // An answer to each, and the answer is one publish too many.
                    for value in 2..5 {
                        stage.cloud.hub.update_twin_desired(DEVICE, json!({"cargo": value})).unwrap();
                    }
                },
                "a fault was asked for",
                "online at",
            ),
        ),
        (
            "quota used up",
            (
                |stage| {
                    stage.fault(FaultyService::AnyHub, FaultKind::RefuseConnect { code: 5 }, Some(1));
                    assert!(stage.cloud.hub.drop_connection(DEVICE).unwrap());
                },
                "a fault was asked for",
                "CONNACK 5, not authorized",
            ),
        ),
    ];
    play(cases, async move |stage, (arrange, reason, then)| {
        let mut events = stage.cloud.emulator.events();
        let mut agent = stage.online().await;
        agent.wait_for_words("twin: telemetryInterval = 3600").await;
        agent.take_events();
        arrange(&stage);
        stage.log.wait_for(WARN, lost).await;
        let dropped = async {
            loop {
                let event = events.next().await.unwrap();
                if let tracker_emulator::EventKind::DeviceDisconnected { reason, .. } = &event.kind {
                    return reason.to_string();
                }
            }
        };
        assert_eq!(dropped.await, reason);
        agent.wait_for_words(then).await;
        agent.stop().await;
    });
}

/// A twin that is not given, or reports that are not taken: a warning, and the connection stays.
#[test]
fn a_hub_that_refuses_twin_requests_is_a_warning() {
    let cases: &[(&str, (u16, u32, &[&str]))] = &[
        ("reading it, 400", (400, 1, &["twin", "the hub answered 400"])),
        ("reading it, 429", (429, 1, &["twin", "the hub answered 429"])),
        ("reading it, 500", (500, 1, &["twin", "the hub answered 500"])),
        ("reporting, 400", (400, 2, &["the hub refused the report of", "with 400", "a fault was asked for"])),
        ("reporting, 413", (413, 2, &["the hub refused the report of", "with 413"])),
        ("reporting, 429", (429, 2, &["the hub answered 429 to the report of properties; it is repeated"])),
        ("reporting, 503", (503, 2, &["the hub answered 503 to the report of properties; it is repeated"])),
    ];
    play(cases, async |stage, (status, request, words)| {
        let kind = FaultKind::TwinError { status };
        if request == 1 {
            stage.fault(FaultyService::AnyHub, kind, Some(1));
        }
        let mut agent = stage.online().await;
        if request == 2 {
            agent.wait_for_words("twin: telemetryInterval = 3600").await;
            stage.fault(FaultyService::AnyHub, FaultKind::TwinError { status }, Some(1));
            stage.cloud.hub.update_twin_desired(DEVICE, json!({"cargo": "gouda"})).unwrap();
        }
        let line = stage.log.wait_for(WARN, words[0]).await;
        for words in words {
            assert!(line.contains(words), "no \"{words}\" in {line}");
        }
        let answer = format!("-> PUBLISH QoS 0 \"$iothub/twin/res/{status}/?$rid=");
        assert!(stage.log.has_passed(&answer), "{}", stage.log.wire().join("\n"));
        assert!(!agent.story().contains("connection lost"), "{}", agent.story());
        agent.stop().await;
    });
}
