//! MQTT through WebSockets at the port of the services: as at the port of the devices, with clients that cut, join, ping and
//! close as they like.

use std::time::Duration;

use bytes::BytesMut;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rumqttc::{
    ConnectReturnCode,
    v5::mqttbytes::v5::{Connect, ConnectProperties, Login, Packet},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::json;
use tracker_emulator::{
    Authentication, DeviceCapabilities, DisconnectReason, Emulator, EmulatorOptions, EventKind, Fault,
    FaultKind, FaultyService, SymmetricKey, pki::DeviceCredentials,
};
use tracker_protocol::hub_v5::Correlation;

use crate::common::{
    Dial, HUB, Lab, PATIENCE, disconnection, event,
    five::{Five, HUB_5},
    register_on,
    service::{Service, sas},
    websocket::{BINARY, Bridge, CLOSE, CONTINUATION, PING, PONG, TEXT, Upgrade, Way, WebSocket, frame},
};
use crate::slow_clients::drip;

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const PINGREQ: [u8; 2] = [0xc0, 0];
const PINGRESP: [u8; 2] = [0xd0, 0];

/// CONNECT of 3.1.1 at the hub, by certificate, with 60 s of keep-alive.
fn connect(device: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0x82, 0, 60];
    for text in [device, &format!("{HUB}/{device}/?api-version=2021-04-12")] {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    assert!(body.len() < 128, "one byte of length");
    [vec![0x10, body.len() as u8], body].concat()
}

/// The parameters of a connection through WebSockets.
async fn through(lab: &Lab, credentials: Option<&DeviceCredentials>, piece: usize, dial: Dial) -> Dial {
    let bridge = Bridge::over(Way::to(&lab.emulator, credentials), Upgrade::mqtt(), piece).await;
    Dial { port: bridge.port, is_plain: true, ..dial }
}

/// A device that is known at the hub, and the way to it.
async fn known(lab: &Lab, id: &str) -> Way {
    let credentials = lab.credentials(id);
    lab.register(id, &credentials).await;
    Way::to(&lab.emulator, Some(&credentials))
}

/// Connected at the hub, with CONNECT and CONNACK in a message each.
async fn online(lab: &Lab, id: &str) -> WebSocket {
    let mut socket = Upgrade::mqtt().open(&known(lab, id).await).await;
    socket.send(BINARY, &connect(id)).await;
    assert_eq!(socket.next().await, Some((BINARY, CONNACK.to_vec())));
    socket
}

#[tokio::test]
async fn a_device_registers_and_talks_to_its_hub_by_certificate_in_pieces_of_any_size() {
    let lab = Lab::start().await;
    for piece in [1, 7, 1000, 100_000] {
        let id = format!("d{piece}");
        let credentials = lab.credentials(&id);
        let dps = through(&lab, Some(&credentials), piece, lab.to_dps(&id, &credentials)).await;
        let mut client = dps.connect().await.expect("DPS lets in");
        let (status, body) = register_on(&mut client, &id).await;
        assert_eq!((status, &body["registrationState"]["assignedHub"]), (200, &json!(HUB)), "{body}");
        client.disconnect().await;

        let mut telemetry = lab.emulator.hub("hub-1").expect("a hub").telemetry();
        let hub = through(&lab, Some(&credentials), piece, lab.to_hub(&id, &credentials)).await;
        let mut client = hub.connect().await.expect("the hub lets in");
        client.subscribe("$iothub/twin/res/#").await;
        client.publish("$iothub/twin/GET/?$rid=1", "").await;
        let (topic, twin) = client.json_message().await;
        assert!(topic.starts_with("$iothub/twin/res/200/"), "{topic}");
        assert_eq!(twin["desired"]["firmware"], "1.0.0");
        let length = 60_000.min(piece as u32 * 500);
        let body: Vec<u8> = (0..length).map(|number| number as u8).collect();
        client.publish(&format!("devices/{id}/messages/events/"), body.clone()).await;
        assert_eq!(telemetry.next().await.expect("telemetry").body.to_vec(), body);
        client.disconnect().await;
    }
}

#[tokio::test]
async fn a_token_lets_a_device_in_and_a_certificate_does_not_count_where_none_is_to_be_asked_for() {
    let lab = Lab::start().await;
    let hub = lab.emulator.hub("hub-1").expect("a hub");
    let device = hub
        .create_device("keyed", Authentication::sas(SymmetricKey::default()), DeviceCapabilities::default())
        .expect("a device");
    let key = device.authentication.symmetric_key.primary_key.expect("a key");
    let token = sas(&format!("{HUB}/devices/keyed"), &key, 4_000_000_000, None);
    let keyed = || Dial {
        client_id: "keyed".into(),
        user_name: Some(format!("{HUB}/keyed/?api-version=2021-04-12")),
        password: token.clone(),
        ..Dial::new(&lab.emulator, None)
    };
    let dial = through(&lab, None, 100, keyed()).await;
    let mut client = dial.connect().await.expect("let in by token");
    client.publish("devices/keyed/messages/events/", "by token").await;
    client.disconnect().await;

    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    for (target, is_let_in) in [
        ("/$iothub/websocket?iothub-no-client-cert=true", false),
        ("/%24iothub/WebSocket/?iothub-no-client-cert=false&x=1", true),
    ] {
        let upgrade = Upgrade { target: target.into(), ..Upgrade::mqtt() };
        let bridge = Bridge::over(Way::to(&lab.emulator, Some(&credentials)), upgrade, 1000).await;
        let dial = Dial { port: bridge.port, is_plain: true, ..lab.to_hub("d1", &credentials) };
        if is_let_in {
            dial.connect().await.expect("let in by certificate").disconnect().await;
        } else {
            assert_eq!(dial.refused().await, ConnectReturnCode::NotAuthorized);
        }
    }
}

#[tokio::test]
async fn a_hub_of_mqtt_5_is_found_by_the_name_in_the_handshake_or_in_the_request() {
    let emulator = Emulator::builder()
        .dps_timing(Duration::ZERO, Duration::ZERO)
        .hubs(["hub-1", "hub-5=mqtt5", "hub-6=mqtt5"])
        .start()
        .await
        .expect("it starts");
    let lab = Lab::with(emulator);
    let credentials = lab.credentials("d5");
    // Both know it: the name alone tells which is meant.
    let leaf = CertificateDer::from_pem_slice(credentials.certificate_pem.as_bytes()).expect("a PEM");
    let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &leaf);
    let thumbprint: String = thumbprint.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    for name in ["hub-5", "hub-6"] {
        let hub = lab.emulator.hub(name).expect("a hub");
        let authentication = Authentication::self_signed(&thumbprint);
        hub.create_device("d5", authentication, DeviceCapabilities::default()).expect("a device");
    }
    let mut events = lab.emulator.events();
    for server_name in [HUB_5, "127.0.0.1"] {
        let upgrade =
            Upgrade { server_name: server_name.into(), ..Upgrade::mqtt().with("Host", Some(HUB_5)) };
        let mut socket = upgrade.open(&Way::to(&lab.emulator, Some(&credentials))).await;
        let five = Five::new(Correlation(rand::random()));
        let packet = Packet::Connect(
            Connect {
                keep_alive: 30,
                client_id: "d5".into(),
                clean_start: true,
                properties: Some(ConnectProperties::new()),
            },
            None,
            Some(Login { username: five.user_name, password: String::new() }),
        );
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).expect("it has a form");
        // With the first bytes of the next packet behind it.
        bytes.extend_from_slice(&PINGREQ[..1]);
        socket.send(BINARY, &bytes).await;
        socket.send(BINARY, &PINGREQ[1..]).await;
        let mut answers = BytesMut::new();
        while answers.len() < 4 || !answers.ends_with(&PINGRESP) {
            let (opcode, bytes) = socket.next().await.expect("an answer");
            assert_eq!(opcode, BINARY);
            answers.extend_from_slice(&bytes);
        }
        assert!(matches!(Packet::read(&mut answers, None), Ok(Packet::ConnAck(_))), "{server_name}");
        let hub = event(&mut events, |kind| match kind {
            EventKind::DeviceConnected { hub, .. } => Some(hub.clone()),
            _ => None,
        });
        assert_eq!(hub.await, "hub-5.azure-devices.net");
    }
}

