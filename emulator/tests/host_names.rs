//! The three names of a hub: who is reached there, by which version of TLS, and with which certificate.

use std::{path::Path, process::Command, time::Duration};

use crate::common::{
    Dial, HUB, Lab, event,
    service::{Service, sas},
    tls,
};
use rustls::{
    ProtocolVersion, SupportedProtocolVersion, pki_types::ServerName, version::TLS12, version::TLS13,
};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tracker_emulator::{
    AttestationMechanism, DpsError, Emulator, EventKind, IndividualEnrollment, TlsVersions,
    pki::{CertificateAuthority, Validity},
};

const DEVICE_NAME: &str = "hub-1.device.azure-devices.net";
const SERVICE_NAME: &str = "hub-1.service.azure-devices.net";
const DPS: &str = "global.azure-devices-provisioning.net";
/// One with another ending.
const ELSEWHERE: &str = "yard.example.org";

async fn start(versions: TlsVersions) -> Emulator {
    let emulator = Emulator::builder().hubs([HUB, ELSEWHERE]).tls(versions).start().await;
    emulator.expect("it starts")
}

/// The version that is agreed on at this name with a client that has these.
async fn agreed(
    emulator: &Emulator,
    port: u16,
    name: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Option<ProtocolVersion> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let connector = TlsConnector::from(tls(emulator, None, versions));
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    // Certificate and name are checked by the client.
    let stream = connector.connect(name, stream).await.ok()?;
    stream.get_ref().1.protocol_version()
}

/// What is agreed on with a client of 1.2 alone, of 1.3 alone, and of both.
async fn spoken(emulator: &Emulator, port: u16, name: &str) -> [Option<ProtocolVersion>; 3] {
    [
        agreed(emulator, port, name, &[&TLS12]).await,
        agreed(emulator, port, name, &[&TLS13]).await,
        agreed(emulator, port, name, &[&TLS13, &TLS12]).await,
    ]
}

const V12: Option<ProtocolVersion> = Some(ProtocolVersion::TLSv1_2);
const V13: Option<ProtocolVersion> = Some(ProtocolVersion::TLSv1_3);
const BOTH: [Option<ProtocolVersion>; 3] = [V12, V13, V13];
const OLD: [Option<ProtocolVersion>; 3] = [V12, None, V12];
const NEW: [Option<ProtocolVersion>; 3] = [None, V13, V13];

#[tokio::test]
async fn every_name_has_its_versions_on_both_ports() {
    for (versions, classic, modern, other) in [
        (TlsVersions::All, BOTH, BOTH, BOTH),
        (TlsVersions::Tls12, OLD, OLD, OLD),
        (TlsVersions::Azure, OLD, BOTH, BOTH),
        (TlsVersions::Split, OLD, NEW, BOTH),
    ] {
        let emulator = start(versions).await;
        let service = emulator.service_address().expect("a service side").port();
        for port in [emulator.port(), service] {
            for name in [HUB, "HUB-9.azure-devices.net", DPS, ELSEWHERE] {
                assert_eq!(spoken(&emulator, port, name).await, classic, "{versions:?} {name}");
            }
            for name in
                [DEVICE_NAME, SERVICE_NAME, "Hub-9.Device.azure-devices.net", "yard.device.example.org"]
            {
                assert_eq!(spoken(&emulator, port, name).await, modern, "{versions:?} {name}");
            }
            for name in ["localhost", "127.0.0.1"] {
                assert_eq!(spoken(&emulator, port, name).await, other, "{versions:?} {name}");
            }
        }
        emulator.shutdown().await;
    }
}

#[tokio::test]
async fn openssl_agrees_with_every_name_and_its_certificate() {
    let emulator =
        Emulator::builder().hubs([HUB]).rsa().tls(TlsVersions::Azure).start().await.expect("it starts");
    let directory = tempfile::tempdir().expect("a temporary directory");
    write(&directory.path().join("ca.pem"), &emulator.server_ca_pem());
    for kind in ["ECDSA+SHA256", "RSA-PSS+SHA256:RSA+SHA256"] {
        for (name, version, goes) in [
            (HUB, "-tls1_2", true),
            (HUB, "-tls1_3", false),
            (DPS, "-tls1_2", true),
            (DPS, "-tls1_3", false),
            (DEVICE_NAME, "-tls1_2", true),
            (DEVICE_NAME, "-tls1_3", true),
            (SERVICE_NAME, "-tls1_3", true),
        ] {
            let arguments = format!(
                "s_client -connect {} -servername {name} {version} -sigalgs {kind} -CAfile ca.pem \
                 -verify_return_error -verify_hostname {name}",
                emulator.address()
            );
            let (went, text) = openssl(directory.path(), arguments).await;
            assert_eq!(went, goes, "{kind} {version} {name}: {text}");
            let authority = if kind.starts_with("RSA") { "RSA" } else { "ECDSA" };
            assert!(!goes || text.contains(authority), "{kind} {version} {name}: {text}");
        }
    }
}

