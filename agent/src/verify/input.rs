//! What a hub has received, as various programs print it: JSON objects, one after the other.
//!
//! | who prints | device | properties | body |
//! |---|---|---|---|
//! | `container-tracker cloud monitor` | `deviceId` | `properties` | `body`, `bodyText`, `bodyBase64` |
//! | routing to storage as JSON; the emulator's routes to files and webhooks | `SystemProperties.connectionDeviceId` | `Properties` | `Body` |
//! | Event Grid, `Microsoft.Devices.DeviceTelemetry` | `data.systemProperties.iothub-connection-device-id` | `data.properties` | `data.body` |
//! | `az iot hub monitor-events --properties app --output json` | `event.origin` | `event.properties.application` | `event.payload` |
//!
//! An array of them is read as they are. What a hub itself tells among them (twins that change, devices that connect, silence) is no
//! message of a device, and passed over.

use std::borrow::Cow;
use std::io::Read;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use flate2::read::GzDecoder;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::compact;
use tracker_evidence::canonical::{decoded, members};
use tracker_evidence::{Hash, PROPERTY};

/// No message of a hub is larger; what comes out of gzip neither.
const LARGEST: u64 = 4 * 1024 * 1024;
/// What Event Grid calls a message of a device.
const TELEMETRY: &str = "Microsoft.Devices.DeviceTelemetry";

/// A message as a hub has received it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) device: String,
    /// The line of the file on which it begins.
    pub(crate) line: usize,
    /// Bodies of the readings in it, one JSON object each.
    pub(crate) bodies: Vec<String>,
    /// The hash of the last of them; `Err` is what stands there and is none.
    pub(crate) chain: Option<Result<Hash, String>>,
}

/// Reads a file. Objects that are no messages of devices are an error, which names the line.
pub(crate) fn read(text: &str) -> anyhow::Result<Vec<Received>> {
    let mut messages = Vec::new();
    let mut objects = Deserializer::from_str(text).into_iter::<&RawValue>();
    let (mut line, mut counted) = (1, 0);
    loop {
        let begin = objects.byte_offset();
        let begin = begin + text[begin..].len() - text[begin..].trim_start().len();
        line += text[counted..begin].matches('\n').count();
        counted = begin;
        let Some(object) = objects.next() else { return Ok(messages) };
        let object = object.with_context(|| format!("line {line} is no JSON object"))?.get();
        // Event Grid posts arrays.
        let several = object.starts_with('[').then(|| serde_json::from_str::<Vec<&RawValue>>(object).ok());
        let objects = several.flatten().map(|all| all.into_iter().map(RawValue::get).collect());
        for object in objects.unwrap_or_else(|| vec![object]) {
            let found = message(object, line);
            messages.extend(found.with_context(|| format!("line {line} is no message of a device"))?);
        }
    }
}

/// A member of an object, its name in whatever case.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    members(text)?
        .into_iter()
        .find(|member| member.name.eq_ignore_ascii_case(name))
        .map(|member| member.value)
}

fn path<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    names.iter().try_fold(text, |text, name| member(text, name))
}

/// A message of a device; `None` where the hub itself tells something.
fn message(text: &str, line: usize) -> anyhow::Result<Option<Received>> {
    let event_type = member(text, "eventType").or(member(text, "type")).and_then(decoded);
    let envelope = if event_type.is_some() { "data" } else { "event" };
    let inner = member(text, envelope).unwrap_or(text);
    let source = path(inner, &["systemProperties", "iothub-message-source"]).and_then(decoded);
    let is_of_device =
        |source: &str| ["telemetry", "deviceMessages"].iter().any(|of| of.eq_ignore_ascii_case(source));
    if event_type.is_some_and(|of| of != TELEMETRY) || source.is_some_and(|source| !is_of_device(&source)) {
        return Ok(None);
    }
    let paths: [&[&str]; 4] = [
        &["deviceId"],
        &["systemProperties", "connectionDeviceId"],
        &["systemProperties", "iothub-connection-device-id"],
        &["origin"],
    ];
    let device = paths.iter().find_map(|names| path(inner, names)).and_then(decoded);
    let device = device.context("it does not say of which device it is (deviceId)")?.into_owned();
    let properties = path(inner, &["properties", "application"]).or(member(inner, "properties"));
    let chain = properties.and_then(|properties| path(properties, &[PROPERTY])).and_then(decoded);
    let chain = chain.map(|chain| chain.parse().map_err(|()| chain.into_owned()));
    let body = body(inner)?;
    let bodies = bodies(&body)?;
    Ok(Some(Received { device, line, bodies, chain }))
}

/// The text of the body, whatever it was wrapped in.
fn body(message: &str) -> anyhow::Result<Cow<'_, str>> {
    let base64 = member(message, "bodyBase64");
    let body = ["body", "bodyText", "payload"].iter().find_map(|name| member(message, name));
    let Some(text) = base64.or(body) else { bail!("it has no body") };
    if base64.is_none() && !text.starts_with('"') {
        return Ok(text.into());
    }
    let string = decoded(text).context("its body is no text")?;
    if base64.is_none() && string.trim_start().starts_with(['{', '[']) {
        return Ok(string.into_owned().into());
    }
    let bytes = STANDARD.decode(string.as_bytes()).or_else(|_| STANDARD_NO_PAD.decode(string.as_bytes()));
    let mut bytes = bytes.context("its body is neither JSON nor base64")?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        GzDecoder::new(bytes.as_slice())
            .take(LARGEST)
            .read_to_end(&mut plain)
            .context("its body is no gzip")?;
        bytes = plain;
    }
    Ok(String::from_utf8(bytes).context("its body is no text")?.into())
}

