//! Every way in which DPS refuses a device: what passes on the wire, what the agent logs, and what it does next.
//!
//! Certificates that the agent itself finds expired, or not valid yet, are in `identity.rs`. What the agent never does
//! (unknown topics, `QoS` 2, oversized messages, a registration ID that is not the common name) is refused to other
//! clients in the emulator's own tests.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::type_complexity, clippy::disallowed_methods)]

mod support;

use std::time::Duration;

use chrono::TimeDelta;
use container_tracker::config::Endpoint;
use container_tracker::event::Event;
use container_tracker::lab::Cloud;
use support::stage::{DEVICE, GROUP, Stage, first_certificate, play};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tracing::Level;
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_emulator::{
    AllocationPolicy, AttestationMechanism, CustomAllocationDefinition, FaultKind, FaultyService, IfMatch,
    SymmetricKey,
};

const MINUTE: Duration = Duration::from_mins(1);
const WARN: Level = Level::WARN;
const ERROR: Level = Level::ERROR;

/// What passes at the cloud, and what the agent makes of it.
struct Seen {
    /// Parts of packets, in the words of the emulator's wire log.
    wire: &'static [&'static str],
    /// Of the sentence.
    level: Level,
    /// Parts of one sentence of the agent.
    words: &'static [&'static str],
}

async fn sees(stage: &Stage, seen: &Seen) {
    let line = stage.log.wait_for(seen.level, seen.words[0]).await;
    for words in seen.words {
        assert!(line.contains(words), "no \"{words}\" in {line}");
    }
    for packet in seen.wire {
        assert!(stage.log.has_passed(packet), "no {packet} in\n{}", stage.log.wire().join("\n"));
    }
}

