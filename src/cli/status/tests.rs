//! The page of one agent, as a terminal shows it.

use serde_json::{Value, json};

use super::disk::Disk;
use super::panes::facts;
use super::sight::Sight;
use crate::cli::terminal::screen::{ContainerPage, Facts, Key, Page, snapshot};
use crate::lab::board::Readings;
use crate::status::report::StatusReport;

/// An agent at sea, half an hour after its hub was reached last.
fn status(change: impl Fn(&mut Value)) -> StatusReport {
    let mut status = json!({
        "pid": 7, "boot": "b", "writtenAtUptime": 5000.0, "state": "connecting", "inStateSeconds": 1800,
        "hub": "cheese-hub.azure-devices.net", "offlineCause": "TCP stands, but the server does not answer TLS within 30 s",
        "lastDelivered": {"seq": 7, "time": "2026-11-21T00:00:00Z", "uptime": 3200.0}, "intervalSeconds": 60,
        "journal": {"taken": 90, "acknowledged": 60, "backlog": 30, "thinned": 0, "dropped": 0},
        "sensors": {"bme280": {"state": "ok", "cause": ""}, "gps": {"state": "degraded", "cause": "no fix for 2 min"}},
        "lastFix": {"lat": 51.95, "lon": 4.14, "time": "2026-11-21T00:28:00Z"}, "places": ["Maasvlakte"],
        "activeAlarms": {"temperature": {"severity": "warning", "since": "2026-11-21T00:20:00Z", "acknowledged": false}},
        "time": "2026-11-21T00:30:00Z", "timeSource": "gps", "version": "0.1.0",
        "certificate": {"commonName": "sensor-thl-001", "daysLeft": 300},
        "measurement": {"uptime": 4990.0, "fields": {}},
        "sky": {"fix": "gps", "satellites": 9, "hdop": 1.2, "sentences": "GGA+RMC", "bytes": 9000, "whole": 120, "broken": 2,
            "epochs": [50, 10]},
        "troubles": [{"time": "2026-11-21T00:00:10Z", "level": "warning", "text": "the connection is lost: it was reset"}],
    });
    change(&mut status);
    serde_json::from_value(status).unwrap()
}

fn shown(change: impl Fn(&mut Value)) -> Facts {
    let mut readings = Readings::default();
    for minute in 0..30 {
        let temperature = 4.0 + f64::from(minute) / 10.0;
        readings
            .push(json!({"temperature": temperature, "humidity": 80.0, "pressure": 1013.2, "speed": 20.1}));
    }
    let troubles = vec!["connecting for 30 min, nothing delivered for 30 min, 30 readings wait".into()];
    let age = Some(std::time::Duration::from_secs(1));
    let sight = Sight { code: 1, status: Some(status(change)), absent: None, troubles, age };
    let disk = Disk { journal: 40_960, free: 12_345_678_900 };
    facts(&sight, &readings, Some(&disk), None)
}

fn page(facts: Facts) -> impl Page {
    ContainerPage::new(facts, || None)
}

#[test]
fn at_80_columns_there_is_one_column_to_be_scrolled() {
    let mut page = page(shown(|_| {}));
    assert_eq!(
        snapshot(&mut page, 80, 20),
        "\
sensor-thl-001 · trouble · as of 1 s ago
── state ───────────────────────────────────────────────────────────────────────
! connecting for 30 min, nothing delivered for 30 min, 30 readings wait
── readings ────────────────────────────────────────────────────────────────────
temperature        6.90 °C  ▁▁▁▂▂▂▂▃▃▃▃▄▄▄▄▅▅▅▅▆▆▆▆▇▇▇▇███ 4.00…6.90
humidity          80.0 %RH  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
pressure        1013.2 hPa  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
speed            20.1 km/h  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄
taken         10 s ago
interval      60 s
sensor        bme280 ✓
sensor        gps ! degraded: no fix for 2 min
── link ────────────────────────────────────────────────────────────────────────
stage         DPS ✓ → hub … → online
state         connects to its hub, for 30 min
hub           cheese-hub.azure-devices.net
last attempt  name ✓ → TCP ✓ → TLS ✗ → MQTT
held up by    TCP stands, but the server does not answer TLS within 30 s
delivered     reading 7 at 2026-11-21T00:00:00.000Z                       18/37
q ends · ↑↓ scroll · ? keys
"
    );
    for _ in 0..60 {
        page.press(Key::Down);
    }
    let end = snapshot(&mut page, 80, 20);
    assert!(end.contains("the connection is lost: it was reset"), "{end}");
    page.press(Key::Home);
    assert!(snapshot(&mut page, 80, 20).contains("── state"));
}

