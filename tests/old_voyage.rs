//! A voyage goes on under the next version: alarms, fences, the chain of evidence and the trip under way.
//!
//! Each directory `tests/data/voyage-COMMIT` was written by the code of that commit, in the lives of three boots of one machine:
//!
//! | boot | readings | the time was known | ended |
//! |---|---|---|---|
//! | a | 0 to 19, of which the hub has 0 to 9 and 19 | from reading 5 on | in good order |
//! | b | 20 to 23 | never | in good order |
//! | c | 24 to 39, which are in the log | always | without power |
//!
//! From reading 8 on it is too warm, which is told with reading 10; with reading 15 the box leaves the yard, and stays in the port.
//! What the hub has is in `received.jsonl`.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use container_tracker::alarms::schema::Alarms;
use container_tracker::config::{Config, DeliveryMode, Intervals, LastInterval};
use container_tracker::event::{Event, Events};
use container_tracker::instruments::fields::Fields;
use container_tracker::journal::{Journal, JournalOptions};
use container_tracker::platform::clock::Clock;
use container_tracker::reading::{Reading, Stamp};
use container_tracker::recorder::{AlarmDesk, Sources};
use container_tracker::settings::{Defaults, InForce, TripTerms};
use container_tracker::trip::{Limits, Terms};
use container_tracker::uplink::delivery;
use container_tracker::whereabouts::{Turns, Whereabouts};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracker_protocol::hub::DeviceTopic;
use tracker_sensors::gps::{Fix, GpsState, Position};

const VERSIONS: [&str; 1] = ["35c3dbc"];
const DEVICE: &str = "sensor-thl-001";
const INTERVAL: Duration = Duration::from_mins(5);
const FILES: [&str; 4] = ["journal.db", "journal.db-wal", "settings.json", "received.jsonl"];

fn time(seconds: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::seconds(seconds as i64)
}

/// A machine's clock, moved by hand.
#[derive(Debug)]
struct HandClock {
    boot: String,
    now: Mutex<Stamp>,
}

impl Clock for HandClock {
    fn utc(&self) -> Option<DateTime<Utc>> {
        self.now.lock().unwrap().utc
    }

    fn monotonic(&self) -> Duration {
        self.now.lock().unwrap().monotonic
    }

    fn boot(&self) -> &str {
        &self.boot
    }
}