/// DPS says no: it is an error for a person, the device goes on measuring and does not ask again soon.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of all cases, to be read at a glance")]
fn what_dps_refuses_is_told_to_a_person() {
    type Arrange = fn(&mut Stage);
    static UNAUTHORIZED: Seen = Seen {
        wire: &["-> CONNACK 0", "-> PUBLISH QoS 0 \"$dps/registrations/res/401/?$rid=1\""],
        level: ERROR,
        words: &[
            "DPS refuses this device: no enrollment accepts this certificate",
            "error 401002",
            "asks again in",
        ],
    };
    static DISABLED: Seen = Seen {
        wire: &["-> CONNACK 0", "-> PUBLISH QoS 0 \"$dps/registrations/res/200/?$rid=1\""],
        level: ERROR,
        words: &[
            "DPS refuses this device: the enrollment of this device, or its group, is disabled",
            "asks again in",
        ],
    };
    let cases: &[(&str, (Arrange, &'static Seen))] = &[
        (
            "individual enrollment disabled",
            (
                |stage| {
                    stage.enroll(AttestationMechanism::client_certificate(stage.leaf()));
                    stage.cloud.emulator.dps().individuals().disable(DEVICE).unwrap();
                },
                &DISABLED,
            ),
        ),
        (
            "group disabled",
            (|stage| drop(stage.cloud.emulator.dps().groups().disable(GROUP).unwrap()), &DISABLED),
        ),
        (
            "enrollment deleted",
            (
                |stage| stage.cloud.emulator.dps().groups().delete(GROUP, &IfMatch::Any).unwrap(),
                &UNAUTHORIZED,
            ),
        ),
        (
            "CA no longer verified",
            (
                |stage| {
                    let certificates = stage.cloud.emulator.dps().certificates();
                    certificates.delete("laboratory-root").unwrap();
                },
                &UNAUTHORIZED,
            ),
        ),
        (
            "chain without its intermediate",
            (
                |stage| {
                    let leaf = stage.leaf();
                    std::fs::write(&stage.config.identity.certificate, leaf).unwrap();
                },
                &UNAUTHORIZED,
            ),
        ),
        (
            "certificate of another CA",
            (
                |stage| {
                    let root = CertificateAuthority::root("Somebody", Validity::always()).unwrap();
                    let made = root.device(DEVICE, Validity::always()).unwrap();
                    std::fs::write(&stage.config.identity.certificate, made.chain_pem).unwrap();
                    std::fs::write(stage.config.identity.key.file().unwrap(), made.key_pem).unwrap();
                },
                &UNAUTHORIZED,
            ),
        ),
        (
            "another certificate enrolled",
            (
                |stage| {
                    let other = stage.cloud.device("other").unwrap();
                    stage.enroll(AttestationMechanism::client_certificate(first_certificate(&other)));
                },
                &UNAUTHORIZED,
            ),
        ),
        (
            "another kind of attestation enrolled",
            (
                |stage| stage.enroll(AttestationMechanism::symmetric_key(SymmetricKey::default())),
                &UNAUTHORIZED,
            ),
        ),
        (
            "expired by the cloud's clock",
            (
                |stage| {
                    let validity = Validity {
                        not_before: stage.now() - TimeDelta::days(1),
                        not_after: stage.now() + TimeDelta::days(1),
                    };
                    stage.config = stage.cloud.device_valid(DEVICE, validity).unwrap();
                    stage.clock.advance(TimeDelta::days(2));
                },
                &UNAUTHORIZED,
            ),
        ),
        (
            "not valid yet by the cloud's clock",
            (
                |stage| {
                    let validity = Validity {
                        not_before: stage.now() - TimeDelta::days(1),
                        not_after: stage.now() + TimeDelta::days(1),
                    };
                    stage.config = stage.cloud.device_valid(DEVICE, validity).unwrap();
                    stage.clock.advance(TimeDelta::days(-2));
                },
                &UNAUTHORIZED,
            ),
        ),
    ];
    play(cases, async |mut stage, (arrange, seen)| {
        arrange(&mut stage);
        let agent = stage.agent();
        sees(&stage, seen).await;
        assert!(stage.log.has_passed(&format!("<- CONNECT client id \"{DEVICE}\"")));
        let refused = |event: &Event| matches!(event, Event::Refused { again, .. } if *again >= MINUTE);
        assert!(agent.events().iter().any(refused), "{}", agent.story());
        agent.wait_for_reading(&stage.config.state.directory).await;
        let stats = agent.stop().await;
        assert!(stats.taken >= 1 && stats.backlog == stats.taken, "it keeps its readings: {stats:?}");
        assert!(!stage.directory.path().join(DEVICE).join("state/assignment.json").exists());
    });
}

/// What DPS says of the registration itself: the topic says 200, or the request was wrong.
#[test]
fn a_registration_that_fails_is_told_to_a_person() {
    #[derive(Clone, Copy)]
    enum Cause {
        /// The custom allocation webhook answers so.
        Webhook(u16, &'static str),
        /// No hub of the enrollment is linked any more.
        Unlinked,
        /// DPS answers with this status.
        Status(u16),
    }
    let failed = "-> PUBLISH QoS 0 \"$dps/registrations/res/200/?$rid=2\"";
    let cases: &[(&str, (Cause, &str, &[&str]))] = &[
        (
            "webhook names no hub",
            (Cause::Webhook(200, "{}"), failed, &["the registration failed", "error 400208"]),
        ),
        (
            "webhook is not let in",
            (Cause::Webhook(401, ""), failed, &["the registration failed", "error 400209"]),
        ),
        (
            "webhook fails",
            (
                Cause::Webhook(400, ""),
                failed,
                &["the registration failed", "error 400207", "status code: 400"],
            ),
        ),
        ("no hub linked", (Cause::Unlinked, failed, &["the registration failed", "error "])),
        (
            "400",
            (
                Cause::Status(400),
                "$dps/registrations/res/400/?$rid=1",
                &["the request was not acceptable", "error 400001"],
            ),
        ),
        (
            "403",
            (
                Cause::Status(403),
                "$dps/registrations/res/403/?$rid=1",
                &["no enrollment accepts", "error 403001"],
            ),
        ),
        (
            "404",
            (
                Cause::Status(404),
                "$dps/registrations/res/404/?$rid=1",
                &["there is no enrollment for this registration ID", "error 404001"],
            ),
        ),
    ];
    play(cases, async |stage, (cause, packet, words)| {
        match cause {
            Cause::Webhook(status, body) => {
                let webhook_url = webhook(status, body).await;
                stage.group(|group| {
                    group.terms.allocation_policy = AllocationPolicy::Custom;
                    let api_version = "2019-03-31".into();
                    group.terms.custom_allocation_definition =
                        Some(CustomAllocationDefinition { webhook_url, api_version });
                });
            }
            Cause::Unlinked => stage.cloud.emulator.dps().unlink_hub(Cloud::HUB).unwrap(),
            Cause::Status(status) => {
                stage.fault(FaultyService::Dps, FaultKind::DpsError { status, retry_after: None }, None);
            }
        }
        let agent = stage.agent();
        let line = stage.log.wait_for(ERROR, "DPS refuses this device").await;
        for words in words {
            assert!(line.contains(words), "no \"{words}\" in {line}");
        }
        assert!(stage.log.has_passed(packet), "{}", stage.log.wire().join("\n"));
        let refused = |event: &Event| matches!(event, Event::Refused { again, .. } if *again >= MINUTE);
        assert!(agent.events().iter().any(refused), "{}", agent.story());
        agent.stop().await;
    });
}

/// Answers every request with this.
async fn webhook(status: u16, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/choose", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16 * 1024];
            // All of it comes at once on loopback, and nothing of it matters here.
            let _ = stream.read(&mut request).await;
            let head =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes()).await;
        }
    });
    url
}

