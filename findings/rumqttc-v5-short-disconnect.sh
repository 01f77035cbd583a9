#!/usr/bin/env bash
# The MQTT 5 codec of rumqttc 0.25.1 takes the short forms of DISCONNECT for errors.
#
# MQTT 5 (3.14.2.1) lets a server leave out the reason code together with the properties: a DISCONNECT of two bytes means
# "normal disconnection". With a code and no properties it has three bytes (3.14.2.2.1: below a remaining length of 2 there
# is no property length). Brokers send both.
#
# Here each form is given to the codec as a whole packet.
#
# Seen: the first is the error PayloadRequired. The second is "insufficient bytes", as if more of it were to come, though the
# packet is complete. The long form, with a code and an empty list of properties, is read.
#
# What follows for a device: why a hub has ended the connection is lost where the hub says it shortly.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cargo init --quiet --name finding --vcs none .
cat >>Cargo.toml <<'TOML'
bytes = "1"
rumqttc = { version = "=0.25.1", default-features = false }
TOML
cat >src/main.rs <<'RUST'
use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::Packet;

fn main() {
    let forms: [(&str, &[u8]); 3] = [
        ("no code", &[0xE0, 0]),
        ("a code alone", &[0xE0, 1, 0x8B]),
        ("a code and no properties", &[0xE0, 2, 0x8B, 0]),
    ];
    let read = forms.map(|(name, packet)| {
        let read = Packet::read(&mut BytesMut::from(packet), None);
        println!("{name}: {read:?}");
        read
    });
    let is_as_seen = matches!(&read[0], Err(error) if format!("{error:?}") == "PayloadRequired")
        && matches!(&read[1], Err(error) if format!("{error:?}").starts_with("InsufficientBytes"))
        && matches!(&read[2], Ok(Packet::Disconnect(_)));
    std::process::exit(i32::from(!is_as_seen));
}
RUST
cargo run --quiet
