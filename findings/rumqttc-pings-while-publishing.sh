#!/usr/bin/env bash
# The MQTT client rumqttc 0.25.1 pings by the clock, however much it sends.
#
# MQTT 3.1.1 (3.1.2.10) asks a client for a PINGREQ only when it has sent no other packet within the keep-alive. rumqttc sends
# one every keep-alive, publishes or not.
#
# Here a client with a keep-alive of 2 s publishes at QoS 1 every 200 ms for 9 s to a server of thirty lines, which counts.
#
# Seen: 3 pings or more among some 45 publishes; one that follows the standard's least would send none.
#
# What follows for a tracker on a metered link: some 375 needless exchanges a day at a keep-alive of 230 s.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cargo init --quiet --name finding --vcs none .
cat >>Cargo.toml <<'TOML'
rumqttc = { version = "=0.25.1", default-features = false }
tokio = { version = "1", features = ["rt", "macros", "time", "net", "io-util"] }
TOML
cat >src/main.rs <<'RUST'
use std::time::Duration;

use rumqttc::{AsyncClient, MqttOptions, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{interval, timeout};

/// Acknowledges, and counts pings and publishes. No packet here is longer than 127 bytes.
async fn serve(listener: tokio::net::TcpListener) -> (usize, usize) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let (mut pings, mut publishes) = (0, 0);
    let mut head = [0; 2];
    while stream.read_exact(&mut head).await.is_ok() {
        let mut body = vec![0; head[1].into()];
        stream.read_exact(&mut body).await.unwrap();
        let answer = match head[0] >> 4 {
            1 => vec![0x20, 2, 0, 0],
            3 => {
                publishes += 1;
                let id = 2 + usize::from(body[1]);
                vec![0x40, 2, body[id], body[id + 1]]
            }
            12 => {
                pings += 1;
                vec![0xd0, 0]
            }
            _ => continue,
        };
        stream.write_all(&answer).await.unwrap();
    }
    (pings, publishes)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = MqttOptions::new("box-7", "127.0.0.1", listener.local_addr().unwrap().port());
    options.set_keep_alive(Duration::from_secs(2));
    let server = tokio::spawn(serve(listener));
    let (client, mut events) = AsyncClient::new(options, 10);
    let publish = async {
        let mut ticks = interval(Duration::from_millis(200));
        loop {
            ticks.tick().await;
            client.publish("reading", QoS::AtLeastOnce, false, "4.9").await.unwrap();
        }
    };
    let poll = async { while events.poll().await.is_ok() {} };
    let _ = timeout(Duration::from_secs(9), async { tokio::join!(publish, poll) }).await;
    drop(events);
    let (pings, publishes) = server.await.unwrap();
    println!("{publishes} publishes, {pings} pings");
    assert!(publishes >= 30 && pings >= 3, "rumqttc behaves differently now");
}
RUST
cargo run --quiet