#[tokio::test]
async fn pings_are_answered_in_the_middle_of_a_message_and_empty_frames_do_no_harm() {
    let lab = Lab::start().await;
    let mut socket = online(&lab, "d1").await;
    let begun = [
        frame(BINARY, true, b""),
        frame(BINARY, false, b""),
        frame(CONTINUATION, false, &PINGREQ[..1]),
        frame(PING, true, b"are you there?"),
        frame(PONG, true, b"unasked"),
    ]
    .concat();
    tokio::io::AsyncWriteExt::write_all(&mut socket.stream, &begun).await.expect("sent");
    assert_eq!(socket.next().await, Some((PONG, b"are you there?".to_vec())));
    socket.send(CONTINUATION, &[&PINGREQ[1..], &PINGREQ[..], &PINGREQ[..]].concat()).await;
    let mut answers = Vec::new();
    while answers.len() < 6 {
        answers.extend(socket.next().await.expect("an answer").1);
    }
    assert_eq!(answers, PINGRESP.repeat(3));
}

#[tokio::test]
async fn who_breaks_the_rules_of_websockets_is_told_by_the_code_and_disconnected() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let masked = |bytes: &[u8]| frame(BINARY, true, bytes);
    let unmasked = vec![0x82, 2, 0xc0, 0];
    let mut compressed = masked(&PINGREQ);
    compressed[0] |= 0x40;
    let large = [vec![0x82, 0xff], (1024_u64 * 1024 + 1).to_be_bytes().to_vec(), vec![0; 4]].concat();
    let huge = [vec![0x82, 0xff], vec![0xff; 12]].concat();
    let parts =
        [frame(BINARY, false, &vec![0xc0; 700_000]), frame(CONTINUATION, true, &vec![0; 700_000])].concat();
    for (bytes, code) in [
        (frame(TEXT, true, b"hello"), 1003),
        (frame(TEXT, true, &[0xff]), 1007),
        (unmasked, 1002),
        (compressed, 1002),
        (frame(CONTINUATION, true, b"x"), 1002),
        (frame(3, true, b"x"), 1002),
        (frame(PING, false, b"x"), 1002),
        (frame(PING, true, &[0; 126]), 1002),
        (large, 1009),
        (huge, 1009),
        (parts, 1009),
    ] {
        let mut socket = online(&lab, "d1").await;
        // It may be refused before all of it has been sent.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut socket.stream, &bytes).await;
        let (said, reason) = socket.closed().await;
        assert_eq!(said, code, "{reason}");
        let told = disconnection(&mut events).await;
        let DisconnectReason::ConnectionLost(told) = told else { panic!("{told:?}") };
        assert!(told.contains("WebSocket: "), "{told}");
    }
}