/// DPS can't, or not now: a warning, and another try no sooner than asked.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of all cases, to be read at a glance")]
fn what_keeps_dps_from_answering_is_a_warning() {
    #[derive(Clone, Copy)]
    enum Cause {
        Error(u16),
        Connack(u8),
        Scope,
        Fault(fn() -> FaultKind),
    }
    let asked = 120;
    let cases: &[(&str, (Cause, &[&str], &[&str]))] = &[
        (
            "throttled",
            (
                Cause::Error(429),
                &["$dps/registrations/res/429/?$rid=1&retry-after=120"],
                &["no hub from DPS: DPS is throttling (error 429001", "trying again in"],
            ),
        ),
        (
            "unavailable",
            (
                Cause::Error(503),
                &["$dps/registrations/res/503/?$rid=1&retry-after=120"],
                &["no hub from DPS: DPS answered 503 (error 503001", "trying again in"],
            ),
        ),
        (
            "a fault of the service",
            (
                Cause::Error(500),
                &["$dps/registrations/res/500/?$rid=1&retry-after=120"],
                &["no hub from DPS: DPS answered 500 (error 500001"],
            ),
        ),
        (
            "two registrations at once",
            (
                Cause::Error(409),
                &["$dps/registrations/res/409/?$rid=1&retry-after=120"],
                &["no hub from DPS: DPS answered 409 (error 409001"],
            ),
        ),
        (
            "client ID rejected",
            (Cause::Connack(2), &["-> CONNACK 2"], &["the server does not accept the client ID (CONNACK 2)"]),
        ),
        (
            "unavailable at CONNECT",
            (
                Cause::Connack(3),
                &["-> CONNACK 3"],
                &["the server is unavailable (CONNACK 3); trying again in"],
            ),
        ),
        (
            "bad user name",
            (
                Cause::Connack(4),
                &["-> CONNACK 4"],
                &["the server does not accept this device (CONNACK 4", "(dps.id_scope)?"],
            ),
        ),
        (
            "wrong ID scope",
            (
                Cause::Scope,
                &["user name Some(\"0ne0000dead/registrations/sensor-thl-001/api-version=", "-> CONNACK 5"],
                &[
                    "the server does not accept this device (CONNACK 5",
                    "is the ID scope 0ne0000dead right (dps.id_scope)?",
                ],
            ),
        ),
        (
            "an answer that is none",
            (
                Cause::Fault(|| FaultKind::GarbageBody),
                &["$dps/registrations/res/202/?$rid=1"],
                &["no hub from DPS: not a valid DPS registration answer", "<html>"],
            ),
        ),
        (
            "silence",
            (
                Cause::Fault(|| FaultKind::BlackHole),
                &["<- SUBSCRIBE"],
                &["no hub from DPS: DPS did not acknowledge the subscription"],
            ),
        ),
        (
            "hung up",
            (
                Cause::Fault(|| FaultKind::DropConnection),
                &["<- SUBSCRIBE"],
                &["no hub from DPS: the server closed the connection"],
            ),
        ),
    ];
    play(cases, async move |mut stage, (cause, wire, words)| {
        let dps = FaultyService::Dps;
        match cause {
            Cause::Error(status) => {
                let retry_after = Some(Duration::from_secs(asked));
                stage.fault(dps, FaultKind::DpsError { status, retry_after }, None);
            }
            Cause::Connack(code) => stage.fault(dps, FaultKind::RefuseConnect { code }, None),
            Cause::Scope => stage.config.dps.id_scope = "0ne0000dead".into(),
            Cause::Fault(kind) => stage.fault(dps, kind(), None),
        }
        let mut agent = stage.agent();
        let line = stage.log.wait_for(WARN, words[0]).await;
        if matches!(cause, Cause::Connack(_) | Cause::Scope) {
            let place = format!("no hub from DPS: localhost:{}: ", stage.cloud.emulator.port());
            assert!(line.contains(&place), "no \"{place}\" in {line}");
        }
        for words in words {
            assert!(line.contains(words), "no \"{words}\" in {line}");
        }
        for packet in wire {
            assert!(stage.log.has_passed(packet), "no {packet} in\n{}", stage.log.wire().join("\n"));
        }
        // Who hangs up may mind what followed CONNECT: there one attempt more is made at once.
        let wait = |events: &[Event]| {
            events.iter().find_map(|event| match event {
                Event::RegisterLater { again, .. } if !again.is_zero() => Some(*again),
                _ => None,
            })
        };
        agent.wait_until("later", |events| wait(events).is_some()).await;
        let wait = wait(&agent.events());
        let least = if matches!(cause, Cause::Error(_)) { asked } else { 1 };
        assert!(wait.unwrap() >= Duration::from_secs(least), "{wait:?}");
        assert!(
            stage.log.lines_at(ERROR).is_empty(),
            "nobody can mend this: {:?}",
            stage.log.lines_at(ERROR)
        );
        agent.stop().await;
    });
}

/// A server that judges the certificate in TLS, as hubs were seen to do with expired ones.
#[tokio::test]
async fn a_refusal_within_tls_names_the_certificate() {
    let mut stage = Stage::set().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stage.config.connection.gateway = Some(Endpoint::local(listener.local_addr().unwrap().port()));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            // A fatal alert, unknown_ca.
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 48]).await;
        }
    });
    let agent = stage.agent();
    let line = stage.log.wait_for(WARN, "the server broke off TLS").await;
    assert!(line.contains("(UnknownCA); it may not accept this device's certificate"), "{line}");
    agent.stop().await;
}