#[test]
fn at_200_columns_all_of_it_is_seen_at_once() {
    assert_eq!(
        snapshot(&mut page(shown(|_| {})), 200, 24),
        "\
sensor-thl-001 · trouble · as of 1 s ago
── state ────────────────────────────────────────────────────────  ── readings ─────────────────────────────────────────────────────  ── link ─────────────────────────────────────────────────────────
! connecting for 30 min, nothing delivered for 30 min, 30          temperature        6.90 °C  ▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▇▇▇██ 4.80…6.90       stage         DPS ✓ → hub … → online
  readings wait                                                    humidity          80.0 %RH  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄                 state         connects to its hub, for 30 min
── position ─────────────────────────────────────────────────────  pressure        1013.2 hPa  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄                 hub           cheese-hub.azure-devices.net
last fix      51.95, 4.14 at 2026-11-21T00:28:00.000Z              speed            20.1 km/h  ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄                 last attempt  name ✓ → TCP ✓ → TLS ✗ → MQTT
fix           ✓ gps                                                taken         10 s ago                                             held up by    TCP stands, but the server does not answer TLS
sky           9 satellites, HDOP 1.2, by GGA+RMC                   interval      60 s                                                                 within 30 s
receiver      120 sentences, 2 broken; 50 s with a fix, 10 s       sensor        bme280 ✓                                             delivered     reading 7 at 2026-11-21T00:00:00.000Z
                without                                            sensor        gps ! degraded: no fix for 2 min                     ── journal ──────────────────────────────────────────────────────
in            Maasvlakte                                           ── alarms ───────────────────────────────────────────────────────  waiting       30 readings wait
── device ───────────────────────────────────────────────────────  warning temperature since 2026-11-21T00:20:00.000Z                 since start   90 taken, 60 acknowledged
clock         2026-11-21T00:30:00.000Z (gps)                                                                                          lost          0 thinned, 0 lost
certificate   sensor-thl-001, 300 days left                                                                                           disk          41 KB taken, 12.3 GB free
version       0.1.0
── log: the last warnings, as the status has them (all of it: --log FILE) ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
2026-11-21T00:00:10.000Z warning the connection is lost: it was reset






q ends · ↑↓ scroll · ? keys
"
    );
}

#[test]
fn at_60_columns_nothing_that_counts_is_cut() {
    let text = snapshot(&mut page(shown(|_| {})), 60, 60);
    for words in [
        "6.90 °C",
        "TCP stands, but the server does not answer",
        "9 satellites, HDOP 1.2",
        "Maasvlakte",
        "12.3 GB free",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
}

#[test]
fn a_terminal_of_any_size_is_drawn_on() {
    let mut page = page(shown(|_| {}));
    page.press(Key::Char('?'));
    for (columns, rows) in [(1, 1), (2, 3), (10, 4), (59, 2), (300, 90)] {
        snapshot(&mut page, columns, rows);
    }
}

#[test]
fn an_agent_that_tells_no_readings_and_one_that_is_not_there_are_told_of() {
    let firmware = shown(|status| status["measurement"] = Value::Null);
    assert!(snapshot(&mut page(firmware), 80, 20).contains("the firmware does not"));
    let absent = Some("no agent runs here; start it: systemctl start container-tracker".into());
    let sight = Sight { code: 2, status: None, absent, troubles: Vec::new(), age: None };
    let text = snapshot(&mut page(facts(&sight, &Readings::default(), None, None)), 80, 8);
    assert!(text.starts_with("container-tracker · not running\n"), "{text}");
    assert!(text.contains("✗ no agent runs here; start it"), "{text}");
}