/// An agent, without its uplink.
struct Device {
    clock: Arc<HandClock>,
    settings: InForce,
    journal: Arc<Journal>,
    desk: AlarmDesk,
    whereabouts: Whereabouts,
    position: watch::Sender<GpsState>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Device {
    async fn start(directory: &Path, boot: &str) -> Self {
        let now = Mutex::new(Stamp { utc: None, monotonic: Duration::ZERO });
        let clock = Arc::new(HandClock { boot: boot.into(), now });
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let events =
            Events::to("test", Arc::new(move |event: &Event| heard.lock().unwrap().push(event.to_string())));
        let defaults = Defaults {
            interval: INTERVAL,
            intervals: Intervals::default(),
            last: LastInterval::HOURLY,
            delivery: DeliveryMode::default(),
            alarms: Alarms::NONE,
        };
        let (settings, loaded) = InForce::load(directory, defaults);
        loaded.unwrap();
        let options = JournalOptions {
            directory: directory.into(),
            size_bound: 1 << 26,
            waiting_room: None,
            boot: boot.into(),
        };
        let journal = Arc::new(Journal::open(options, events.clone()).unwrap());
        let bounds =
            [("temperature".to_owned(), Limits { low: Some(2.0), high: Some(8.0), ..Limits::default() })];
        let terms =
            Terms { by: "provisioning".into(), gap_after: 900, bounds: bounds.into(), ..Terms::default() };
        assert!(journal.set_evidence(settings.evidence().borrow().then_some(terms)));
        let position = watch::Sender::new(GpsState::default());
        let toml = "[dps]\nid_scope = \"0ne\"\n[identity]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
        let file = directory.join("tracker.toml");
        fs::write(&file, toml).unwrap();
        let config = Config::load(&file).unwrap();
        let turns = Turns {
            fences: settings.trip_fences(),
            terms: TripTerms::new(&settings, &config),
            signs: Arc::default(),
        };
        let mut whereabouts =
            Whereabouts::new(settings.fences(), turns, Some(position.subscribe()), events.clone());
        let sources = Sources {
            sensors: Vec::new(),
            position: Some(position.subscribe()),
            here: whereabouts.here(),
            certificate: "nowhere.pem".into(),
            first_root_end: watch::channel(None).1,
            journal: journal.clone(),
        };
        let desk = AlarmDesk::new(sources, clock.clone(), events, settings.alarms());
        let states = journal.states().unwrap().await.unwrap();
        whereabouts.begin(&states);
        desk.begin(states);
        Self { clock, settings, journal, desk, whereabouts, position, said }
    }

    fn now(&self) -> Stamp {
        Stamp::now(&*self.clock)
    }

    async fn take(&mut self, n: u64, utc: Option<DateTime<Utc>>, monotonic: u64, celsius: f64) {
        *self.clock.now.lock().unwrap() = Stamp { utc, monotonic: Duration::from_secs(monotonic) };
        let longitude = if n < 15 { 4.3 } else { 4.35 };
        self.position.send_replace(GpsState { fix: Some(fix(longitude)), ..GpsState::default() });
        let stamp = self.now();
        let mut fields = Fields::default();
        fields.count("n", n);
        fields.number("temperature", Some(celsius), 2);
        let places = self.whereabouts.look(stamp, &mut fields);
        self.desk.take(stamp, INTERVAL, fields, places, |fields, _| {
            Some(Reading { stamp, fields: fields.into_json(), alerts: Vec::new() })
        });
        self.journal.commit().await;
    }

    /// What is sent, as `cloud monitor` prints it.
    async fn send(&self, limit: usize) -> Vec<String> {
        let lease = self.journal.lease(limit, self.now()).await;
        let mut lines = Vec::new();
        for message in delivery::messages(lease, DEVICE, self.settings.delivery()) {
            let DeviceTopic::Telemetry { properties, .. } = message.publish.topic.parse().unwrap() else {
                panic!("{:?}", message.publish.topic)
            };
            let body: Value = serde_json::from_slice(&message.publish.payload).unwrap();
            let chain = properties.get("chain");
            lines.push(json!({"deviceId": DEVICE, "properties": {"chain": chain}, "body": body}).to_string());
            self.journal.acknowledge(message.seqs).unwrap();
        }
        lines
    }
}

fn fix(longitude: f64) -> Fix {
    Fix {
        time: chrono::NaiveTime::MIN,
        date: None,
        position: Position { latitude: 51.95, longitude },
        altitude_m: None,
        speed_kn: None,
        course_deg: None,
        quality: Some(1),
        satellites: None,
        hdop: Some(1.0),
        sources: Vec::new(),
        spread_m: 0.0,
        end: 0,
        received_at: Duration::ZERO,
    }
}

/// What verify says of a record.
fn verdict(directory: &Path) -> Value {
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    let output = program.arg("verify").arg(directory.join("received.jsonl")).arg("--json").output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test]
async fn it_goes_on_and_everything_fits() {
    for version in VERSIONS {
        goes_on(version).await;
    }
}

async fn goes_on(version: &str) {
    let directory = tempfile::tempdir().unwrap();
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/voyage-{version}"));
    for name in FILES {
        fs::copy(written.join(name), directory.path().join(name)).unwrap();
    }
    let mut device = Device::start(directory.path(), "boot-d").await;
    let active = |device: &Device| device.desk.active().borrow().clone();
    assert_eq!(active(&device)["cargo"].severity, "warning");
    assert_eq!(device.settings.container_number().borrow().as_deref(), Some("CSQU3054383"));

    // An hour later it is as warm as before, and then it cools down.
    device.take(40, Some(time(68_200)), 60, 9.0).await;
    assert_eq!(active(&device)["cargo"].since.unwrap().0, time(2400), "since reading 8");
    device.take(41, Some(time(68_500)), 360, 4.0).await;
    assert!(active(&device).is_empty());
    let now = device.now();
    let report = Value::Object(device.journal.end_trip(now).await.unwrap());
    let mut lines = Vec::new();
    loop {
        let more = device.send(50).await;
        if more.is_empty() {
            break;
        }
        lines.extend(more);
    }
    let all = fs::read_to_string(directory.path().join("received.jsonl")).unwrap() + &lines.join("\n");
    fs::write(directory.path().join("received.jsonl"), &all).unwrap();

    // Events that the old version has told are not told again.
    let bodies = all.lines().flat_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["body"].as_array().cloned().unwrap_or_else(|| vec![line["body"].clone()])
    });
    let mut bodies: Vec<Value> = bodies.collect();
    bodies.sort_by_key(|body| body["seq"].as_u64());
    let told = |body: &Value| {
        let name = body["alarm"].as_str().or(body["place"].as_str())?;
        Some(format!("{} {name}", body["state"].as_str()?))
    };
    let events: Vec<String> = bodies.iter().filter_map(told).collect();
    assert_eq!(events, ["inside yard", "inside port", "raised cargo", "exit yard", "cleared cargo"]);
    let cleared = bodies.iter().find(|body| body["state"] == "cleared").unwrap();
    assert_eq!(cleared["begin"], "2026-09-21T14:53:20.000Z");
    let numbers: Vec<u64> = bodies.iter().filter_map(|body| body["n"].as_u64()).collect();
    assert_eq!(numbers, (0..42).collect::<Vec<_>>());

    let verdict = verdict(directory.path());
    assert_eq!((&verdict["fault"], &verdict["withoutHash"]), (&Value::Null, &json!([])), "{verdict}");
    let trip = &verdict["trips"][0];
    assert_eq!((&trip["differs"], &trip["report"]), (&json!([]), &report), "{verdict}");
    assert_eq!((&report["readings"], &report["gaps"]["count"]), (&json!(42), &json!(3)), "{report}");
    let warm = &report["temperature"]["high"];
    // 8 to 19, 20 to 23, 24 to 39; and not over gaps.
    assert_eq!(warm["beyondSeconds"], (11 + 3 + 15) * 300 + 300, "{warm}");
    assert_eq!(
        *device.said.lock().unwrap(),
        ["the alarm cargo is over after 1101 min: temperature 9.0, beyond 8.0"]
    );
    device.journal.close().await;
}