#[tokio::test]
async fn both_sides_may_close_first() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    // The client: its code comes back, and TLS ends.
    let mut socket = online(&lab, "d1").await;
    socket.send(CLOSE, &1001_u16.to_be_bytes()).await;
    assert_eq!(socket.closed().await.0, 1001);
    assert_eq!(socket.next().await, None);
    let lost = disconnection(&mut events).await;
    assert!(matches!(&lost, DisconnectReason::ConnectionLost(_)), "{lost:?}");
    // MQTT has ended: the emulator closes.
    let mut socket = online(&lab, "d1").await;
    socket.send(BINARY, &[0xe0, 0]).await;
    assert_eq!(disconnection(&mut events).await, DisconnectReason::Disconnect);
    assert_eq!(socket.closed().await.0, 1000);
    socket.send(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(socket.next().await, None);
    // A stranger is refused, and then the same.
    let mut socket = Upgrade::mqtt().open(&Way::to(&lab.emulator, None)).await;
    socket.send(BINARY, &connect("nobody")).await;
    assert_eq!(socket.next().await, Some((BINARY, vec![0x20, 2, 0, 5])));
    assert_eq!(socket.closed().await.0, 1000);
    // The emulator shuts down: those before CONNECT, and those that have been let in.
    let mut early = Upgrade::mqtt().open(&Way::to(&lab.emulator, None)).await;
    let mut late = online(&lab, "d1").await;
    let begun = std::time::Instant::now();
    lab.emulator.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "clients that don't answer are not waited for");
    for socket in [&mut early, &mut late] {
        assert_eq!(socket.closed().await, (1001, "the emulator shuts down".to_owned()));
    }
}

