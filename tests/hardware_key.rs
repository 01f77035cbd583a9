//! A private key that stays in a token, on the built program: SoftHSM2 is the token, and OpenSC's spy counts what is
//! asked of it. Runs with `--features pkcs11` alone, and needs the Debian packages softhsm2 and opensc-pkcs11.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use serde_json::{Value, json};
use support::agent::next_message;
use support::openssl::Factory;
use support::service::{Installation, Manager, PATIENCE, Service};
use support::softhsm::{PIN, SoftHsm, uri_without_pin};
use tracker_emulator::{AttestationMechanism, Emulator, EnrollmentGroup, Subscription, TelemetryMessage};

const HUB: &str = "cheese-hub.azure-devices.net";
const DEVICE: &str = "sensor-thl-001";
const KEY: &str = "token=tracker;object=device";

/// A device whose key is in a token, and nowhere else.
fn installation() -> (Installation, SoftHsm) {
    let mut installation = Installation::new();
    let hsm = SoftHsm::new();
    hsm.add_token("tracker");
    hsm.take_in("tracker", "01", "device", &installation.path("device.key"));
    fs::remove_file(installation.factory.path(&format!("{DEVICE}.key"))).unwrap();
    installation.environment = hsm.environment();
    use_key(&installation, &hsm.uri(KEY));
    (installation, hsm)
}

fn use_key(installation: &Installation, uri: &str) {
    let config = fs::read_to_string(&installation.config).unwrap();
    let line =
        |line: &str| if line.starts_with("key = ") { format!("key = {uri:?}") } else { line.to_owned() };
    let config: String = config.lines().map(|text| line(text) + "\n").collect();
    fs::write(&installation.config, config).unwrap();
}

fn finding(output: &Output, id: &str) -> (String, String) {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == id).unwrap();
    (check["verdict"].as_str().unwrap().to_owned(), check["text"].as_str().unwrap().to_owned())
}

/// How the check of the key stands.
fn check_key(installation: &Installation) -> (String, String) {
    finding(&installation.ask("check", &["--json"]), "key")
}

fn refusal(installation: &Installation) -> String {
    let (verdict, text) = check_key(installation);
    assert_eq!(verdict, "fail", "{text}");
    text
}

#[test]
fn the_key_is_proven_and_is_nowhere_but_in_the_token() {
    let (installation, hsm) = installation();
    let (verdict, text) = check_key(&installation);
    assert_eq!(
        (&*verdict, &*text),
        ("pass", "pkcs11:token=tracker;object=device is the key of the certificate")
    );
    // By ID, and by everything that is told about the token.
    use_key(&installation, &hsm.uri("id=%01;manufacturer=SoftHSM%20project;model=SoftHSM%20v2;type=private"));
    assert_eq!(check_key(&installation).0, "pass");
    // A login for each command and check that needs the key, and a signature for each.
    assert!(hsm.calls("C_Login") >= 2 && hsm.calls("C_SignInit") >= 2);
}

