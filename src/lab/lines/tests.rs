//! What is shown at a terminal: widths, days, starts, seconds.

use proptest::prelude::*;
use serde_json::json;
use tracker_protocol::PropertyBag;

use super::*;

fn message(device: &str, body: &Value, properties: &[(&str, &str)]) -> TelemetryMessage {
    let mut bag = PropertyBag::default();
    for (name, value) in properties {
        bag.insert(name, Some((*value).into()));
    }
    TelemetryMessage {
        hub: "hub".into(),
        device_id: device.into(),
        module_id: None,
        enqueued_time: DateTime::UNIX_EPOCH,
        sequence_number: 1,
        body: body.to_string().into_bytes().into(),
        properties: bag,
        marked_duplicate: false,
        repeated_message_id: false,
    }
}

fn body(time: &str) -> Value {
    json!({
        "temperature": -12.34, "humidity": 100.0, "pressure": 1005.8, "speed": 60.9, "seq": 28_015_374_430_u64,
        "location": {"lat": -37.193, "lon": 174.897}, "time": time,
    })
}

fn shown(lines: &Lines, device: &str, time: &str, properties: &[(&str, &str)]) -> Vec<String> {
    let body = body(time);
    lines.telemetry(80, &message(device, &body, properties), std::slice::from_ref(&body))
}

#[test]
fn a_reading_is_a_line_of_80_columns_with_the_date_once_a_day() {
    let lines = Lines::new(false);
    let first = shown(&lines, "sensor-thl-001", "2026-11-21T11:02:00.000Z", &[]);
    assert_eq!(
        first,
        ["── Sat 2026-11-21 UTC ──", "11:02 thl-001 ▶ -12.34 °C 100 % 1006 hPa  37.19S 174.90E  61 km/h",]
    );
    let alert = [("alert", "temperatureLow,humidityHigh")];
    assert_eq!(
        shown(&lines, "sensor-thl-001", "2026-11-21T11:03:00.000Z", &alert),
        ["11:03 thl-001 ▶ -12.34 °C 100 % 1006 hPa  37.19S 174.90E  61 km/h ⚠tempLow+1"]
    );
    let late = shown(&lines, "container-of-somebody-else", "2026-11-20T23:59:00.000Z", &alert);
    assert!(
        late[0].starts_with("Nov 20 23:59 ") && late[0].contains(" 37.19S 174.90E  61 km/h ⚠"),
        "{late:?}"
    );
    assert!(width(&late[0]) <= 80);
    // An alarm that was raised stays until it is over.
    let raised = |state: &'static str| {
        [("messageType", "event"), ("alarm", "temperature"), ("severity", "warning"), ("state", state)]
            .to_vec()
    };
    assert!(shown(&lines, "box", "2026-11-21T11:04:00.000Z", &raised("raised")).concat().contains('✉'));
    assert!(shown(&lines, "box", "2026-11-21T11:05:00.000Z", &[]).concat().ends_with(" ⚠temp"));
    shown(&lines, "box", "2026-11-21T11:06:00.000Z", &raised("cleared"));
    assert!(shown(&lines, "box", "2026-11-21T11:07:00.000Z", &[]).concat().ends_with("km/h"));
}

#[test]
fn a_start_is_a_line_and_what_goes_wrong_in_it_is_not_hidden() {
    let lines = Lines::new(false);
    let device = "sensor-thl-001";
    let title = format!(
        "{device}: Gouda cheese, Woerden to Tokyo round the Cape of Good Hope in a reefer, {}",
        "x".repeat(60)
    );
    assert!(lines.note(80, "voyage", &title, &json!({ "device": device })).is_empty());
    let trouble =
        Event::RegisterLater { why: "nobody listens there; ".repeat(9), again: Duration::from_secs(2) };
    let hub = || "cheese-hub.azure-devices.net".to_owned();
    let mut all = Vec::new();
    for event in [
        Event::Started { version: "1" },
        Event::Registering { host: "dps".into(), id_scope: "0ne".into() },
        trouble,
        Event::Assigned { hub: hub(), device_id: device.into(), substatus: None },
        Event::Connecting { hub: hub() },
        Event::Online { hub: hub(), backlog: 1 },
    ] {
        all.extend(lines.event(80, device, &event));
    }
    assert!(all.iter().all(|line| width(line) <= 80), "{all:#?}");
    assert!(all[1].contains("no hub from DPS: nobody listens"), "{all:#?}");
    let starts: Vec<_> = all.iter().filter(|line| line.contains('●')).collect();
    assert!(
        starts.len() == 1 && starts[0].contains("at cheese-hub: Gouda cheese, Woerden to Tokyo"),
        "{all:#?}"
    );
    // Later ones are told.
    assert_eq!(lines.event(80, device, &Event::Connecting { hub: hub() }).len(), 1);
}

#[test]
fn of_twenty_devices_a_second_is_a_line_and_what_is_loud_is_bounded() {
    let lines = Lines::new(false);
    lines.expect(20);
    for n in 0..20 {
        lines.event(80, &format!("box-{n}"), &Event::Online { hub: "hub".into(), backlog: 0 });
        assert!(
            shown(&lines, &format!("box-{n}"), "2026-11-21T11:03:00.000Z", &[("alert", "temperatureLow")])
                .is_empty()
        );
    }
    let trouble = Event::Trouble("the disk is full".into());
    let loud: usize = (0..100).map(|n| lines.event(80, &format!("box-{n}"), &trouble).len()).sum();
    assert!((1..=6).contains(&loud), "{loud}");
    let last = lines.note(80, "summary", "20 devices: all sent", &json!({}));
    assert_eq!(last.len(), 2, "{last:#?}");
    assert!(last[0].contains("20/100 online") && last[0].contains("20 alarms ⚠box-0 tempLow"), "{last:#?}");
    assert!(width(&last[0]) <= 80, "{last:#?}");
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        device in "[a-z東~. -]{0,40}", columns in 40_usize..140,
        numbers in prop::collection::vec(prop::option::of(-1e9..1e9_f64), 6), place in prop::option::of("[a-z東 ]{0,30}"),
        alert in "[a-zA-Z,]{0,40}", day in 1..28_u8,
    ) {
        let lines = Lines::new(false);
        let time = format!("2026-11-{day:02}T11:02:00.000Z");
        let body = json!({
            "temperature": numbers[0], "humidity": numbers[1], "pressure": numbers[2], "speed": numbers[3],
            "location": {"lat": numbers[4], "lon": numbers[5]}, "place": place, "time": time,
        });
        for time in ["2026-11-14T11:02:00.000Z", &time] {
            let mut body = body.clone();
            body["time"] = time.into();
            let message = message(&device, &body, &[("alert", &alert)]);
            for line in lines.telemetry(columns, &message, std::slice::from_ref(&body)) {
                prop_assert!(width(&line) <= columns, "{line:?}");
            }
        }
    }
}
