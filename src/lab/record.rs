//! What a hub has received, in a file: each message a line, as routes write it, and as `verify` reads it.

use std::path::Path;

use serde_json::{Value, json};
use tracker_emulator::Routing;

use super::local_cloud::write as write_file;

/// What the devices have sent. The hub's own alarm is no word of theirs.
pub(crate) const OF_DEVICES: &str = "NOT IS_DEFINED(alarm) OR alarm <> 'silent'";

/// Leads everything to `events`, and what devices have sent to a file below the emulator's directory.
pub(crate) fn routing(file: &str) -> serde_json::Result<Routing> {
    let route = |name: &str, condition: &str, endpoint: &str| json!({"name": name, "source": "DeviceMessages", "condition": condition, "endpointNames": [endpoint]});
    serde_json::from_value(json!({
        "endpoints": {"files": [{"name": "archive", "file": file}]},
        // What a route takes does not reach `events` unless another one leads there.
        "routes": [route("watch", "true", "events"), route("keep", OF_DEVICES, "archive")],
    }))
}

/// The lines of a record; one that is still being written is left out.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Writes such lines.
pub(crate) fn write(path: &Path, lines: &[Value]) -> anyhow::Result<()> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    write_file(path, &text, 0o644)
}

/// Whether the device's key has signed the end of its last trip.
pub(crate) fn is_signed(lines: &[Value], device: &str) -> bool {
    let mut bodies = lines
        .iter()
        .filter(|line| line["SystemProperties"]["connectionDeviceId"] == device)
        .map(|line| &line["Body"]);
    let end = bodies
        .clone()
        .filter(|body| body["evidence"] == "tripEnd")
        .filter_map(|body| body["seq"].as_u64())
        .max();
    end.is_some() && bodies.any(|body| body["evidence"] == "signature" && body["upTo"].as_u64() >= end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trip_is_signed_when_a_signature_reaches_its_end() {
        let line = |device: &str, body: Value| json!({"SystemProperties": {"connectionDeviceId": device}, "Body": body});
        let mut lines = vec![
            line("a", json!({"evidence": "signature", "seq": 3, "upTo": 2})),
            line("a", json!({"evidence": "tripEnd", "seq": 7})),
            line("b", json!({"evidence": "signature", "seq": 9, "upTo": 8})),
        ];
        assert!(!is_signed(&lines, "a") && !is_signed(&lines, "b"));
        lines.push(line("a", json!({"evidence": "signature", "seq": 8, "upTo": 7})));
        assert!(is_signed(&lines, "a"));
    }

    #[test]
    fn what_is_written_is_read_again_but_for_half_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.jsonl");
        assert!(lines(&path).is_empty());
        let written = [json!({"Body": {"seq": 1}}), json!({"Body": {"seq": 2}})];
        write(&path, &written).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        write_file(&path, &(text + "{\"Body\":"), 0o644).unwrap();
        assert_eq!(lines(&path), written);
        assert_eq!(routing("x.jsonl").unwrap().routes.len(), 2);
    }
}