#[test]
fn each_thing_that_is_wrong_has_its_sentence() {
    let (installation, hsm) = installation();
    let with = |uri: String| {
        use_key(&installation, &uri);
        refusal(&installation)
    };
    let text = with(hsm.uri("token=tracker;object=divice"));
    assert!(
        text.contains("the token tracker has no private key for pkcs11:token=tracker;object=divice; it has object=device;id=%01"),
        "{text}"
    );
    let text = with(uri_without_pin(KEY));
    assert!(text.contains("none that it shows without a PIN; add pin-source="), "{text}");
    let text = with(hsm.uri("token=trucker;object=device"));
    assert!(text.contains("no token is there for ") && text.contains("shows \"tracker\" (serial "), "{text}");
    let text = with("pkcs11:token=tracker?module-path=/nowhere/libtoken.so".into());
    assert!(text.starts_with("can't use the PKCS#11 library /nowhere/libtoken.so: "), "{text}");
    assert!(
        text.ends_with("; install the package that it belongs to, or change module-path in identity.key")
    );
    let program = env!("CARGO_BIN_EXE_container-tracker");
    let text = with(format!("pkcs11:token=tracker?module-path={program}"));
    assert!(text.starts_with("can't use the PKCS#11 library "), "{text}");
    let text = with(uri_without_pin(KEY) + "&pin-source=nowhere.pin");
    assert!(
        text.starts_with("can't read the PIN of pkcs11:") && text.contains("nowhere.pin: No such"),
        "{text}"
    );
    fs::write(installation.path("open.pin"), "1234").unwrap();
    let text = with(uri_without_pin(KEY) + "&pin-source=open.pin");
    assert!(text.contains("open.pin is open to others (mode 644); run: chmod 600 "), "{text}");

    installation.factory.ec_key("other");
    hsm.take_in("tracker", "02", "other", &installation.factory.path("other.key"));
    let text = with(hsm.uri("token=tracker"));
    let several =
        "more than one private key for pkcs11:token=tracker: object=device;id=%01, object=other;id=%02";
    let reversed =
        "more than one private key for pkcs11:token=tracker: object=other;id=%02, object=device;id=%01";
    assert!(text.contains(several) || text.contains(reversed), "{text}");
    let text = with(hsm.uri("token=tracker;object=other"));
    assert!(
        text.starts_with(
            "the private key pkcs11:token=tracker;object=other is not the key of the certificate"
        ),
        "{text}"
    );
    // Two tokens: none is shown a PIN on suspicion.
    hsm.add_token("spare");
    let logins = hsm.calls("C_Login");
    let text = with(hsm.uri("object=device"));
    assert!(text.starts_with("more than one token is there for pkcs11:object=device: "), "{text}");
    assert_eq!(hsm.calls("C_Login"), logins);
}

#[test]
fn a_library_that_does_not_start_is_told_from_one_that_is_not_there() {
    let (mut installation, _hsm) = installation();
    installation.environment.iter_mut().find(|(name, _)| *name == "SOFTHSM2_CONF").unwrap().1 =
        "/nowhere/softhsm2.conf".into();
    let text = refusal(&installation);
    assert!(
        text.contains(" does not start: C_Initialize gives CKR_GENERAL_ERROR; look at what it needs"),
        "{text}"
    );
    assert!(!text.contains("install the package") && !text.contains("horrible"), "{text}");
}

#[test]
fn an_invisible_character_beside_the_pin_costs_no_try() {
    let (installation, hsm) = installation();
    hsm.write_pin("\u{feff}1234");
    assert_eq!(check_key(&installation).0, "pass", "a byte order mark is no part of a PIN");
    let logins = hsm.calls("C_Login");
    hsm.write_pin("1234 ");
    let text = refusal(&installation);
    assert!(text.contains("token.pin ends in a blank, and the token is not asked"), "{text}");
    assert_eq!(hsm.calls("C_Login"), logins);
    assert!(!installation.path("state/refused-pin.json").exists());
}

#[test]
fn keys_of_every_kind_sign_in_tls_1_2_and_1_3() {
    let (installation, hsm) = installation();
    let factory = &installation.factory;
    let kinds: [(&str, &[&str]); 3] = [
        ("p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ];
    for (number, (kind, arguments)) in kinds.into_iter().enumerate() {
        factory.openssl(&[&["genpkey"], arguments, &["-out", &format!("{kind}.key")]].concat());
        let device = factory.device_with_key(kind, DEVICE, 365);
        hsm.take_in("tracker", &format!("a{number}"), kind, &device.key);
        fs::copy(&device.chain, installation.path("chain.pem")).unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let (port, met) = serve(factory, version);
            installation.configure("");
            let config = fs::read_to_string(&installation.config).unwrap();
            fs::write(&installation.config, config.replace("localhost:1", &format!("localhost:{port}")))
                .unwrap();
            use_key(&installation, &hsm.uri(&format!("token=tracker;object={kind}")));
            let output = installation.ask("check", &["--json"]);
            let (verdict, text) = finding(&output, "tls");
            let name = if version.version == ProtocolVersion::TLSv1_2 { "TLS 1.2" } else { "TLS 1.3" };
            assert!(verdict == "pass" && text.starts_with(name), "{kind}: {text}");
            let (agreed, shown) = met.recv_timeout(PATIENCE).expect("the server accepts the handshake");
            assert_eq!((agreed, shown), (version.version, certificate(factory, kind)), "{kind}");
        }
    }
}

/// A server that speaks one version of TLS and wants a certificate of the factory. It tells whom it has met.
fn serve(
    factory: &Factory,
    version: &'static SupportedProtocolVersion,
) -> (u16, Receiver<(ProtocolVersion, CertificateDer<'static>)>) {
    factory.ec_key("server");
    factory.sign("server", "/CN=localhost", "root", "server", 30);
    let mut roots = RootCertStore::empty();
    roots.add(certificate(factory, "root")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build().unwrap();
    let pem = fs::read(factory.path("server.key")).unwrap();
    let key: PrivateKeyDer = rustls_pemfile::private_key(&mut pem.as_slice()).unwrap().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate(factory, "server")], key)
        .unwrap();
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, met) = sync_channel(8);
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if let Some(client) = shake_hands(stream.unwrap(), config.clone())
                && sender.try_send(client).is_err()
            {
                return;
            }
        }
    });
    (port, met)
}

