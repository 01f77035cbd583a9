//! Readings on their way out of a hub: as files, on to a broker. The real program, against the emulator as a program beside it.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{JoinHandle, spawn};

use bytes::BytesMut;
use rumqttc::{ConnAck, ConnectReturnCode, Packet, PubAck, mqttbytes};
use serde_json::Value;

use crate::cloud::{DEVICE, Emulator};

/// Reads packets until one is there.
fn packet(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<Packet> {
    loop {
        match Packet::read(buffer, 1 << 20) {
            Ok(packet) => return Some(packet),
            Err(mqttbytes::Error::InsufficientBytes(_)) => {}
            Err(error) => panic!("{error}"),
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes) {
            Ok(count) if count > 0 => buffer.extend_from_slice(&bytes[..count]),
            _ => return None,
        }
    }
}

fn answer(stream: &mut TcpStream, packet: &Packet) {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, 1 << 20).unwrap();
    // Who has gone needs no answer.
    let _ = stream.write_all(&bytes);
}

/// A broker that takes so many messages of its first connection without an acknowledgement, breaks off, and then behaves. It gives
/// topics and payloads, each as often as it came.
fn broker(unacknowledged: usize, connections: usize) -> (u16, JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = spawn(move || {
        let mut taken = Vec::new();
        for number in 0..connections {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = BytesMut::new();
            while let Some(packet) = packet(&mut stream, &mut buffer) {
                match packet {
                    Packet::Connect(connect) => {
                        let login = connect.login.unwrap();
                        assert_eq!((login.username.as_str(), login.password.as_str()), ("me", "secret"));
                        answer(
                            &mut stream,
                            &Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)),
                        );
                    }
                    Packet::Publish(publish) => {
                        let payload = String::from_utf8(publish.payload.to_vec()).unwrap();
                        taken.push((publish.topic, payload));
                        if number > 0 {
                            answer(&mut stream, &Packet::PubAck(PubAck::new(publish.pkid)));
                        } else if taken.len() == unacknowledged {
                            break;
                        }
                    }
                    Packet::Disconnect => break,
                    _ => {}
                }
            }
        }
        taken
    });
    (port, taken)
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_become_files_and_reach_a_broker_at_least_once_and_that_is_said() {
    let emulator = Emulator::start(&[]);
    emulator.enroll(&["--initial-twin-properties", r#"{"telemetryInterval": 1}"#]);
    let agent = emulator.tracker();
    emulator.text(&[
        "monitor",
        "-d",
        DEVICE,
        "--enqueued-time",
        "0",
        "--message-count",
        "3",
        "--timeout",
        "60",
    ]);
    agent.stop().await;

    let lines = emulator.text(&["telemetry", "-d", DEVICE]);
    let readings: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(readings.len() >= 3 && readings.iter().all(|reading| reading["deviceId"] == DEVICE), "{lines}");
    let times: Vec<_> = readings.iter().map(|reading| reading["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let file = emulator.path("readings.csv");
    std::fs::write(&file, "what was there before").unwrap();
    emulator.text(&["telemetry", "--since", "1h", "-o", "csv", "--columns", "seq,time", "--to", text(&file)]);
    let csv = std::fs::read_to_string(&file).unwrap();
    let wanted: Vec<_> = readings
        .iter()
        .map(|reading| format!("{},{}", reading["seq"], reading["time"].as_str().unwrap()))
        .collect();
    assert_eq!(csv, format!("seq,time\n{}\n", wanted.join("\n")));
    let capture = emulator.text(&["monitor", "--enqueued-time", "0", "--timeout", "1"]);
    let captured = emulator.path("capture.jsonl");
    // As if it had been appended twice.
    std::fs::write(&captured, format!("{capture}{capture}")).unwrap();
    assert_eq!(emulator.text(&["telemetry", "--capture", text(&captured)]), lines);
    assert!(
        emulator
            .error(&["telemetry", "-o", "csv", "--columns", "temprature"])
            .contains("is temperature meant?")
    );
    assert!(emulator.error(&["telemetry", "-o", "csv", "--to", "/dev/full"]).contains("no plain file"));
    assert!(emulator.error(&["device", "list", "-o", "gpx"]).contains("cloud telemetry"));
    let plot = emulator.text(&["plot", "-d", DEVICE, "temperature", "--height", "3"]);
    assert!(plot.starts_with("temperature  lowest ") && plot.lines().count() == 5, "{plot}");
    forwarded(&emulator, &readings);
}

/// They reach a broker, each at least once.
fn forwarded(emulator: &Emulator, readings: &[Value]) {
    let (credentials, cursor) = (emulator.path("credentials"), emulator.path("cursor.json"));
    std::fs::write(&credentials, "me\nsecret\n").unwrap();
    let (port, broker) = broker(2, 3);
    let to = format!("mqtt://127.0.0.1:{port}");
    let forward = |more: &[&str]| {
        let all = [
            "forward",
            "--to",
            &to,
            "--credentials",
            text(&credentials),
            "--cursor",
            text(&cursor),
            "--idle-timeout",
            "1",
        ];
        let output = emulator.run(&[&all, more].concat());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        assert!(
            !told.contains("secret") && !std::fs::read_to_string(&cursor).unwrap().contains("secret"),
            "{told}"
        );
        told
    };
    let told = forward(&["--since", "1h"]);
    assert!(told.contains("may come twice") && told.contains("is back after"), "{told}");
    // What was acknowledged is not sent again, and what comes is.
    emulator.json(&["device", "create", "-d", "other"]);
    let token = emulator.text(&["sas-token", "-d", "other"]);
    assert!(token.contains("%2Fdevices%2Fother&") && !token.contains("skn"), "{token}");
    let told = forward(&[]);
    assert!(told.contains("going on as") && told.contains("\n0 messages"), "{told}");
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    let taken = broker.join().unwrap();
    let topic = format!("container-tracker/{DEVICE}/telemetry");
    let taken: Vec<Value> = taken
        .into_iter()
        .filter(|(of, _)| *of == topic)
        .map(|(_, payload)| serde_json::from_str(&payload).unwrap())
        .collect();
    for reading in readings {
        let times = taken.iter().filter(|taken| *taken == reading).count();
        assert!((1..=2).contains(&times), "{reading} came {times} times");
    }
}