#[tokio::test]
async fn wrong_requests_are_refused_by_name() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let way = Way::to(&lab.emulator, None);
    let at = |target: &str| Upgrade { target: target.into(), ..Upgrade::mqtt() };
    let posted = Upgrade { method: "POST".into(), ..Upgrade::mqtt() };
    for (upgrade, status, words) in [
        (Upgrade::mqtt().with("Sec-WebSocket-Protocol", None), 400, "sec-websocket-protocol is missing"),
        (Upgrade::new("/$iothub/websocket", "chat, soap"), 400, "chat, soap"),
        (Upgrade::new("/$servicebus/websocket", "mqtt"), 400, "amqpwsb10"),
        (Upgrade::mqtt().with("Sec-WebSocket-Version", Some("8")), 426, "sec-websocket-version: 13"),
        (Upgrade::mqtt().with("Sec-WebSocket-Version", None), 426, "sec-websocket-version: 13"),
        (Upgrade::mqtt().with("Sec-WebSocket-Key", None), 400, "sec-websocket-key"),
        (Upgrade::mqtt().with("Sec-WebSocket-Key", Some("c2hvcnQ=")), 400, "sec-websocket-key"),
        (Upgrade::mqtt().with("Connection", Some("keep-alive")), 426, "upgrade: websocket"),
        (Upgrade::mqtt().with("Upgrade", Some("h2c")), 426, "upgrade: websocket"),
        (Upgrade::mqtt().with("Content-Length", Some("3")), 400, "no body"),
        (at("/$iothub"), 404, "/$iothub/websocket"),
        (at("/$iothub/websockets"), 404, "/$iothub/websocket"),
        (at("/$iothub/websocket/x"), 404, "/$iothub/websocket"),
        (posted, 405, "allow: get"),
    ] {
        let (head, mut socket) = upgrade.ask(&way).await;
        let body = socket.text().await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{} {head}", upgrade.target);
        let all = format!("{head}{body}").to_ascii_lowercase();
        assert!(all.contains(words), "{words}: {all}");
        let told = event(&mut events, |kind| match kind {
            EventKind::ConnectionRefused { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        assert!(told.await.contains(&status.to_string()));
    }
    // Names of subprotocols as clients write them, the first that is known.
    for (offered, taken) in [("MQTT", "mqtt"), ("mqttv3.1", "mqttv3.1"), ("soap,  mqtt , mqttv3.1", "mqtt")] {
        let (head, _) = Upgrade::new("/$iothub/websocket/", offered).ask(&way).await;
        assert!(head.contains(&format!("sec-websocket-protocol: {taken}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_fills_no_memory_and_disturbs_nobody() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let mut deaf = online(&lab, "deaf").await;
    // Every ping of either kind asks for an answer; from some point on nothing more is taken.
    let flood =
        [frame(BINARY, true, &PINGREQ.repeat(30_000)), frame(PING, true, &[7; 125]).repeat(500)].concat();
    let sent = async {
        loop {
            tokio::io::AsyncWriteExt::write_all(&mut deaf.stream, &flood).await.expect("sent");
        }
    };
    let stuck = tokio::time::timeout(Duration::from_secs(4), sent).await;
    assert!(stuck.is_err());
    let mut neighbour = lab.online("neighbour").await;
    neighbour.publish("devices/neighbour/messages/events/", "undisturbed").await;
    drop(deaf);
    disconnection(&mut events).await;
}

#[tokio::test]
async fn faults_and_calls_of_services_reach_devices_behind_websockets() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let mut socket = online(&lab, "d1").await;
    let service = Service::hub(&lab.emulator);
    let twin = service.get("/twins/d1?api-version=2021-04-12").await;
    assert_eq!(twin.body["connectionState"], "Connected");
    let place = FaultyService::Hub(HUB.into());
    let kind = FaultKind::DropConnection;
    lab.emulator.faults().inject(Fault { service: place, device: Some("d1".into()), kind, times: Some(1) });
    socket.send(BINARY, b"\x30\x1c\x00\x1adevices/d1/messages/events").await;
    disconnection(&mut events).await;
    while let Some((opcode, _)) = socket.next().await {
        assert_eq!(opcode, CLOSE);
        socket.send(CLOSE, &1000_u16.to_be_bytes()).await;
    }
}

#[tokio::test]
async fn slow_clients_are_waited_out_whatever_they_are_slow_at() {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let way = Way::to(&lab.emulator, None);
    let head = Upgrade::mqtt().head();
    let upgraded = async || Upgrade::mqtt().open(&way).await.stream;
    let connect = frame(BINARY, true, &connect("slow"));
    // One byte of each frame comes, and the length of a large one.
    let large = [0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0, 0];
    let empty = [frame(BINARY, false, b""), frame(CONTINUATION, false, b"").repeat(100)].concat();
    let amqp = Upgrade::new("/$iothub/websocket", "AMQPWSB10");
    let amqp_header = frame(BINARY, true, b"AMQP\x03\x01\x00\x00");
    let slow = async {
        tokio::join!(
            drip(way.secured(HUB).await, head.as_bytes()),
            drip(upgraded().await, b""),
            drip(upgraded().await, &connect),
            drip(upgraded().await, &large),
            drip(upgraded().await, &empty),
            drip(amqp.open(&way).await.stream, b""),
            drip(amqp.open(&way).await.stream, &amqp_header),
        )
    };
    let busy = async {
        let service = Service::hub(&lab.emulator);
        for number in 0..20 {
            assert_eq!(service.get("/devices?api-version=2021-04-12").await.status, 200);
            online(&lab, &format!("d{number}")).await;
        }
    };
    tokio::join!(slow, busy);
    let mut said = 0;
    while let Ok(Some(event)) = events.try_next() {
        said += usize::from(event.kind.to_string().contains("no CONNECT within"));
    }
    assert_eq!(said, 4);
}

#[tokio::test]
async fn websockets_leave_room_for_calls() {
    let options =
        EmulatorOptions { port: 0, service_port: Some(0), max_connections: 8, ..EmulatorOptions::default() };
    let emulator = Emulator::start(options).await.expect("it starts");
    let way = Way::to(&emulator, None);
    let mut open = Vec::new();
    for _ in 0..7 {
        open.push(Upgrade::mqtt().open(&way).await);
    }
    let (head, refused) = Upgrade::mqtt().ask(&way).await;
    assert!(head.starts_with("http/1.1 503 ") && head.contains("retry-after: "), "{head}");
    drop(refused);
    assert_eq!(Service::hub(&emulator).get("/devices?api-version=2021-04-12").await.status, 200);
    let mut gone = open.remove(0);
    gone.send(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(gone.closed().await.0, 1000);
    assert_eq!(gone.next().await, None);
    drop(gone);
    // Its place is free a moment later.
    let again = async {
        while !Upgrade::mqtt().ask(&way).await.0.starts_with("http/1.1 101 ") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("the place is free again");
}

#[tokio::test]
async fn amqp_is_spoken_through_websockets_at_both_paths_and_every_name() {
    let lab = Lab::start().await;
    let way = Way::to(&lab.emulator, None);
    let header = |protocol: u8| [b'A', b'M', b'Q', b'P', protocol, 1, 0, 0];
    for (path, host) in [
        ("/$iothub/websocket", HUB),
        ("/$servicebus/websocket/", HUB),
        ("/$servicebus/websocket", "localhost"),
        ("/$iothub/websocket?iothub-no-client-cert=true", "global.azure-devices-provisioning.net"),
    ] {
        let mut upgrade = Upgrade::new(path, "AMQPWSB10").with("Host", Some(host));
        upgrade.server_name = host.into();
        let mut socket = upgrade.open(&way).await;
        for byte in header(3) {
            socket.send(BINARY, &[byte]).await;
        }
        let mut answer = Vec::new();
        while answer.len() < 16 {
            let (opcode, bytes) = socket.next().await.expect("an answer");
            assert_eq!(opcode, BINARY, "{answer:?}");
            answer.extend(bytes);
        }
        // The same header, and the frame of the mechanisms of SASL: size, offset of the data, type.
        assert_eq!((&answer[..8], answer[12], answer[13]), (&header(3)[..], 2, 1), "{host}{path}");
    }
}