/// `None` for one who only wanted to know whether somebody listens.
fn shake_hands(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Option<(ProtocolVersion, CertificateDer<'static>)> {
    let mut connection = ServerConnection::new(config).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).ok()?;
    }
    Some((connection.protocol_version()?, connection.peer_certificates()?.first()?.clone().into_owned()))
}

fn certificate(factory: &Factory, name: &str) -> CertificateDer<'static> {
    rustls_pemfile::certs(&mut factory.pem(name).as_bytes()).next().unwrap().unwrap()
}

/// An emulator that has enrolled the factory's intermediate CA, and keeps what it knows over a restart.
async fn cloud(installation: &Installation) -> Emulator {
    let emulator = start_cloud(installation, 0).await;
    let factory = &installation.factory;
    emulator.dps().certificates().upload_verified("root", &factory.pem("root")).unwrap();
    let attestation = AttestationMechanism::signing_certificate(factory.pem("intermediate"));
    emulator.dps().groups().create(EnrollmentGroup::new("trackers", attestation)).unwrap();
    fs::write(installation.path("server-ca.pem"), emulator.server_ca_pem()).unwrap();
    let config = fs::read_to_string(&installation.config).unwrap();
    let config = config
        .replace("localhost:1", &format!("localhost:{}", emulator.port()))
        .replace("0ne00000001", emulator.id_scope());
    fs::write(&installation.config, config + "[telemetry]\ninterval = 1\n").unwrap();
    emulator
}

async fn start_cloud(installation: &Installation, port: u16) -> Emulator {
    let builder = Emulator::builder().port(port).hubs([HUB]).state_directory(installation.path("cloud"));
    builder.start().await.unwrap()
}

/// Waits in a thread of its own, so that the cloud goes on.
async fn wait_for(service: &Arc<Service>, words: &'static str) {
    let service = service.clone();
    tokio::task::spawn_blocking(move || service.wait_for_words(words)).await.unwrap();
}

