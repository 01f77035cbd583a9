//! Seeds, read and planted.

use serde_json::json;

use super::*;
use crate::{emulator::Emulator, hub::AuthenticationType};

fn dps() -> Dps {
    let options = crate::options::EmulatorOptions {
        hub_names: vec!["hub-1".into(), "hub-2".into()],
        ..crate::options::EmulatorOptions::default()
    };
    Emulator::prepare(options).expect("prepared").dps().clone()
}

fn why(text: &str) -> String {
    let planted = Seed::parse(text, ".").and_then(|seed| seed.plant(&dps()));
    planted.expect_err("refused").to_string()
}

const TOML: &str = r#"
[[devices]]
id = "sensor-1"
hub = "hub-2"
tags = { customer = "ACME" }
authentication = { type = "sas", symmetricKey = { primaryKey = "AAECAwQFBgcICQoLDA0ODw==", secondaryKey = "AAECAwQFBgcICQoLDA0ODw==" } }
[devices.properties.desired]
telemetryInterval = 30

[[devices]]
id = "sensor-2"
status = "disabled"
statusReason = "lost"

[[modules]]
id = "sensor-1"
moduleId = "door"
hub = "hub-2"
managedBy = "dockside"
tags = { side = "left" }
properties = { desired = { interval = 5 } }

[[enrollments]]
registrationId = "one"
attestation = { type = "symmetricKey" }

[[enrollmentGroups]]
enrollmentGroupId = "many"
attestation = { type = "symmetricKey" }
provisioningStatus = "disabled"

[[faults]]
service = "hubs"
fault = "latency"
milliseconds = 5
probability = 0.5
"#;

#[test]
fn a_seed_is_planted_and_planted_again_it_changes_what_is_there() {
    let dps = dps();
    let seed = Seed::parse(TOML, ".").expect("a seed");
    let planted =
        Planted { certificates: 0, enrollment_groups: 1, enrollments: 1, devices: 2, modules: 1, faults: 1 };
    assert_eq!(seed.plant(&dps).expect("planted"), planted);
    let hub = dps.hub("hub-2").expect("the hub");
    let device = hub.device("sensor-1").expect("made");
    assert_eq!(device.authentication.kind, AuthenticationType::Sas);
    let module = hub.module("sensor-1", "door").expect("made");
    assert_eq!(module.managed_by.as_deref(), Some("dockside"));
    let twin = hub.twin(&crate::hub::module_address("sensor-1", "door")).expect("its twin");
    assert_eq!((&twin.tags["side"], &twin.properties.desired["interval"]), (&json!("left"), &json!(5)));
    assert_eq!(device.authentication.symmetric_key.primary_key.as_deref(), Some("AAECAwQFBgcICQoLDA0ODw=="));
    let twin = hub.twin("sensor-1").expect("its twin");
    assert_eq!(
        (&twin.tags["customer"], &twin.properties.desired["telemetryInterval"]),
        (&json!("ACME"), &json!(30))
    );
    let other = dps.hub("hub-1").expect("the first hub").device("sensor-2").expect("made");
    assert_eq!(other.status_reason.as_deref(), Some("lost"));
    assert!(dps.groups().get("many").is_ok() && dps.individuals().get("one").is_ok());
    let (id, _) = dps.faults().list()[0];
    assert_eq!(dps.faults().probability(id), Some(0.5));

    let again = TOML.replace("ACME", "Globex").replace("telemetryInterval = 30", "telemetryInterval = 60");
    Seed::parse(&again, ".").expect("a seed").plant(&dps).expect("planted again");
    let twin = hub.twin("sensor-1").expect("its twin");
    assert_eq!(
        (&twin.tags["customer"], &twin.properties.desired["telemetryInterval"]),
        (&json!("Globex"), &json!(60))
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_no_key_is_repeated() {
    let line = |text: &str, part: &str| {
        let line = text.lines().position(|line| line.contains(part)).expect("there") + 1;
        format!("line {line}: ")
    };
    for (from, to, at, part) in [
        ("hub = \"hub-2\"", "hub = \"hub-9\"", "sensor-1", "names the hub \"hub-9\""),
        ("tags = {", "tgas = {", "sensor-1", "has no tgas"),
        ("\"sensor-2\"", "\"sen sor\"", "sen sor", "cannot be a device ID"),
        ("primaryKey = \"AAECAwQFBgcICQoLDA0ODw==\"", "primaryKey = \"SECRET\"", "sensor-1", "primaryKey"),
        ("[[faults]]", "[[fault]]", "[[fault]]", "is not known"),
        ("probability = 0.5", "probability = 5", "latency", "from 0 to 1"),
        ("registrationId = \"one\"", "registrationId = \"o ne\"", "o ne", "enrollments[0]"),
        ("statusReason = \"lost\"", "statusReason = \"lost", "lost", "neither JSON nor TOML"),
        ("status = \"disabled\"", "status = \"off\"", "sensor-2", "status"),
    ] {
        let text = TOML.replace(from, to);
        let told = why(&text);
        assert!(told.starts_with(&line(&text, at)) && told.contains(part), "{told}");
        assert!(!told.contains("SECRET"), "{told}");
    }
    for (text, part) in [
        ("{\"devices\": [{\"id\": \"a\"},\n 7]}", "devices[1] is not an object"),
        ("{\"devices\": {}}", "line 1: devices has to be a list"),
        ("{\"devices\":\n [}", "line 2: the file is not JSON at column"),
        (
            "{\"certificates\": [{\"name\": \"ca\", \"certificatePath\": \"no-such-file.pem\"}]}",
            "no-such-file.pem",
        ),
        ("{\"certificates\": [{\"name\": \"ca\"}]}", "either certificate or certificatePath"),
        ("{\"devices\": [{}]}", "devices[0] needs id"),
    ] {
        let told = why(text);
        assert!(told.contains(part), "{told}");
    }
}