async fn openssl(directory: &Path, arguments: String) -> (bool, String) {
    let directory = directory.to_owned();
    let run = tokio::task::spawn_blocking(move || {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace()).current_dir(directory);
        // Its standard input is empty, so it leaves when the handshake is done.
        command.stdin(std::process::Stdio::null()).output()
    });
    let output = run.await.expect("it ends").expect("the openssl command line is installed");
    let text =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    (output.status.success(), text)
}

fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).expect("a temporary file");
    file.write_all(text.as_bytes()).expect("room for it");
}

#[tokio::test]
async fn a_client_of_the_wrong_version_is_told_of_with_the_name() {
    let emulator = start(TlsVersions::Split).await;
    let mut events = emulator.events();
    for (name, version, words) in [
        (HUB, &TLS13, "at hub-1.azure-devices.net TLS 1.2 alone is spoken"),
        (DEVICE_NAME, &TLS12, "at hub-1.device.azure-devices.net TLS 1.3 alone is spoken"),
    ] {
        assert_eq!(agreed(&emulator, emulator.port(), name, &[version]).await, None);
        let reason = event(&mut events, |kind| match kind {
            EventKind::HandshakeFailed { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        let reason = reason.await;
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn all_names_of_a_hub_lead_devices_to_it() {
    let lab = Lab::start().await;
    let credentials = lab.credentials("d1");
    let (status, body) = lab.register("d1", &credentials).await;
    assert_eq!((status, &body["registrationState"]["assignedHub"]), (200, &json!(HUB)), "{body}");
    for name in [HUB, DEVICE_NAME, SERVICE_NAME, "HUB-1.Device.Azure-Devices.NET"] {
        let user_name = Some(format!("{name}/d1/?api-version=2021-04-12"));
        let dial = Dial { user_name, ..lab.to_hub("d1", &credentials) };
        let mut client = dial.connect().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        client.publish("devices/d1/messages/events/", "{}").await;
        client.disconnect().await;
    }
    assert_eq!(lab.emulator.hub(DEVICE_NAME).expect("the hub").counters("d1").expect("it").received, 4);
    for name in ["hub-2.device.azure-devices.net", "hub-1", "hub-1.other.azure-devices.net", "hub-1.device"] {
        let user_name = Some(format!("{name}/d1/?api-version=2021-04-12"));
        let dial = Dial { user_name, ..lab.to_hub("d1", &credentials) };
        assert_eq!(dial.refused().await, rumqttc::ConnectReturnCode::NotAuthorized, "{name}");
    }
}

#[tokio::test]
async fn tokens_and_calls_may_name_the_hub_by_any_of_its_names() {
    let lab = Lab::start().await;
    let owner = Service::hub(&lab.emulator);
    let body = json!({"deviceId": "s1", "authentication": {"type": "sas"}}).to_string();
    let created = owner.call("PUT", "/devices/s1?api-version=2021-04-12", &[], &body).await;
    let key =
        created.body["authentication"]["symmetricKey"]["primaryKey"].as_str().expect("a key").to_owned();
    let port = owner.port;
    for (asked, signed) in [
        (DEVICE_NAME, DEVICE_NAME),
        ("hub-1.service.AZURE-devices.net", SERVICE_NAME),
        (SERVICE_NAME, HUB),
        (HUB, SERVICE_NAME),
        ("localhost", SERVICE_NAME),
    ] {
        // By the host, and for one with a policy's key.
        let token = sas(signed, &owner.key, 4_000_000_000, Some("iothubowner"));
        let mut service = Service::hub(&lab.emulator);
        service.host = format!("{asked}:{port}");
        let target = "/devices/s1?api-version=2021-04-12";
        let reply = service.call_with("GET", target, &[("Authorization", &token)], "").await;
        assert_eq!((reply.status, &reply.body["deviceId"]), (200, &json!("s1")), "{asked} {signed}");
        // As a device, with its own key and with a policy's.
        for (key, policy) in [(&key, None), (&owner.key, Some("iothubowner"))] {
            let resource = format!("{signed}/devices/s1");
            let dial = Dial {
                client_id: "s1".into(),
                user_name: Some(format!(
                    "{}/s1/?api-version=2021-04-12",
                    if asked == "localhost" { HUB } else { asked }
                )),
                password: sas(&resource, key, 4_000_000_000, policy),
                ..Dial::new(&lab.emulator, None)
            };
            let client = dial.connect().await.unwrap_or_else(|error| panic!("{asked} {resource}: {error}"));
            client.disconnect().await;
        }
    }
    let token = sas("hub-2.device.azure-devices.net", &owner.key, 4_000_000_000, Some("iothubowner"));
    let reply =
        owner.call_with("GET", "/devices/s1?api-version=2021-04-12", &[("Authorization", &token)], "").await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn dps_tells_devices_the_name_that_it_was_told_to() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let builder = |hubs: [&str; 2]| {
        let builder = Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO);
        builder.hubs(hubs).state_directory(directory.path())
    };
    let lab = Lab::with(builder([DEVICE_NAME, "hub-2"]).start().await.expect("it starts"));
    let credentials = lab.credentials("d1");
    let attestation = AttestationMechanism::client_certificate(credentials.certificate_pem.clone());
    let mut enrollment = IndividualEnrollment::new("d1", attestation);
    // By its other name.
    enrollment.terms.iot_hubs = vec!["HUB-1.azure-devices.net".into()];
    let dps = lab.emulator.dps();
    dps.individuals().create(enrollment).expect("the hub is linked by either name");
    assert_eq!(
        dps.linked_hubs().iter().map(|hub| hub.name.as_str()).collect::<Vec<_>>(),
        [HUB, "hub-2.azure-devices.net"]
    );
    let assigned = async |lab: &Lab| {
        let (_, body) = lab.register("d1", &credentials).await;
        body["registrationState"]["assignedHub"].as_str().expect("assigned").to_owned()
    };
    assert_eq!(assigned(&lab).await, DEVICE_NAME);
    let connected = async |lab: &Lab, hub: &str| {
        let user_name = Some(format!("{hub}/d1/?api-version=2021-04-12"));
        let dial = Dial { user_name, ..lab.to_hub("d1", &credentials) };
        dial.connect().await.expect("the hub lets in").disconnect().await;
    };
    connected(&lab, DEVICE_NAME).await;
    // It is the same hub, so nothing moves when the name changes, and it outlives a restart.
    lab.emulator.dps().assign_device_name("hub-1", false).expect("linked");
    assert_eq!(assigned(&lab).await, HUB);
    lab.emulator.dps().assign_device_name(HUB, true).expect("linked");
    assert_eq!(assigned(&lab).await, DEVICE_NAME);
    assert!(matches!(dps.assign_device_name("hub-3", true), Err(DpsError::HubNotLinked(_))));
    assert!(matches!(dps.add_hub(SERVICE_NAME), Err(DpsError::InvalidArgument(_))));
    lab.emulator.shutdown().await;
    for (first, all, expected) in [
        ("hub-1", false, DEVICE_NAME),
        (HUB, false, HUB),
        (HUB, true, DEVICE_NAME),
        (DEVICE_NAME, false, DEVICE_NAME),
    ] {
        let builder = builder([first, "hub-2"]);
        let builder = if all { builder.assign_device_names() } else { builder };
        let emulator = builder.start().await.expect("it starts again");
        assert_eq!(emulator.dps().hubs().len(), 2);
        // Its enrollments are kept, and this one knows the device by its leaf.
        let root = CertificateAuthority::root("unused", Validity::always()).expect("a root");
        let factory = root.intermediate("unused", Validity::always()).expect("an authority");
        let lab = Lab { emulator, root, factory };
        assert_eq!(assigned(&lab).await, expected, "{first} {all}");
        connected(&lab, expected).await;
        lab.emulator.shutdown().await;
    }
}

#[tokio::test]
async fn whoever_trusts_an_earlier_emulator_trusts_it_at_the_new_names() {
    // The state of one that knew no such names.
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/state-e81e915");
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(directory.path().join("hubs")).expect("a directory");
    for name in ["dps.json", "server-ca.pem", "server-ca-key.pem", "hubs/hub-1.azure-devices.net.json"] {
        std::fs::copy(written.join(name), directory.path().join(name)).expect("it is copied");
    }
    let trusted = std::fs::read_to_string(written.join("server-ca.pem")).expect("the CA");
    let emulator =
        Emulator::builder().hubs([HUB]).state_directory(directory.path()).start().await.expect("it starts");
    assert_eq!(emulator.server_ca_pem(), trusted);
    for name in [HUB, DEVICE_NAME, SERVICE_NAME, DPS] {
        assert_eq!(spoken(&emulator, emulator.port(), name).await, BOTH, "{name}");
    }
}