/// Waits until the log has these words so often.
async fn wait_for_times(service: &Arc<Service>, words: &str, times: usize) {
    let start = Instant::now();
    while service.log().matches(words).count() < times {
        assert!(start.elapsed() < 2 * PATIENCE, "no {words:?} {times} times in\n{}", service.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ask(installation: &Installation, command: &str, arguments: &[&str]) -> Output {
    let mut program = installation.program(command);
    program.args(arguments);
    tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_provisioned_and_delivers_with_a_key_that_nobody_has() {
    let (installation, hsm) = installation();
    let emulator = cloud(&installation).await;
    let provisioned = ask(&installation, "provision", &["--json"]).await;
    assert_eq!(provisioned.status.code(), Some(0), "{provisioned:?}");
    let mut telemetry = emulator.hub(HUB).unwrap().telemetry();
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    next_message(&mut telemetry, DEVICE).await;
    // DPS for provision, the hub for run, and the proof before each.
    assert!(hsm.calls("C_SignInit") >= 4, "{} signatures", hsm.calls("C_SignInit"));
    assert!(!service.log().contains("WARN"), "{}", service.log());
    tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
    emulator.shutdown().await;
}

/// Waits until the hub has what the device states of this kind, or a reading where none is named; gives it, and has all that came
/// before in `lines`.
async fn stated(
    telemetry: &mut Subscription<TelemetryMessage>,
    kind: Option<&str>,
    lines: &mut Vec<Value>,
) -> Value {
    loop {
        let message = next_message(telemetry, DEVICE).await;
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        let properties = message.application_properties();
        lines.push(json!({"deviceId": DEVICE, "properties": properties, "body": body}));
        if body["evidence"].as_str() == kind {
            return body;
        }
    }
}

/// A trip begins and ends; what the device has signed with at its end.
async fn signed_trip(
    installation: &Installation,
    emulator: &Emulator,
    telemetry: &mut Subscription<TelemetryMessage>,
    lines: &mut Vec<Value>,
) -> Value {
    let manager = Manager::listen(installation.directory.path());
    let service = Arc::new(installation.start(&manager));
    wait_for(&service, "online at").await;
    let hub = emulator.hub(HUB).unwrap();
    hub.update_twin_desired(DEVICE, json!({"evidence": true})).unwrap();
    let call = async |name: &str| {
        let start = Instant::now();
        while hub.invoke_method(DEVICE, name, json!({}), PATIENCE).await.unwrap().status != 200 {
            assert!(start.elapsed() < PATIENCE, "{name}:\n{}", service.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let begun = stated(telemetry, Some("start"), lines).await;
    call("startTrip").await;
    stated(telemetry, None, lines).await;
    call("endTrip").await;
    let signature = stated(telemetry, Some("signature"), lines).await;
    // The newest comes first, and the rest after it.
    let [from, to] = [begun, signature.clone()].map(|entry| entry["seq"].as_u64().unwrap());
    let is_there = |lines: &[Value], seq: u64| {
        let is_it = |body: &Value| body["seq"].as_u64() == Some(seq);
        lines.iter().any(|line| {
            is_it(&line["body"]) || line["body"].as_array().is_some_and(|all| all.iter().any(is_it))
        })
    };
    while !(from..=to).all(|seq| is_there(lines, seq)) {
        stated(telemetry, None, lines).await;
    }
    let service = Arc::into_inner(service).unwrap();
    tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
    fs::remove_file(&manager.path).unwrap();
    signature
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_kind_sign_the_chain_of_evidence() {
    let (installation, hsm) = installation();
    let emulator = cloud(&installation).await;
    let mut telemetry = emulator.hub(HUB).unwrap().telemetry();
    let (factory, mut lines) = (&installation.factory, Vec::new());
    let kinds: [(&str, &[&str], &str); 3] = [
        ("p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ECDSA_NISTP256_SHA256"),
        ("p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "ECDSA_NISTP384_SHA384"),
        ("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "RSA_PSS_SHA256"),
    ];
    for (number, (kind, arguments, scheme)) in kinds.into_iter().enumerate() {
        factory.openssl(&[&["genpkey"], arguments, &["-out", &format!("{kind}.key")]].concat());
        let device = factory.device_with_key(kind, DEVICE, 365);
        hsm.take_in("tracker", &format!("b{number}"), kind, &device.key);
        fs::copy(&device.chain, installation.path("chain.pem")).unwrap();
        use_key(&installation, &hsm.uri(&format!("token=tracker;object={kind}")));
        let signature = signed_trip(&installation, &emulator, &mut telemetry, &mut lines).await;
        assert_eq!(signature["scheme"], scheme, "{signature}");
    }
    emulator.shutdown().await;

    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let (received, roots) = (installation.path("received.jsonl"), factory.path("root.pem"));
    fs::write(&received, text).unwrap();
    let verify = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
        let output = program.arg("verify").arg(&received).args(arguments).arg("--json").output().unwrap();
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (output.status.code(), verdict)
    };
    let (code, verdict) = verify(&["--roots", roots.to_str().unwrap()]);
    assert_eq!((code, &verdict["good"]), (Some(0), &json!(true)), "{verdict}");
    let signed = verdict["signed"].as_array().unwrap();
    let mut certificates: Vec<_> =
        signed.iter().map(|signed| signed["certificate"].as_str().unwrap()).collect();
    certificates.dedup();
    assert_eq!(certificates.len(), 3, "each key has signed: {verdict}");
    let leads = |signed: &Value| signed["root"].as_str().is_some_and(|root| root.contains("Cheese Root CA"));
    assert!(signed.iter().all(leads), "{verdict}");
    // Another root is none of theirs.
    factory.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "stranger.key",
        "-subj",
        "/CN=Stranger",
        "-days",
        "30",
        "-out",
        "stranger.pem",
    ]);
    let (code, verdict) = verify(&["--roots", factory.path("stranger.pem").to_str().unwrap()]);
    assert_eq!((code, &verdict["good"]), (Some(1), &json!(false)), "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_goes_on_with_the_same_key() {
    let (installation, _hsm) = installation();
    let emulator = cloud(&installation).await;
    let manager = Manager::listen(installation.directory.path());
    let service = Arc::new(installation.start(&manager));
    wait_for_times(&service, "online at", 1).await;

    let factory = &installation.factory;
    factory.sign_request(DEVICE, "intermediate", "leaf", 700);
    fs::write(installation.path("chain.pem"), factory.pem(DEVICE) + &factory.pem("intermediate")).unwrap();
    wait_for(&service, "the certificate was replaced, connecting with the new one").await;
    wait_for_times(&service, "online at", 2).await;
    let shown = ask(&installation, "status", &[]).await;
    assert!(
        String::from_utf8_lossy(&shown.stdout).contains("certificate   sensor-thl-001, 699 days"),
        "{shown:?}"
    );
    let service = Arc::into_inner(service).unwrap();
    tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
    emulator.shutdown().await;
}

#[test]
fn a_wrong_pin_is_shown_to_the_token_once() {
    let (installation, hsm) = installation();
    hsm.write_pin("9999");
    let text = refusal(&installation);
    assert!(
        text.starts_with("the token tracker refuses the PIN of pkcs11:token=tracker;object=device, "),
        "{text}"
    );
    assert!(text.contains("correct the PIN in ") && text.contains("token.pin, or if "), "{text}");
    assert_eq!(refusal(&installation), text);
    // A service that is started again and again, as systemd does, and told to look again.
    for _ in 0..2 {
        let manager = Manager::listen(installation.directory.path());
        let service = installation.start(&manager);
        manager.hear("READY=1");
        service.wait_for_words("the token tracker refuses the PIN");
        service.signal("-HUP");
        let start = Instant::now();
        while service.log().matches("the token tracker refuses the PIN").count() < 2 {
            assert!(start.elapsed() < PATIENCE, "it does not look again:\n{}", service.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        let status = installation.ask("status", &[]);
        assert!(String::from_utf8_lossy(&status.stdout).contains("refuses the PIN"), "{status:?}");
        service.stop();
        fs::remove_file(&manager.path).unwrap();
    }
    assert_eq!(hsm.calls("C_Login"), 1);
    // It was another wrong one.
    hsm.write_pin("8888");
    assert!(refusal(&installation).starts_with("the token tracker refuses the PIN"));
    assert!(refusal(&installation).starts_with("the token tracker refuses the PIN"));
    assert_eq!(hsm.calls("C_Login"), 2);
    hsm.write_pin(PIN);
    assert_eq!(check_key(&installation).0, "pass");
    assert!(!installation.path("state/refused-pin.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_pulled_out_stops_nothing_and_works_when_it_is_back() {
    let (installation, hsm) = installation();
    let emulator = cloud(&installation).await;
    let port = emulator.port();
    let manager = Manager::listen(installation.directory.path());
    let service = Arc::new(installation.start(&manager));
    wait_for_times(&service, "online at", 1).await;

    // The cloud has forgotten the TLS session, so that the next handshake wants a signature.
    hsm.pull_out();
    emulator.shutdown().await;
    let emulator = start_cloud(&installation, port).await;
    wait_for(&service, "no connection to the hub: ").await;
    wait_for(&service, "no token is there for pkcs11:token=tracker;object=device").await;
    hsm.plug_in();
    let mut telemetry = emulator.hub(HUB).unwrap().telemetry();
    wait_for_times(&service, "online at", 2).await;
    next_message(&mut telemetry, DEVICE).await;

    // The same, and the agent begins anew meanwhile.
    hsm.pull_out();
    service.signal("-HUP");
    wait_for_times(&service, "no token is there for", 2).await;
    hsm.plug_in();
    wait_for_times(&service, "online at", 3).await;
    assert!(!service.log().contains("panicked"), "{}", service.log());
    let service = Arc::into_inner(service).unwrap();
    tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
    emulator.shutdown().await;
}
