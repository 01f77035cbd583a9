//! What is found in the facts about devices, and how it looks in 80 columns.

use serde_json::json;

use super::facts::{Answer, Facts};
use super::findings::Level;
use super::judge::judge;
use super::page::page;
use crate::lab::text;

const NOW: &str = "2026-11-29T12:00:00Z";

fn facts(answer: Answer) -> Facts {
    Facts {
        id: "box-1".into(),
        hub: "east.azure-devices.net".into(),
        identity: json!({
            "status": "enabled", "connectionState": "Connected", "lastActivityTime": "2026-11-29T11:59:00Z",
            "connectionStateUpdatedTime": "2026-11-29T09:00:00Z", "authentication": {"type": "selfSigned"},
        }),
        twin: json!({"properties": {"desired": {}, "reported": {}}}),
        has_dps: true,
        registration: Some(json!({"status": "assigned", "assignedHub": "EAST.azure-devices.net"})),
        enrollment: None,
        answer,
    }
}

/// Of an agent that is well.
fn told() -> serde_json::Value {
    json!({
        "status": {
            "version": "0.2.0", "time": NOW, "timeSource": "gps", "uptimeSeconds": 9000, "state": "online",
            "takenOver": false, "sensors": {"bme280": {"state": "ok", "cause": ""}, "gps": {"state": "ok", "cause": ""}},
            "journal": {"taken": 5, "sent": 5, "acknowledged": 5, "backlog": 0, "thinned": 0, "dropped": 0},
            "lastFix": {"lat": -36.84, "lon": 174.78, "time": NOW}, "places": ["yard"],
        },
        "program": {"target": "aarch64-linux", "features": ["pkcs11"], "upSeconds": 61, "memoryKib": 9000},
        "connection": {"idScope": "0ne1", "dpsHost": "dps.example", "transport": "mqtt", "port": 8883, "keepAlive": 230},
        "certificate": {"validUntil": "2027-11-29T12:00:00Z", "daysLeft": 365, "keyIn": "file", "issuedBy": "file"},
        "settings": {"telemetryInterval": 300, "lastInterval": 3600, "geofences": 1, "alarms": 0, "evidence": false},
        "storage": {"directory": "/var/lib/x", "state": "ok", "freeMib": 900, "journalMib": 64},
        "log": ["2026-11-29T11:59:00Z info online at a hub ".to_owned() + &"with a long sentence ".repeat(9)],
        "cut": [],
    })
}

fn found(facts: &Facts) -> Vec<(Level, String)> {
    let found = judge(facts, NOW.parse().unwrap());
    found.into_iter().map(|finding| (finding.level, format!("{}: {}", finding.about, finding.text))).collect()
}

#[test]
fn a_device_that_is_well_has_no_findings_and_fits_eighty_columns() {
    let facts = facts(Answer::Told(told()));
    assert_eq!(found(&facts), []);
    let lines = page(&facts, &[], NOW.parse().unwrap(), 80);
    for line in &lines {
        assert!(text::width(line) <= 80, "{line}");
    }
    let page = lines.join("\n");
    for part in [
        "online, changed 3 h ago",
        "yard, 36.8400 S 174.7800 E",
        "every 5 min",
        "365 days left",
        "✓ nothing is wrong",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}

#[test]
fn each_thing_that_is_wrong_is_told_the_worst_first_with_what_helps() {
    let mut answer = told();
    answer["status"]["sensors"] = json!({
        "bme280": {"state": "failed", "cause": "nobody answers at 0x76"}, "gps": {"state": "degraded", "cause": "no fix"},
    });
    answer["program"]["upSeconds"] = 9000.into();
    answer["status"]["timeSource"] = "none".into();
    answer["status"]["takenOver"] = true.into();
    answer["status"]["activeAlarms"] = json!({"cargo": {"severity": "critical", "since": NOW}});
    answer["storage"] = json!({"state": "memory", "trouble": "read-only", "freeMib": 3, "journalMib": 64});
    answer["firstRootEnd"] = json!({"name": "Old Root", "daysLeft": 9});
    answer["certificate"]["validUntil"] = "2026-12-09T12:00:00Z".into();
    let mut facts = facts(Answer::Told(answer));
    facts.twin["properties"] = json!({
        "desired": {"telemetryInterval": 0},
        "reported": {"telemetryInterval": {"value": 60, "ac": 400, "ad": "0 is too short"}, "firmware": {"ac": 203}},
    });
    facts.registration = Some(json!({"status": "assigned", "assignedHub": "west.azure-devices.net"}));
    facts.enrollment = Some(json!({"provisioningStatus": "disabled"}));
    let found = found(&facts);
    let texts: Vec<&str> = found.iter().map(|(_, text)| &**text).collect();
    for part in [
        "connection: another client",
        "provisioning: its enrollment is disabled",
        "bme280: nobody answers at 0x76",
        "storage: readings are kept in memory alone: read-only",
        "gps: no fix",
        "provisioning: the provisioning service has assigned it to west",
        "certificate: its certificate ends in 10 days",
        "certificate: the root Old Root that it trusts servers by ends in 9 days",
        "storage: its disk has 3 MiB left",
        "time: it does not know the time",
        "settings: the desired property telemetryInterval was refused: 0 is too short",
        "alarm: the alarm cargo is raised (critical)",
    ] {
        assert!(texts.iter().any(|text| text.starts_with(part)), "{part} is not in {texts:#?}");
    }
    assert_eq!(found.len(), 12);
    assert!(found.is_sorted_by_key(|(level, _)| std::cmp::Reverse(*level)), "{found:?}");
}

#[test]
fn a_device_that_can_not_be_asked_is_told_from_what_the_cloud_knows() {
    let first = |facts: &Facts| found(facts).into_iter().next();
    let told = |answer| {
        first(&facts(answer)).map(|(level, text)| (level, text.split(';').next().unwrap().to_owned()))
    };
    assert_eq!(told(Answer::Offline).unwrap(), (Level::Error, "connection: it is not connected".into()));
    assert!(told(Answer::Silent(30)).unwrap().1.contains("not answered within 30 s"));
    assert_eq!(told(Answer::Older).unwrap().0, Level::Note);
    let mut disabled = facts(Answer::NotAsked);
    disabled.identity["statusReason"] = "sold".into();
    assert!(first(&disabled).unwrap().1.contains("it is disabled at the hub (sold)"));
    let mut older = facts(Answer::Older);
    older.twin["properties"]["reported"] = json!({
        "sensors": {"gps": {"state": "failed", "cause": "no bytes"}},
        "last": {"at": "2026-11-29T11:00:00Z", "lat": 51.95, "lon": 4.1, "temperature": 4.5, "place": "quay"},
    });
    assert_eq!(first(&older), Some((Level::Error, "gps: no bytes".into())));
    let page = page(&older, &judge(&older, NOW.parse().unwrap()), NOW.parse().unwrap(), 80).join("\n");
    assert!(page.contains("quay, 51.9500 N 4.1000 E, 4.5 °C, 1 h ago") && page.contains("✗ gps"), "{page}");
}