/// The readings in a body: one, several, or columns of several.
fn bodies(body: &str) -> anyhow::Result<Vec<String>> {
    if body.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(body).context("its body is no array")?;
        return Ok(items.into_iter().map(|item| item.get().to_owned()).collect());
    }
    if member(body, "compact").is_some() {
        let columns: Value = serde_json::from_str(body).context("its body is no JSON")?;
        let readings = compact::readings(&columns).context("its columns can't be read")?;
        return Ok(readings.iter().map(Value::to_string).collect());
    }
    Ok(vec![body.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_print_a_message_is_read() {
        let hash = Hash::NONE;
        let gzip = "H4sIAAAAAAACA6tWKk4tVLIyN6gFAK87So4KAAAA";
        let base64 = STANDARD.encode("[{\"seq\":70}, {\"seq\":71}]");
        let lines = [
            format!(r#"{{"deviceId":"d","properties":{{"chain":"{hash}"}},"body":{{"seq":70}}}}"#),
            format!(r#"{{"deviceId":"d","properties":{{"chain":"{hash}"}},"bodyBase64":"{gzip}"}}"#),
            format!(r#"{{"SystemProperties":{{"connectionDeviceId":"d"}},"Properties":{{"chain":"{hash}"}},"Body":"{base64}"}}"#),
            format!("{{\"event\":{{\"origin\":\"d\",\n\"properties\":{{\"application\":{{\"chain\":\"{hash}\"}}}},\"payload\":\"{{\\\"seq\\\":70}}\"}}}}"),
            r#"{"deviceId":"d","properties":{},"body":{"compact":1,"count":2,"same":{},"numbers":{"seq":[0,70,1]},"others":{}}}"#.into(),
        ];
        let read = read(&lines.join("\n")).unwrap();
        let found: Vec<_> = read.iter().map(|message| (message.line, message.bodies.len())).collect();
        assert_eq!(found, [(1, 1), (2, 1), (3, 2), (4, 1), (6, 2)]);
        for message in &read {
            assert_eq!((message.device.as_str(), message.bodies[0].as_str()), ("d", "{\"seq\":70}"));
            assert_eq!(message.chain, (message.line != 6).then_some(Ok(hash)));
        }
    }

    #[test]
    fn what_routes_and_event_grid_write_is_read_and_what_the_hub_tells_is_passed_over() {
        let hash = Hash::NONE;
        let properties = format!(r#""properties":{{"chain":"{hash}"}}"#);
        let telemetry = |id: &str, body: &str| {
            format!(
                r#"{{"eventType":"{TELEMETRY}","subject":"devices/d","data":{{{properties},"systemProperties":{{
                "iothub-connection-device-id":"{id}","iothub-message-source":"Telemetry"}},"body":{body}}}}}"#
            )
        };
        let text = format!(
            r#"{{"EnqueuedTimeUtc":"2026-11-28T10:00:00.0000000Z",{properties},"SystemProperties":{{"connectionDeviceId":"d",
            "contentType":"application/json","contentEncoding":"utf-8"}},"Body":{{"seq":70}}}}
            {{"EnqueuedTimeUtc":"2026-11-28T10:00:00.0000000Z","Properties":{{"opType":"updateTwin"}},"SystemProperties":{{
            "connectionDeviceId":"d","iothub-message-source":"twinChangeEvents"}},"Body":{{"version":4}}}}
            [{},{{"eventType":"Microsoft.Devices.DeviceConnected","data":{{"deviceId":"d"}}}},{}]"#,
            telemetry("d", r#"{"seq":71}"#),
            telemetry("e", &format!("\"{}\"", STANDARD.encode("{\"seq\":72}"))),
        );
        let found = read(&text).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|message| (message.device.as_str(), message.bodies.concat(), message.chain.clone()))
            .collect();
        let of = |device, body: &str| (device, body.to_owned(), Some(Ok(hash)));
        let all = [of("d", r#"{"seq":70}"#), of("d", r#"{"seq":71}"#), of("e", r#"{"seq":72}"#)];
        assert_eq!(found, all);
    }

    #[test]
    fn what_is_no_message_is_told_by_its_line() {
        for (text, says) in [
            ("{\"deviceId\":\"d\",\"body\":{}}\n\nStarting", "line 3 is no JSON object"),
            ("{\"body\":{}}", "line 1 is no message of a device: it does not say of which device"),
            ("{\"deviceId\":\"d\"}", "it has no body"),
            ("{\"deviceId\":\"d\",\"body\":\"***\"}", "its body is neither JSON nor base64"),
            ("[1]", "line 1 is no message"),
        ] {
            assert!(format!("{:#}", read(text).unwrap_err()).contains(says), "{text}");
        }
    }
}
